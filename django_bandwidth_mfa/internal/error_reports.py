"""The filter for Django's error reports of the app's own pages."""

from __future__ import annotations

from collections.abc import ItemsView
from types import FrameType

from django.http import HttpRequest
from django.views.debug import SafeExceptionReporterFilter


class NoVariablesFilter(SafeExceptionReporterFilter):
    """Masks the form even with ``DEBUG``, and leaves out the local variables of all frames.

    With ``DEBUG`` Django masks nothing.  It never masks its own frames, and the frames of the
    database code contain the parameters of each query, such as phone numbers.
    """

    def is_active(self, request: HttpRequest | None) -> bool:
        return True

    def get_traceback_frame_variables(
        self, request: HttpRequest | None, tb_frame: FrameType
    ) -> ItemsView[str, object]:
        no_variables: dict[str, object] = {}
        return no_variables.items()
