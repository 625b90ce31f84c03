"""REST framework's authentication with the tokens of allauth headless.

Both classes check the session of the token on each request, as for a session with a cookie.
"""

from __future__ import annotations

from typing import Any

from allauth.headless.contrib.rest_framework import authentication
from allauth.headless.tokens.strategies.jwt import internal
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from ...request import request_of_session
from ..rest_framework.answers import body
from ..rest_framework.proofs import TokenOfSession, django_request

__all__ = ["JWTTokenAuthentication", "XSessionTokenAuthentication"]


class XSessionTokenAuthentication(authentication.XSessionTokenAuthentication):
    """Authentication with ``X-Session-Token``.  It also works with allauth's own token strategy."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        user_and_auth = super().authenticate(request)
        if user_and_auth is None:
            return None
        of_session = request_of_session(user_and_auth[1], request=django_request(request))
        if of_session.user.is_authenticated:
            return of_session.user, user_and_auth[1]
        # Older releases of allauth do not have this attribute.
        if not getattr(self, "allow_anonymous_users", True):
            raise AuthenticationFailed(body("session_ended"))
        return None


class JWTTokenAuthentication(authentication.JWTTokenAuthentication):
    """Authentication with allauth's access token.

    The session of the token is always checked, whatever
    ``HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED`` is.
    """

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        self._request = django_request(request)
        user_and_auth: tuple[Any, Any] | None = super().authenticate(request)
        return user_and_auth

    def authenticate_credentials(self, key: str) -> tuple[Any, Any]:
        """Return the user and the claims of a token, after a check of its session.

        :raises AuthenticationFailed: the token or its session is not valid, or the session owes a
            code.
        """
        _user, payload = super().authenticate_credentials(key)
        session = internal.get_token_session(payload)
        if session is not None:
            of_session = request_of_session(session, request=self._request)
            if internal.validate_token_user(payload, session) is not None:
                return of_session.user, TokenOfSession(payload, session)
        raise AuthenticationFailed(body("session_ended"))
