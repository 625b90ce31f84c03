"""The code as a stage of allauth's login.

allauth runs its stages before it calls Django's ``login()``: the email address, its own second
factor, and finally this one.  Headless clients see a waiting stage as a pending flow.
"""

from __future__ import annotations

from typing import Any

# This module must be imported before allauth's stages.
import allauth.account.middleware  # noqa: F401
from allauth.account.adapter import get_adapter
from allauth.account.stages import LoginStage, LoginStageController
from django.conf import settings
from django.contrib.auth import get_backends
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from ... import service

__all__ = ["CodeStage", "finish_login", "waiting_stage"]

# allauth's own backend, which its adapter also prefers.
PREFERRED = "allauth.account.auth_backends.AuthenticationBackend"


class CodeStage(LoginStage):
    """The stage that waits for a code, if the user owes one.

    The user is not logged in meanwhile, and no access token is issued.  The login is parked in the
    session, so it can be completed by the pages, the JSON API and the URLs of :mod:`.urls`.
    """

    key = "mfa_bandwidth"
    urlname = "bandwidth_mfa:verify"

    def handle(self) -> tuple[HttpResponse | None, bool]:
        login = self.login
        if login.user is None:
            return None, True
        is_owed = service.park_login(
            login.user,
            backend=_backend_of(login.user),
            request=self.request,
            # allauth has checked this URL.
            next=login.redirect_url or "",
        )
        # A headless view returns 401 with the pending flows instead of this redirect.
        return (redirect(self.urlname) if is_owed else None), True


def waiting_stage(request: HttpRequest) -> CodeStage | None:
    """Return the stage of the code, if allauth's login in the session is at this stage."""
    stage: CodeStage | None = LoginStageController.enter(request, CodeStage.key)
    return stage


def finish_login(request: Any, user: Any, **kwargs: object) -> None:
    """Receive ``login_completed``: run allauth's own steps after a login that waited here.

    The user may have typed the code on a page or sent it by any API.
    """
    if getattr(request, "allauth", None) is None or not hasattr(request, "session"):
        return
    stage = waiting_stage(request)
    if stage is None or stage.login.user is None or stage.login.user.pk != user.pk:
        return
    login = stage.login
    stage.controller.set_handled(stage.key)
    # This removes the waiting login from the session.
    stage.controller.handle()
    get_adapter(request).post_login(
        request,
        user,
        email_verification=login.email_verification,
        signal_kwargs=login.signal_kwargs,
        email=login.email,
        signup=login.signup,
        redirect_url=login.redirect_url,
    )


def _backend_of(user: Any) -> str:
    """Return the backend that authenticated the user, or else the default of allauth's adapter."""
    noted: str | None = getattr(user, "backend", None)
    if noted is not None:
        return noted
    listed: list[str] = list(settings.AUTHENTICATION_BACKENDS)
    if PREFERRED in listed:
        return PREFERRED
    return next(
        path
        for path, backend in zip(listed, get_backends(), strict=True)
        if hasattr(backend, "get_user")
    )
