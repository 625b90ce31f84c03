"""allauth's token strategies, with a check of each session by this app.

allauth itself loads the session of a token.  Its own strategies check only that the session exists.
So an ended session could still be used, and its JSON Web Token could be refreshed.
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
    """Check each session of a token strategy.  Put it to the left of the strategy class."""

    def lookup_session(self, session_token: str) -> SessionBase | None:
        """Return the session of the token; None if there is none.

        If the session has ended, or owes a code, nobody is signed in in it.
        """
        session: SessionBase | None = super().lookup_session(session_token)  # type: ignore[misc]
        if session is not None:
            # A policy of the site may look at the address, say.
            request_of_session(session, request=context.request)
        return session


class SessionTokenStrategy(LiveSessionMixin, sessions.SessionTokenStrategy):
    """The strategy for ``X-Session-Token``."""


class JWTTokenStrategy(LiveSessionMixin, jwt.JWTTokenStrategy):
    """The strategy with an access token and a refresh token, for complete logins.

    The claims ``amr`` and ``mfa_at`` of the access token describe the second factor of the login.
    """

    # allauth creates a new strategy object for each use, so it can keep this state.
    _mfa: RequestMFA | None = None

    def create_access_token_payload(self, request: HttpRequest) -> dict[str, Any] | None:
        """Return the tokens; None if the session owes a code."""
        return super().create_access_token_payload(request) if self._look(request.session) else None

    def refresh_token(self, refresh_token: str) -> tuple[str, str] | None:
        """Return the new tokens; None if the session has ended, or owes a code.

        The session is always checked with the database, whatever ``RECHECK_SECONDS`` is.
        """
        validated = internal.validate_refresh_token(refresh_token)
        if validated is None or not self._look(validated[1], anew=True):
            return None
        return super().refresh_token(refresh_token)

    def get_claims(self, user: Any) -> dict[str, Any]:
        """Return the claims of the access token.  Everybody who has the token can read them.

        A subclass can add its own claims.
        """
        mfa, claims = self._mfa, super().get_claims(user)
        if mfa is None or mfa.verified_at is None or mfa.method == "trusted_browser":
            return claims
        shown = claims_of(LoginProof(user=user, method=mfa.method, verified_at=mfa.verified_at))
        # The first factor may not have been a password.
        shown["amr"] = ["mfa", *shown["amr"][1:]]
        return {**claims, **shown}

    def _look(self, session: SessionBase, *, anew: bool = False) -> bool:
        """Return whether the login of the session is complete.  Keep its state for the claims."""
        checked = request_of_session(session, request=context.request, anew=anew)
        self._mfa = checked.mfa
        return checked.user.is_authenticated
