"""Ask for a code, or offer to, in front of a view."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, overload

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from .internal.login.mark import note_offer_of_a_phone, was_offered_a_phone
from .internal.login.redirects import redirect_to_second_factor, with_next
from .internal.phones import suggestion
from .request import mfa_of, visitor

__all__ = ["mfa_required", "mfa_suggested"]

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
    return _guarded(view, lambda request: mfa_of(request).is_verified(max_age), lead_to_code)


def mfa_suggested(view: View) -> View:
    """Offer a phone, now and then, to signed-in users whom nothing obliges to have one.

    ::

        @login_required
        @mfa_suggested
        def account(request): ...

    The offer is a page of its own, with "not now": once a session, and not again within
    ``SUGGEST_DAYS`` of that answer.  Only a GET is interrupted.  Sync and async views alike.
    """
    guarded: View = _guarded(view, _needs_no_offer, _offer)
    return guarded


def _needs_no_offer(request: HttpRequest) -> bool:
    return (
        request.method != "GET"
        or mfa_of(request).state != "exempt"
        or was_offered_a_phone(request.session)
    )


def _offer(request: HttpRequest) -> HttpResponse | None:
    note_offer_of_a_phone(request.session)
    if not suggestion.may_suggest(request.user):
        return None
    return redirect(with_next("suggestion", request.get_full_path()))


def _guarded(
    view: Any,
    passes: Callable[[HttpRequest], bool],
    answer: Callable[[HttpRequest], HttpResponse | None],
) -> Any:
    """``view``, behind ``answer`` for whoever does not pass; an answer of None lets them, too.

    ``passes`` asks the session at most, so that in an async view it needs no thread.
    """
    if iscoroutinefunction(view):

        @wraps(view)
        async def awrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            await request.auser()
            if not passes(request):
                answered = await sync_to_async(answer)(request)
                if answered is not None:
                    return answered
            return await view(request, *args, **kwargs)

        return awrapped

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        answered = None if passes(request) else answer(request)
        return view(request, *args, **kwargs) if answered is None else answered

    return wrapped


def lead_to_code(request: HttpRequest) -> HttpResponse:
    """Return the redirect on which the visitor becomes verified, and then comes back."""
    return redirect_to_second_factor(visitor(request), request.get_full_path())
