"""The authentication backend: a right code for a challenge authenticates its user."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from . import service
from .internal.codes.steps import Steps, arun, run
from .models import Challenge
from .verification import Verification, carry

__all__ = ["BandwidthMFABackend"]


class BandwidthMFABackend(ModelBackend):
    """Authenticate the user of ``challenge`` if Bandwidth accepts ``token`` as its code.

    The app's own views call this backend directly, so it *need not* be listed in
    ``AUTHENTICATION_BACKENDS``.  With a second backend in that setting, every
    ``login(request, user)`` without ``backend=`` raises.  If it is listed,
    ``authenticate(request, challenge=…, token=…)`` works, too.
    """

    @sensitive_variables("token")
    def authenticate(  # type: ignore[override]
        self,
        request: HttpRequest | None,
        challenge: Challenge | None = None,
        token: str | None = None,
        **kwargs: Any,
    ) -> Any | None:
        """Return the user of ``challenge`` if ``token`` is right; None otherwise.

        The user has the :class:`~.verification.Verification` as ``user.mfa_verification``.  The
        argument is called ``token`` because Django masks this name in the signal
        ``user_login_failed``.

        :raises MFAError: the code could not be checked (see :func:`.service.verify_code`).
        """
        if challenge is None or token is None:
            return None
        return run(authenticate_steps(self, request, challenge, token))

    @sensitive_variables("token")
    async def aauthenticate(  # type: ignore[override]
        self,
        request: HttpRequest | None,
        challenge: Challenge | None = None,
        token: str | None = None,
        **kwargs: Any,
    ) -> Any | None:
        """Do what :meth:`authenticate` does, in async code (see :func:`.service.averify_code`)."""
        if challenge is None or token is None:
            return None
        return await arun(authenticate_steps(self, request, challenge, token))


def authenticate_steps(
    backend: BandwidthMFABackend, request: HttpRequest | None, challenge: Challenge, token: str
) -> Steps[Any | None]:
    """Return :meth:`BandwidthMFABackend.authenticate` as steps, for the app's own flows."""
    return _steps(backend, service.verify_steps(challenge, token, request=request))


def _steps(backend: BandwidthMFABackend, verify: Steps[Verification]) -> Steps[Any | None]:
    verification = yield from verify
    if not verification or verification.challenge is None:
        return None
    # The user is loaded after Bandwidth's answer, because they may have been deactivated meanwhile.
    user = backend.get_user(verification.challenge.user_id)
    return None if user is None else carry(user, verification)
