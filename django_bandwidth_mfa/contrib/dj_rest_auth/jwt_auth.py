"""dj-rest-auth's JSON Web Tokens in cookies."""

from __future__ import annotations

from typing import Any

from dj_rest_auth import jwt_auth

from ..rest_framework.authentication import CodeRequiredMixin
from ..simplejwt.serializers import TokenRefreshSerializer

__all__ = ["CookieTokenRefreshSerializer", "JWTCookieAuthentication", "get_refresh_view"]


class JWTCookieAuthentication(CodeRequiredMixin, jwt_auth.JWTCookieAuthentication):
    """Refuses what skipped the code."""


class CookieTokenRefreshSerializer(jwt_auth.CookieTokenRefreshSerializer, TokenRefreshSerializer):
    """Refreshes no token whose login has ended."""


def get_refresh_view() -> Any:
    """Return dj-rest-auth's view for the refresh, which asks whether the login is in force."""
    view = jwt_auth.get_refresh_view()
    return type(view.__name__, (view,), {"serializer_class": CookieTokenRefreshSerializer})
