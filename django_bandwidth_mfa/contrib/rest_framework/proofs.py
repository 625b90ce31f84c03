"""Which login stands behind a request of REST framework, and what it has shown.

What signed the request in decides.  A session that comes beside a token counts for nothing, and so
does a token beside a session.
"""

from __future__ import annotations

import sys
from collections.abc import Collection
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.base import SessionBase
from django.db import router
from django.http import HttpRequest
from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request

from ... import service
from ...request import mfa_of, request_of_session
from ...verification import LoginProof
from .claims import proof_of_claims

__all__ = [
    "TokenOfSession",
    "is_by_session",
    "is_verified",
    "proof_of",
    "request_with_session",
    "user_of_claims",
]


class TokenOfSession(dict[str, Any]):
    """The claims of a token that belongs to a session, which says what the login has shown.

    A class of authentication has checked the token, and found the session.
    """

    def __init__(self, claims: dict[str, Any], session: SessionBase) -> None:
        super().__init__(claims)
        self.session = session


def is_verified(
    request: Request,
    max_age: float | None = None,
    *,
    methods: Collection[str] | None = None,
) -> bool:
    """Return whether a second factor passed in the login behind ``request``, and nothing has undone
    it.

    :param max_age: only count one of the last so many seconds.
    :param methods: only count one of these methods; None for any.
    """
    with_session = request_with_session(request)
    if with_session is not None:
        return mfa_of(with_session).is_verified(max_age, methods=methods)
    proof = proof_of(request.user, request.auth)
    return service.is_verified(proof, max_age=max_age, methods=methods)


def request_with_session(request: Request) -> HttpRequest | None:
    """Return a request with the session that has signed ``request`` in; None if none has.

    It came with its cookie, or with a token of allauth.
    """
    if is_by_session(request):
        return django_request(request)
    auth = request.auth
    session = auth.session if isinstance(auth, TokenOfSession) else auth
    if isinstance(session, SessionBase):
        return request_of_session(session, request=django_request(request))
    return None


def is_by_session(request: Request) -> bool:
    """Return whether the session of the cookie has signed the request in."""
    return isinstance(request.successful_authenticator, SessionAuthentication)


def proof_of(user: Any, auth: Any) -> LoginProof:
    """Return what the login behind a token has shown.

    :param user: ``request.user``, as a class of authentication returns it.
    :param auth: ``request.auth``: a token of REST framework, or one of simplejwt.
    """
    if _is_of_simplejwt(auth):
        return proof_of_claims(auth.payload, _as_model(user, auth))
    key = getattr(auth, "key", None)
    if isinstance(key, str) and apps.is_installed("django_bandwidth_mfa.contrib.rest_framework"):
        from .models import TokenLogin

        kept = TokenLogin.objects.of_key(key).filter(user=user).first()
        if kept is not None:
            return kept.proof_of(user)
    return LoginProof(user=user)


def django_request(request: Any) -> HttpRequest | None:
    """Return the request of Django inside one of REST framework."""
    found: HttpRequest | None = getattr(request, "_request", request)
    return found


def _is_of_simplejwt(auth: object) -> bool:
    tokens = sys.modules.get("rest_framework_simplejwt.tokens")
    return tokens is not None and isinstance(auth, tokens.Token)


def _as_model(user: Any, token: Any) -> Any:
    """Return the row of ``user``.

    simplejwt's ``TokenUser`` is made from the claims alone.  A token whose user is gone has a user
    who is not active.
    """
    model = get_user_model()
    if isinstance(user, model):
        return user
    return user_of_claims(token.payload) or model(is_active=False)


def user_of_claims(payload: dict[str, Any]) -> Any | None:
    """Return the user whom a token of simplejwt names, read where users are written.

    A replica may not know yet that they were deactivated, or have another password.
    """
    from rest_framework_simplejwt.settings import api_settings

    model = get_user_model()
    users = model._default_manager.using(router.db_for_write(model))
    wanted = {api_settings.USER_ID_FIELD: payload.get(api_settings.USER_ID_CLAIM)}
    return users.filter(**wanted).first()
