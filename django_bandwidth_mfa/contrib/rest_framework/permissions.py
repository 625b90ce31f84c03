"""Permissions that require a second factor.

::

    class Transfer(APIView):
        permission_classes = [RecentlyVerified(60)]

They work with sessions, and with tokens of REST framework, simplejwt and allauth.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request

from ...decorators import check_methods
from .answers import next_step, next_step_of_session, next_step_of_token
from .proofs import is_by_session, is_verified, proof_of, request_with_session

__all__ = ["IsVerified", "RecentlyVerified"]


class IsVerified(IsAuthenticated):
    """Require a login that has passed a second factor.

    For any other signed-in user, the response names the next step.
    """

    max_age: float | None = None
    methods: Collection[str] | None = None
    """The methods that are accepted, such as ``{"sms", "voice"}``; None for any method."""

    message: Any = None

    def has_permission(self, request: Request, view: Any) -> bool:
        if not super().has_permission(request, view):
            return False
        if is_verified(request, self.max_age, methods=self.methods):
            return True
        with_session = request_with_session(request)
        if is_by_session(request):
            self.message = next_step(request)
        elif with_session is not None:
            self.message = next_step_of_session(with_session)
        else:
            self.message = next_step_of_token(proof_of(request.user, request.auth))
        return False


def RecentlyVerified(  # noqa: N802  it stands for a class
    max_age: float | None = None, *, methods: Collection[str] | None = None
) -> type[IsVerified]:
    """Return a permission that requires a code in the last ``max_age`` seconds.

    A token cannot be verified again.  Its client must sign in again, and gets another token.

    :param max_age: the greatest age of the second factor, in seconds; None for any age.
    :param methods: the second factor must be one of these methods; None for any method.  With
        ``{"sms", "voice"}`` only codes that Bandwidth has verified count.
    :raises ValueError: ``methods`` does not contain both ``"sms"`` and ``"voice"``.
    """
    check_methods(methods)
    return type("RecentlyVerified", (IsVerified,), {"max_age": max_age, "methods": methods})
