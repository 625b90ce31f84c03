"""Decorators that require a code, or suggest to add a phone, before a view."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from functools import wraps
from typing import TypeVar, cast, overload

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from .internal.login.mark import (
    note_need_of_code,
    note_offer_of_a_phone,
    was_offered_a_phone,
)
from .internal.login.redirects import default_page, redirect_to_second_factor, with_next
from .internal.phones import suggestion
from .request import mfa_of, visitor
from .verification import CODE_METHODS

__all__ = ["mfa_required", "mfa_suggested"]

View = TypeVar("View", bound=Callable[..., object])


@overload
def mfa_required(
    view: View, *, max_age: float | None = None, methods: Collection[str] | None = None
) -> View: ...
@overload
def mfa_required(
    view: None = None, *, max_age: float | None = None, methods: Collection[str] | None = None
) -> Callable[[View], View]: ...
def mfa_required(
    view: Callable[..., object] | None = None,
    *,
    max_age: float | None = None,
    methods: Collection[str] | None = None,
) -> object:
    """Require a verified session for ``view``, which may be sync or async.

    ::

        @mfa_required(max_age=60)
        def transfer(request): ...

    An anonymous visitor is redirected to the login page, a user without a phone to the page that
    adds one, and any other user to the code page.  Each of these pages leads back to the view.

    :param max_age: the greatest age of the second factor, in seconds; None for any age.  With a
        ``max_age``, a trusted browser is not enough.
    :param methods: the second factor must be one of these methods; None for any method.  With
        ``{"sms", "voice"}`` Bandwidth itself must have verified a code: a recovery code, a trusted
        browser and a factor of the site's own are not enough.  Both of these names are required,
        because users choose the channel.
    :raises ValueError: ``methods`` does not contain both ``"sms"`` and ``"voice"``.
    """
    check_methods(methods)
    if view is None:
        return lambda view: mfa_required(view, max_age=max_age, methods=methods)

    def passes(request: HttpRequest) -> bool:
        return mfa_of(request).is_verified(max_age, methods=methods)

    def answer(request: HttpRequest) -> HttpResponse:
        return lead_to_code(request, methods=methods)

    return _guarded(view, passes, answer)


def check_methods(methods: Collection[str] | None) -> None:
    """Check that ``methods`` contains the methods of a code by phone.

    :raises ValueError: ``"sms"`` or ``"voice"`` is missing.
    """
    if methods is not None and not set(methods) >= CODE_METHODS:
        raise ValueError(f'methods must contain "sms" and "voice"; it is {methods!r}.')


def mfa_suggested(view: View) -> View:
    """Suggest to add a phone, now and then, to signed-in users who do not need one.

    ::

        @login_required
        @mfa_suggested
        def account(request): ...

    The suggestion is a page of its own, with a button "not now".  It is shown once in a session,
    and not again for 30 days after "not now".  Only GET requests are interrupted.  The view may be
    sync or async.
    """
    return _guarded(view, _needs_no_offer, _offer)


def _needs_no_offer(request: HttpRequest) -> bool:
    return (
        request.method != "GET"
        or mfa_of(request).is_on_behalf
        or mfa_of(request).state != "exempt"
        or was_offered_a_phone(request.session)
    )


def _offer(request: HttpRequest) -> HttpResponse | None:
    note_offer_of_a_phone(request.session)
    if not suggestion.may_suggest(request.user):
        return None
    return redirect(with_next("suggestion", request.get_full_path()))


def _guarded(
    view: View,
    passes: Callable[[HttpRequest], bool],
    answer: Callable[[HttpRequest], HttpResponse | None],
) -> View:
    """Return ``view`` with a check before it.

    :param passes: whether a request goes to the view at once.  It reads the session at most, so an
        async view calls it without a thread.
    :param answer: returns the response to any other request; None if the view is called after all.
    """
    if iscoroutinefunction(view):

        @wraps(view)
        async def awrapped(request: HttpRequest, *args: object, **kwargs: object) -> object:
            await request.auser()
            if not passes(request):
                response = await sync_to_async(answer)(request)
                if response is not None:
                    return response
            return await cast(Awaitable[object], view(request, *args, **kwargs))

        return cast(View, awrapped)

    @wraps(view)
    def wrapped(request: HttpRequest, *args: object, **kwargs: object) -> object:
        response = None if passes(request) else answer(request)
        return view(request, *args, **kwargs) if response is None else response

    return cast(View, wrapped)


def refuse_on_behalf(request: HttpRequest) -> HttpResponse:
    """Return the page, with status 403, that refuses somebody who acts on behalf of a user."""
    context = {"home": default_page(request), "user_name": request.user.get_username()}
    return render(request, "bandwidth_mfa/on_behalf.html", context, status=403)


def lead_to_code(request: HttpRequest, *, methods: Collection[str] | None = None) -> HttpResponse:
    """Return a redirect to the page on which the visitor is verified; it leads back here.

    People who act on behalf of a user get an error page instead, because a code would go to that
    user.

    :param methods: the methods that the view accepts; None for any method.
    """
    if mfa_of(request).is_on_behalf:
        return refuse_on_behalf(request)
    here = request.get_full_path()
    if methods is not None and "recovery_code" not in methods and request.user.is_authenticated:
        note_need_of_code(request.session, here)
    return redirect_to_second_factor(visitor(request), here)
