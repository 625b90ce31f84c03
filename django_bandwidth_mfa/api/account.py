"""The API for recovery codes, trusted browsers, and signing out everywhere else."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.debug import sensitive_variables

from .. import service
from ..conf import settings
from ..internal.flows.phones import issue_recovery_codes
from ..internal.login import trusted_browsers
from . import shapes
from .base import FreshAPIView, SignedInAPIView, json_response
from .errors import APIError


class RecoveryCodesView(FreshAPIView):
    """GET returns how many are left.  POST creates a new set and returns it, only this once."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return json_response(shapes.recovery_codes_of(request, self.user))

    @sensitive_variables()
    def post(self, request: HttpRequest, data: dict[str, Any]) -> HttpResponse:
        codes = issue_recovery_codes(request, self.user)
        return json_response({**shapes.recovery_codes_of(request, self.user), "codes": codes})


class BrowsersView(SignedInAPIView):
    """GET lists the trusted browsers."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return json_response(shapes.browsers(request, self.user))


class ForgetBrowserView(SignedInAPIView):
    """POST stops trusting one browser, and returns the list.  It requires no code."""

    def post(self, request: HttpRequest, browser: str, data: dict[str, Any]) -> HttpResponse:
        if not trusted_browsers.forget(self.user, browser, request=request):
            raise APIError("no_such_browser")
        return json_response(shapes.browsers(request, self.user))


class ForgetBrowsersView(SignedInAPIView):
    """POST stops trusting all browsers, and returns the empty list.  It requires no code."""

    def post(self, request: HttpRequest, data: dict[str, Any]) -> HttpResponse:
        trusted_browsers.forget(self.user, request=request)
        return json_response(shapes.browsers(request, self.user))


class SignOutOthersView(SignedInAPIView):
    """POST ends all other sessions of the user."""

    def post(self, request: HttpRequest, data: dict[str, Any]) -> HttpResponse:
        service.end_sessions(self.user, keep=request)
        return json_response({"within_seconds": settings.RECHECK_SECONDS})
