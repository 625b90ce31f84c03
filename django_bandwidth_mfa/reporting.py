"""What an error report of the app's own pages may show."""

from __future__ import annotations

from collections.abc import ItemsView
from types import FrameType
from typing import Any

from django.http import HttpRequest
from django.views.debug import SafeExceptionReporterFilter


class NoVariables(SafeExceptionReporterFilter):
    """Masks the form, with ``DEBUG`` on too, and leaves every frame's variables out.

    Django masks nothing while ``DEBUG`` is on, and never its own frames: those of the database hold
    each query's parameters, among them the phone's number.
    """

    def is_active(self, request: HttpRequest | None) -> bool:
        return True

    def get_traceback_frame_variables(
        self, request: HttpRequest | None, tb_frame: FrameType
    ) -> ItemsView[str, Any]:
        nothing: dict[str, Any] = {}
        return nothing.items()
