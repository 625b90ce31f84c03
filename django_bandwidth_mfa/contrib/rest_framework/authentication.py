"""Authentication classes that refuse tokens whose login owes a code, or has ended.

A token may have been created by a command, or before the app was installed, and its login may have
ended since.  These classes accept a token only if its login has passed a code, or owes none.
Sessions need no such class, because they are parked.
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
    """Refuse tokens whose login owes a code, or has ended.  Put it to the left of the class.

    ::

        class CookieAuthentication(CodeRequiredMixin, JWTCookieAuthentication): ...

    The status is 401, and the response names the next step.
    """

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        result = super().authenticate(request)  # type: ignore[misc]
        if result is None:
            return None
        user, auth = result
        proof = proof_of(user, auth)
        if not service.is_in_force(proof, request=django_request(request)):
            raise AuthenticationFailed(next_step_of_token(proof))
        return user, auth


class TokenAuthentication(CodeRequiredMixin, authentication.TokenAuthentication):
    """Authentication with REST framework's own tokens."""
