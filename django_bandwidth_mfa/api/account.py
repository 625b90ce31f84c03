"""Recovery codes, trusted browsers, and signing out everywhere else."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.debug import sensitive_variables

from .. import service
from ..conf import settings
from ..internal.flows.phones import issue_recovery_codes
from ..internal.login import trusted_browsers
from . import shapes
from .base import FreshAPIView, SignedInAPIView, told
from .errors import APIError


class RecoveryCodesView(FreshAPIView):
    """GET says how many are left.  POST makes a new set and tells it, this once."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return told(shapes.recovery_codes_of(request, self.user))

    @sensitive_variables()
    def post(self, request: HttpRequest, data: dict[str, Any]) -> HttpResponse:
        codes = issue_recovery_codes(request, self.user)
        return told({**shapes.recovery_codes_of(request, self.user), "codes": codes})


class BrowsersView(SignedInAPIView):
    """GET lists the browsers that are trusted."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return told(shapes.browsers(request, self.user))


class ForgetBrowserView(SignedInAPIView):
    """POST trusts one browser no more, and answers the list.  It takes no code."""

    def post(self, request: HttpRequest, browser: str, data: dict[str, Any]) -> HttpResponse:
        if not trusted_browsers.forget(self.user, browser, request=request):
            raise APIError("no_such_browser")
        return told(shapes.browsers(request, self.user))


class ForgetBrowsersView(SignedInAPIView):
    """POST trusts no browser any more, and answers the empty list.  It takes no code."""

    def post(self, request: HttpRequest, data: dict[str, Any]) -> HttpResponse:
        trusted_browsers.forget(self.user, request=request)
        return told(shapes.browsers(request, self.user))


class SignOutOthersView(SignedInAPIView):
    """POST: this session stays, every other one of the user's ends."""

    def post(self, request: HttpRequest, data: dict[str, Any]) -> HttpResponse:
        service.end_sessions(self.user, keep=request)
        return told({"within_seconds": settings.RECHECK_SECONDS})
