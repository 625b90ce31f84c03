"""Responses that name the next page or the next URL of the JSON API.

::

    {"detail": "A code is needed here.", "code": "code_required",
     "next": {"page": "/mfa/verify/", "api": "/mfa/api/send"}}

``code`` is a key of :data:`django_bandwidth_mfa.api.ERRORS`.  ``next.page`` is for browsers; it is
missing if only a token can help.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, reverse

from ... import service
from ...api import ERRORS
from ...request import mfa_of, visitor
from ...verification import LoginProof

__all__ = ["next_step", "next_step_of_session", "next_step_of_token", "token_required"]

Body = dict[str, Any]


def next_step(request: HttpRequest) -> Body:
    """Return the next step for a visitor with a session, or for an anonymous visitor."""
    if mfa_of(request).is_on_behalf:
        return body("on_behalf")
    user = visitor(request)
    if user is None:
        return body("sign_in_required", page=_login_page(), api=address("api_login"))
    if service.has_phone(user):
        return body("code_required", page=address("verify"), api=address("api_send"))
    return body("phone_required", page=address("phone_add"), api=address("api_phone_add"))


def next_step_of_session(request: HttpRequest) -> Body:
    """Return the next step for a client whose session came with a token of allauth.

    :param request: a request from :func:`.request.request_of_session`.
    """
    if mfa_of(request).is_on_behalf:
        return body("on_behalf")
    user = visitor(request)
    if user is None or service.has_phone(user):
        return body("code_required", api=_address_for_apps("api_send"))
    return body("phone_required", api=_address_for_apps("api_phone_add"))


def next_step_of_token(proof: LoginProof) -> Body:
    """Return the next step for a client with a token: sign in again, with a code.

    A user without a phone adds one first.  A login at the JSON API adds it if the user owes a code;
    otherwise only the page does.
    """
    api = address("api_login")
    if proof.method is not None and not service.is_in_force(proof):
        return body("session_ended", api=api)
    if service.has_phone(proof.user):
        return body("code_required", api=api)
    return body("phone_required", page=address("phone_add"), api=api)


def token_required() -> Body:
    """Return the next step for a client at a view that accepts no sessions."""
    return body("sign_in_required", api=address("api_login"))


def body(code: str, **following: str | None) -> Body:
    """Return a response body with an error of the JSON API, and the next step."""
    content: Body = {"detail": str(ERRORS[code].message), "code": code}
    following = {name: where for name, where in following.items() if where is not None}
    return {**content, "next": following} if following else content


def address(name: str) -> str:
    """Return the URL of a page of the app, or of the JSON API."""
    return reverse(f"bandwidth_mfa:{name}")


def _address_for_apps(name: str) -> str | None:
    """Return the URL for clients with ``X-Session-Token``; None if the site has none."""
    try:
        return reverse(f"bandwidth_mfa_allauth:app:{name}")
    except NoReverseMatch:
        return None


def _login_page() -> str | None:
    try:
        return resolve_url(settings.LOGIN_URL)
    except NoReverseMatch:
        return None
