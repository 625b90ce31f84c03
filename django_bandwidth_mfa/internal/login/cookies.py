"""Small signed cookies.  Each is valid only in the session in which it was created."""

from __future__ import annotations

from typing import Any

from django.conf import settings as django_settings
from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase


def sign(request: HttpRequest, salt: str, value: object) -> str:
    """Return ``value`` as a text that is signed for the session of ``request``."""
    return signing.dumps(value, salt=_salt(request, salt))


def read(request: HttpRequest, name: str, salt: str, *, max_age: int) -> Any:
    """Return the value of the cookie ``name``; None if it is missing or not valid.

    It is valid if it was signed for this session, at most ``max_age`` seconds ago.
    """
    try:
        return signing.loads(
            request.COOKIES.get(name, ""), salt=_salt(request, salt), max_age=max_age
        )
    except (signing.BadSignature, ValueError, TypeError):
        return None


def put(response: HttpResponseBase, name: str, value: str, *, max_age: int) -> None:
    """Set the cookie for ``max_age`` seconds, with the path and domain of the session cookie."""
    response.set_cookie(
        name,
        value,
        max_age=max_age,
        path=django_settings.SESSION_COOKIE_PATH,
        domain=django_settings.SESSION_COOKIE_DOMAIN,
        secure=bool(django_settings.SESSION_COOKIE_SECURE),
        httponly=True,
        samesite="Lax",
    )


def drop(response: HttpResponseBase, name: str) -> None:
    """Delete the cookie ``name``."""
    response.delete_cookie(
        name,
        path=django_settings.SESSION_COOKIE_PATH,
        domain=django_settings.SESSION_COOKIE_DOMAIN,
        samesite="Lax",
    )


def _salt(request: HttpRequest, salt: str) -> str:
    # A login changes the session key, so a cookie from before the login is not valid after it.
    return f"{salt}:{request.session.session_key or ''}"
