"""allauth's token strategies, which ask this app about each session.

allauth reads the session of a token by itself.  Its own strategies only look whether that session
is there.  So a session that its user has ended would go on, and a JSON Web Token be refreshed.
"""

from __future__ import annotations

from typing import Any

from allauth.core import context
from allauth.headless.tokens.strategies import jwt, sessions
from allauth.headless.tokens.strategies.jwt import internal
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from ...request import RequestMFA, request_of_session
from ...verification import LoginProof
from ..rest_framework.claims import claims_of

__all__ = ["JWTTokenStrategy", "LiveSessionMixin", "SessionTokenStrategy"]


class LiveSessionMixin:
    """Stands to the left of a token strategy, and asks about each session that it finds."""

    def lookup_session(self, session_token: str) -> SessionBase | None:
        """Return the session of the token; None if there is none.

        Nobody is signed in with a session that has ended, or that owes a code.
        """
        session: SessionBase | None = super().lookup_session(session_token)  # type: ignore[misc]
        if session is not None:
            # A policy of the site may look at the address, say.
            request_of_session(session, request=context.request)
        return session


class SessionTokenStrategy(LiveSessionMixin, sessions.SessionTokenStrategy):
    """``X-Session-Token``."""


class JWTTokenStrategy(LiveSessionMixin, jwt.JWTTokenStrategy):
    """An access token and a refresh token, for logins that owe nothing.

    The access token says in its claims what the login has shown: ``amr`` and ``mfa_at``.
    """

    # allauth makes a strategy for each use.
    _mfa: RequestMFA | None = None

    def create_access_token_payload(self, request: HttpRequest) -> dict[str, Any] | None:
        """Return the tokens; None if the session owes a code."""
        return super().create_access_token_payload(request) if self._look(request.session) else None

    def refresh_token(self, refresh_token: str) -> tuple[str, str] | None:
        """Return the new tokens; None if the session has ended, or owes a code.

        The database is asked each time, without waiting for ``RECHECK_SECONDS``.
        """
        found = internal.validate_refresh_token(refresh_token)
        if found is None or not self._look(found[1], anew=True):
            return None
        return super().refresh_token(refresh_token)

    def get_claims(self, user: Any) -> dict[str, Any]:
        """Return the claims of the access token, which are read by anybody who has it.

        A subclass adds its own.
        """
        mfa, claims = self._mfa, super().get_claims(user)
        if mfa is None or mfa.verified_at is None or mfa.method == "trusted_browser":
            return claims
        shown = claims_of(LoginProof(user=user, method=mfa.method, verified_at=mfa.verified_at))
        # The first factor may have been another one than a password.
        shown["amr"] = ["mfa", *shown["amr"][1:]]
        return {**claims, **shown}

    def _look(self, session: SessionBase, *, anew: bool = False) -> bool:
        """Return whether the session owes nothing.  What it has shown is kept for the claims."""
        found = request_of_session(session, request=context.request, anew=anew)
        self._mfa = found.mfa
        return found.user.is_authenticated
