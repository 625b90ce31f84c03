"""What an error report of the app's own pages shows."""

from __future__ import annotations

from collections.abc import ItemsView
from types import FrameType

from django.http import HttpRequest
from django.views.debug import SafeExceptionReporterFilter


class NoVariablesFilter(SafeExceptionReporterFilter):
    """Masks the form, even while ``DEBUG`` is on, and leaves out the variables of every frame.

    Django masks nothing while ``DEBUG`` is on.  It never masks its own frames, and those of the
    database hold the parameters of each query, such as the number of a phone.
    """

    def is_active(self, request: HttpRequest | None) -> bool:
        return True

    def get_traceback_frame_variables(
        self, request: HttpRequest | None, tb_frame: FrameType
    ) -> ItemsView[str, object]:
        nothing: dict[str, object] = {}
        return nothing.items()
