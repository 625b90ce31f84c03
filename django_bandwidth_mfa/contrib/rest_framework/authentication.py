"""Authentication that refuses what skipped the code.

A token may have been made elsewhere, by a command or before the app came, and its login may have
ended since.  These classes let a token in only if its login gave a code, or owes none.  The session
needs no such class: it waits for the code by itself.
"""

from __future__ import annotations

from typing import Any

from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from ... import service
from .answers import next_step_of_token
from .proofs import django_request, proof_of

__all__ = ["CodeRequiredMixin", "TokenAuthentication"]


class CodeRequiredMixin:
    """Stands to the left of a class of authentication, and refuses what skipped the code.

    ::

        class CookieAuthentication(CodeRequiredMixin, JWTCookieAuthentication): ...

    The status is 401, and the answer says what comes next.
    """

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        found = super().authenticate(request)  # type: ignore[misc]
        if found is None:
            return None
        user, auth = found
        proof = proof_of(user, auth)
        if not service.is_in_force(proof, request=django_request(request)):
            raise AuthenticationFailed(next_step_of_token(proof))
        return user, auth


class TokenAuthentication(CodeRequiredMixin, authentication.TokenAuthentication):
    """REST framework's tokens."""
