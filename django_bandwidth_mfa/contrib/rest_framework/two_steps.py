"""Token logins in two steps, for each kind of token.

1. The password is answered with 202 and a login ticket.  No token is made.
2. The client gives the code at the JSON API, with the ticket, and gets a completion there.
3. The client sends the completion to the same address as the password, and gets the token.

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
    """The password was right, and a code is owed: the answer is 202, with a ticket.

    It is an exception so that no view goes on and makes a token.
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
        # Not the answer, for errors are logged: its ticket stands for the password.
        return "A code is owed."


class CompletionMixin(serializers.Serializer):
    """A serializer that takes a completion in place of a password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["completion"] = serializers.CharField(write_only=True, required=False)
        given = getattr(self, "initial_data", None)
        if isinstance(given, Mapping) and "completion" in given:
            for name, field in self.fields.items():
                field.required = name == "completion"

    @sensitive_variables()
    def after_password(self, user: Any) -> Any:
        """Return ``user``, whose password was right, for a token to be made.

        :raises CodeOwed: a code is owed first.
        """
        request = django_request(self.context.get("request"))
        login = service.begin_login(user, backend=_backend_of(user), request=request)
        if isinstance(login, PendingLogin):
            raise CodeOwed(login)
        return _carry(login)

    @sensitive_variables()
    def after_code(self, completion: str) -> Any:
        """Return the user of ``completion``, for a token to be made.

        :raises AuthenticationFailed: the completion does not count, or counts no more.
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
    """Return the login that :class:`CompletionMixin` has found for ``user``, for their token."""
    found: LoginProof | None = vars(user).get("mfa_login")
    return LoginProof(user=user) if found is None else found


def _carry(login: CompletedLogin) -> Any:
    # The package makes the token from the user alone.
    user: Any = login.user
    user.mfa_login = login
    user.backend = login.backend
    return user


def _backend_of(user: Any) -> str:
    """Return the backend that took the password.  ``authenticate()`` has noted it."""
    backend: str | None = getattr(user, "backend", None)
    if backend is not None:
        return backend
    if len(settings.AUTHENTICATION_BACKENDS) == 1:
        return str(settings.AUTHENTICATION_BACKENDS[0])
    raise ImproperlyConfigured("The user must have been found by authenticate().")
