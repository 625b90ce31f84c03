"""The middleware that makes ``request.user.is_verified()`` true for our own verified sessions."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject
from django_otp.middleware import is_verified

from ...request import mfa_of

__all__ = ["IsVerifiedMiddleware"]


class IsVerifiedMiddleware:
    """Make ``request.user.is_verified()`` true in a session that this app has verified.

    Put it after ``django_otp.middleware.OTPMiddleware``.  A session that a device of django-otp has
    verified still counts.  ``user.otp_device`` is set only for such a device.
    """

    sync_capable = True
    async_capable = True

    def __init__(
        self,
        get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]],
    ) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        user: Any = request.user
        auser = request.auser

        def look(visitor: Any) -> Any:
            visitor.is_verified = _IsVerified(request, visitor)
            # The look at an anonymous visitor puts others into the request, which know nothing of
            # django-otp.
            if visitor.is_anonymous:
                request.user, request.auser = visitor, truthful
            return visitor

        async def truthful() -> Any:
            return look(await auser())

        request.user = SimpleLazyObject(lambda: look(user))  # type: ignore[assignment]
        request.auser = truthful
        return self.get_response(request)


class _IsVerified:
    """The function ``user.is_verified``, which reads the session only when it is called."""

    def __init__(self, request: HttpRequest, user: Any) -> None:
        self._request = request
        self._user = user

    def __call__(self) -> bool:
        return bool(is_verified(self._user)) or mfa_of(self._request).is_verified()

    def __reduce__(self) -> tuple[Any, ...]:
        # A request cannot be pickled, so a pickled user has only django-otp's own function.
        return functools.partial, (is_verified, self._user)
