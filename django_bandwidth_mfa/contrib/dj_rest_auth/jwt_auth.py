"""Classes for dj-rest-auth's JSON Web Tokens in cookies."""

from __future__ import annotations

from typing import Any

from dj_rest_auth import jwt_auth
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from ..rest_framework.authentication import CodeRequiredMixin
from ..simplejwt.serializers import TokenRefreshSerializer

__all__ = ["CookieTokenRefreshSerializer", "JWTCookieAuthentication", "get_refresh_view"]


class JWTCookieAuthentication(CodeRequiredMixin, jwt_auth.JWTCookieAuthentication):
    """Refuse tokens whose login owes a code, or has ended.

    A token in the header is answered with 401.  One in the cookie counts as no token.
    """

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        try:
            return super().authenticate(request)
        except AuthenticationFailed:
            if self.get_header(request) is not None:
                raise
            # The browser sends its cookie to the login and to the logout, too, and no script can
            # take it away.  A 401 there would shut its user out until the token expires.
            return None


class CookieTokenRefreshSerializer(jwt_auth.CookieTokenRefreshSerializer, TokenRefreshSerializer):
    """Refuse to refresh a token whose login has ended."""


def get_refresh_view() -> Any:
    """Return dj-rest-auth's refresh view, with a check that the login is still valid."""
    view = jwt_auth.get_refresh_view()
    return type(view.__name__, (view,), {"serializer_class": CookieTokenRefreshSerializer})
