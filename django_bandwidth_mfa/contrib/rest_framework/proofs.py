"""The login of a request of REST framework, and its second factor.

Only the session or the token that has authenticated the request counts.  A session beside a token
is ignored, and so is a token beside a session.
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
    """The claims of a token that belongs to a session.  The session has the data of the login.

    An authentication class has checked the token, and has loaded the session.
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
    """Return whether the login of ``request`` has passed a second factor that is still valid.

    :param max_age: the greatest age of the second factor, in seconds; None for any age.
    :param methods: the second factor must be one of these methods; None for any method.
    """
    with_session = request_with_session(request)
    if with_session is not None:
        return mfa_of(with_session).is_verified(max_age, methods=methods)
    proof = proof_of(request.user, request.auth)
    return service.is_verified(proof, max_age=max_age, methods=methods)


def request_with_session(request: Request) -> HttpRequest | None:
    """Return a request with the session that has authenticated ``request``; None if none has.

    The session came with its cookie, or with a token of allauth.
    """
    if is_by_session(request):
        return django_request(request)
    auth = request.auth
    session = auth.session if isinstance(auth, TokenOfSession) else auth
    if isinstance(session, SessionBase):
        return request_of_session(session, request=django_request(request))
    return None


def is_by_session(request: Request) -> bool:
    """Return whether the session of the cookie has authenticated the request."""
    return isinstance(request.successful_authenticator, SessionAuthentication)


def proof_of(user: Any, auth: Any) -> LoginProof:
    """Return the login of a token.

    :param user: ``request.user``, from an authentication class.
    :param auth: ``request.auth``: a token of REST framework or of simplejwt.
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
    """Return Django's request inside a request of REST framework."""
    inner: HttpRequest | None = getattr(request, "_request", request)
    return inner


def _is_of_simplejwt(auth: object) -> bool:
    tokens = sys.modules.get("rest_framework_simplejwt.tokens")
    return tokens is not None and isinstance(auth, tokens.Token)


def _as_model(user: Any, token: Any) -> Any:
    """Return the database row of ``user``.

    simplejwt's ``TokenUser`` is created from the claims alone.  If the user was deleted, an
    inactive user is returned.
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
