"""The code as a stage of allauth's login.

allauth goes through its stages before it calls Django's ``login()``: the email address, its own
second factor, and at last this one.  A stage that waits is told to headless clients as a flow that
is pending.
"""

from __future__ import annotations

from typing import Any

# allauth's stages can be imported after this module, and not before.
import allauth.account.middleware  # noqa: F401
from allauth.account.adapter import get_adapter
from allauth.account.stages import LoginStage, LoginStageController
from django.conf import settings
from django.contrib.auth import get_backends
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from ... import service

__all__ = ["CodeStage", "finish_login", "waiting_stage"]

# allauth's own backend, which its adapter prefers, too.
PREFERRED = "allauth.account.auth_backends.AuthenticationBackend"


class CodeStage(LoginStage):
    """Waits for the code of Bandwidth, if the user owes one.

    Nobody is logged in meanwhile, and no access token is made.  The login is parked in the session.
    So the pages, the JSON API and the addresses of :mod:`.urls` all go on with it.
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
            # allauth has judged it.
            next=login.redirect_url or "",
        )
        # A headless view answers 401 with its flows, in place of this redirect.
        return (redirect(self.urlname) if is_owed else None), True


def waiting_stage(request: HttpRequest) -> CodeStage | None:
    """Return the stage of the code, if allauth's login in the session has come to it."""
    found: CodeStage | None = LoginStageController.enter(request, CodeStage.key)
    return found


def finish_login(request: Any, user: Any, **kwargs: object) -> None:
    """Receive ``login_completed``: do what allauth does after a login that waited here.

    The code may have been given on a page or by any API.
    """
    if getattr(request, "allauth", None) is None or not hasattr(request, "session"):
        return
    stage = waiting_stage(request)
    if stage is None or stage.login.user is None or stage.login.user.pk != user.pk:
        return
    login = stage.login
    stage.controller.set_handled(stage.key)
    # Takes the login that waited out of the session.
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
    """Return the backend that found the user; else the one that allauth's adapter would take."""
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
