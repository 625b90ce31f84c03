"""Ask for a code in front of a view."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, overload

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from .models import Phone
from .redirects import login_url, with_next
from .sessions import mfa_of

View = TypeVar("View", bound=Callable[..., Any])


@overload
def mfa_required(view: View, *, max_age: float | None = None) -> View: ...
@overload
def mfa_required(view: None = None, *, max_age: float | None = None) -> Callable[[View], View]: ...
def mfa_required(view: Any = None, *, max_age: float | None = None) -> Any:
    """Let only a verified session through; with ``max_age``, one verified in as many seconds.

    ::

        @mfa_required(max_age=60)
        def transfer(request): ...

    Anybody else is led there: an anonymous visitor to the login page, a user without a phone to
    enrol one, any other to the code page, and all of them back again.  A trusted browser satisfies
    no ``max_age``.  Sync and async views alike.
    """
    if view is None:
        return lambda view: mfa_required(view, max_age=max_age)

    if iscoroutinefunction(view):

        @wraps(view)
        async def awrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            await request.auser()
            if not mfa_of(request).is_verified(max_age):
                return await sync_to_async(lead_to_code)(request)
            return await view(request, *args, **kwargs)

        return awrapped

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not mfa_of(request).is_verified(max_age):
            return lead_to_code(request)
        return view(request, *args, **kwargs)

    return wrapped


def lead_to_code(request: HttpRequest, here: str | None = None) -> HttpResponse:
    """The redirect on which ``request``'s visitor becomes verified.

    :param here: where they come back to; None: where they are.
    """
    here = here or request.get_full_path()
    state = mfa_of(request).state
    if state == "anonymous":
        return redirect_to_login(here, login_url())
    user = mfa_of(request).pending_user if state == "parked" else request.user
    page = "verify" if Phone.objects.has_confirmed(user) else "phone_add"
    return redirect(with_next(page, here))
