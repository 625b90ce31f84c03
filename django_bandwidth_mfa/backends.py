"""The auth backend hook: a right code for a challenge is an authentication."""

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
    """Authenticates the user of ``challenge`` when Bandwidth takes ``token`` for it.

    The app's own views call it themselves.  It *need not* be listed in
    ``AUTHENTICATION_BACKENDS``: with a second backend there, every ``login(request, user)`` without
    ``backend=`` raises.  Listed, ``authenticate(request, challenge=…, token=…)`` works too.
    """

    @sensitive_variables("token")
    def authenticate(  # type: ignore[override]
        self,
        request: HttpRequest | None,
        challenge: Challenge | None = None,
        token: str | None = None,
        **kwargs: Any,
    ) -> Any | None:
        """Return the user of ``challenge`` when ``token`` is right, else None.

        The user carries the :class:`~.verification.Verification` as ``user.mfa_verification``.
        The keyword is ``token`` because Django masks that name when it tells of a failed login.

        :raises MFAError: as :func:`.service.verify_code` does: the code could not be tried.
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
        """Do what :meth:`authenticate` does, in an event loop, as :func:`.service.averify_code`."""
        if challenge is None or token is None:
            return None
        return await arun(authenticate_steps(self, request, challenge, token))


def authenticate_steps(
    backend: BandwidthMFABackend, request: HttpRequest | None, challenge: Challenge, token: str
) -> Steps[Any | None]:
    """Do what :meth:`BandwidthMFABackend.authenticate` does.  The app's own flows take part."""
    return _steps(backend, service.verify_steps(challenge, token, request=request))


def _steps(backend: BandwidthMFABackend, verify: Steps[Verification]) -> Steps[Any | None]:
    verification = yield from verify
    if not verification or verification.challenge is None:
        return None
    # Loaded after Bandwidth's answer: the user may have been deactivated meanwhile.
    user = backend.get_user(verification.challenge.user_id)
    return None if user is None else carry(user, verification)
