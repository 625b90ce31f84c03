"""Token logins in two steps, for each kind of token.

1. The response to the password is 202 with a login ticket.  No token is created.  2. The client
sends the code and the ticket to the JSON API, and gets a completion.  3. The client sends the
completion to the same URL as the password, and gets the token.

A user who owes no code gets the token in the first step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.views.decorators.debug import sensitive_variables
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, AuthenticationFailed

from ... import service
from ...exceptions import TicketInvalid
from ...verification import CompletedLogin, LoginProof, PendingLogin
from .answers import address, body
from .proofs import django_request

__all__ = ["CodeOwed", "CompletionMixin", "login_of"]


class CodeOwed(APIException):
    """The password was right, and a code is owed: the response is 202, with a ticket.

    It is an exception, so that no view continues and creates a token.
    """

    status_code = status.HTTP_202_ACCEPTED

    @sensitive_variables()
    def __init__(self, pending: PendingLogin) -> None:
        following = "api_send" if pending.needs == "code" else "api_phone_add"
        self.detail = {
            "state": "parked",
            "needs": pending.needs,
            "ticket": pending.ticket,
            "next": {"api": address(following)},
        }

    def __str__(self) -> str:
        # The text must not contain the ticket, because errors are logged, and the ticket replaces
        # the password.
        return "A code is owed."


class CompletionMixin(serializers.Serializer):
    """A serializer that accepts a completion in place of a password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["completion"] = serializers.CharField(write_only=True, required=False)
        data = getattr(self, "initial_data", None)
        if isinstance(data, Mapping) and "completion" in data:
            for name, field in self.fields.items():
                field.required = name == "completion"

    @sensitive_variables()
    def after_password(self, user: Any) -> Any:
        """Return ``user`` after a right password, for the creation of a token.

        :raises CodeOwed: a code is owed first.
        """
        request = django_request(self.context.get("request"))
        login = service.begin_login(user, backend=_backend_of(user), request=request)
        if isinstance(login, PendingLogin):
            raise CodeOwed(login)
        return _carry(login)

    @sensitive_variables()
    def after_code(self, completion: str) -> Any:
        """Return the user of ``completion``, for the creation of a token.

        :raises AuthenticationFailed: the completion is not valid, or is no longer valid.
        """
        request = django_request(self.context.get("request"))
        try:
            login = service.redeem_completion(completion, request=request, check=self.check_user)
            return _carry(login)
        except TicketInvalid:
            refusal = body("ticket_invalid", api=address("api_login"))
            raise AuthenticationFailed(refusal) from None

    def check_user(self, user: Any) -> None:
        """Refuse a user whom the package lets in by no password.  This one refuses nobody.

        The password may have been given to the JSON API, which knows no rules of other packages.

        :raises APIException: the user is refused.
        """


def login_of(user: Any) -> LoginProof:
    """Return the login that :class:`CompletionMixin` has stored on ``user``."""
    login: LoginProof | None = vars(user).get("mfa_login")
    return LoginProof(user=user) if login is None else login


def _carry(login: CompletedLogin) -> Any:
    # The package creates the token from the user alone, so the login is stored on the user.
    user: Any = login.user
    user.mfa_login = login
    user.backend = login.backend
    return user


def _backend_of(user: Any) -> str:
    """Return the backend that accepted the password, which ``authenticate()`` has stored."""
    backend: str | None = getattr(user, "backend", None)
    if backend is not None:
        return backend
    if len(settings.AUTHENTICATION_BACKENDS) == 1:
        return str(settings.AUTHENTICATION_BACKENDS[0])
    raise ImproperlyConfigured(
        "The user has no backend. Use the user that Django's authenticate() returns."
    )
