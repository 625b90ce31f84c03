"""The middleware that has ``request.user.is_verified()`` tell of our own logins, too."""

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
    """Makes ``request.user.is_verified()`` true in a session that our second factor has verified.

    It stands after ``django_otp.middleware.OTPMiddleware``.  A device of django-otp that has
    verified the session counts as before.  ``user.otp_device`` is only about such a device.
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

        def look(found: Any) -> Any:
            found.is_verified = _IsVerified(request, found)
            # The look at an anonymous visitor puts others into the request, which know nothing of
            # django-otp.
            if found.is_anonymous:
                request.user, request.auser = found, truthful
            return found

        async def truthful() -> Any:
            return look(await auser())

        request.user = SimpleLazyObject(lambda: look(user))  # type: ignore[assignment]
        request.auser = truthful
        return self.get_response(request)


class _IsVerified:
    """``user.is_verified``.  The session is looked at when it is called, not before."""

    def __init__(self, request: HttpRequest, user: Any) -> None:
        self._request = request
        self._user = user

    def __call__(self) -> bool:
        return bool(is_verified(self._user)) or mfa_of(self._request).is_verified()

    def __reduce__(self) -> tuple[Any, ...]:
        # A request cannot be pickled.  A copy of the user elsewhere has django-otp's own answer.
        return functools.partial, (is_verified, self._user)
