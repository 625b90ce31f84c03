"""The middleware that asks about the second factor of each session."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urljoin

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.contrib.auth import get_user
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import SimpleLazyObject, empty

from .internal.login.ended_keys import end_if_over, may_be_over
from .internal.login.parking import JUST_PARKED, PARKED, pending_user, update_parked
from .internal.login.recheck import is_settled, make_anonymous, recheck_request
from .internal.login.redirects import (
    is_for_login_page,
    is_local,
    is_login_url_lazy,
    target_of_login,
)
from .request import RequestMFA, mfa_of

__all__ = ["BandwidthMFAMiddleware"]


class BandwidthMFAMiddleware:
    """Sets ``request.mfa``, and leads a parked login to the code page.

    It stands after ``AuthenticationMiddleware``.  The session is asked about when ``request.user``
    is first looked at.  So a view that never looks at the user costs no query.  A verified session
    costs none beyond Django's own two.
    """

    sync_capable = True
    async_capable = True

    def __init__(
        self,
        get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]],
    ) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)
            # Django runs a method that is no coroutine function in a thread.  A subclass may have a
            # method of its own, which stays.
            if type(self).process_view is BandwidthMFAMiddleware.process_view:
                self.process_view = self._aprocess_view  # type: ignore[assignment,method-assign]

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self.__acall__(request)
        end_if_over(request.session)
        self._recheck_lazily(request)
        response: Any = self.get_response(request)
        return self._lead_to_code(request, response) if JUST_PARKED in request.META else response

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        if may_be_over(request.session):
            await sync_to_async(end_if_over)(request.session)
        self._recheck_lazily(request)
        response: Any = self.get_response(request)
        response = await response
        return self._lead_to_code(request, response) if JUST_PARKED in request.META else response

    def _recheck_lazily(self, request: HttpRequest) -> None:
        request.mfa = RequestMFA(request)  # type: ignore[attr-defined]
        user, auser, session = request.user, request.auser, request.session

        def rechecked() -> Any:
            # allauth puts another session into the request, that of its token.  The user of the
            # cookie may have been loaded before that.
            found: Any = user if request.session is session else get_user(request)
            return recheck_request(request, found)

        async def arechecked() -> Any:
            found: Any = request.user
            if found is ours:
                # Nobody has put another user into the request since.  Before us, a middleware may
                # have done so, and Django's `auser` does not know of it.
                found = await auser() if isinstance(user, SimpleLazyObject) else user
            if isinstance(found, SimpleLazyObject) or not is_settled(request.session, found):
                found = await sync_to_async(recheck_request)(request, found)
            else:
                request.user = found
            # request.mfa may be asked from a coroutine after this: whatever it would query is here.
            if PARKED in request.session:
                await sync_to_async(getattr)(mfa_of(request), "pending_user")
            return found

        ours = _LazyUser(rechecked)
        request.user = ours  # type: ignore[assignment]
        request.auser = arechecked

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> HttpResponse | None:
        """Before the view: keep a parked login out, and lead it from a login page to the code page.

        An earlier middleware may have logged somebody in and put them into ``request.user``.  They
        do not get past a login that was parked.
        """
        if request.META.pop(JUST_PARKED, False):
            make_anonymous(request)
        if request.method in ("GET", "HEAD") and is_for_login_page(request):
            return self._lead_from_login_page(request)
        return None

    async def _aprocess_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> HttpResponse | None:
        """Do the same in an event loop.  Only a login page takes a thread, for the database."""
        # What a lazy LOGIN_URL means is code of the site, and may ask the database, too.
        is_get = request.method in ("GET", "HEAD")
        if is_get and (is_login_url_lazy() or is_for_login_page(request)):
            in_thread = sync_to_async(BandwidthMFAMiddleware.process_view)
            return await in_thread(self, request, view, args, kwargs)
        if request.META.pop(JUST_PARKED, False):
            make_anonymous(request)
        return None

    def _lead_from_login_page(self, request: HttpRequest) -> HttpResponse | None:
        """Lead a parked login from a login page to the code page."""
        if not request.session.get(PARKED) or pending_user(request.session) is None:
            return None
        wanted = request.GET.get("next", "")
        if is_local(request, wanted):
            update_parked(request.session, next=wanted)
        return redirect("bandwidth_mfa:verify")

    def _lead_to_code(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """After a login that owes a code: send its redirect to the code page.

        Any other answer passes through.  What it tells was earned by the password alone.
        """
        del request.META[JUST_PARKED]
        make_anonymous(request)
        if 300 <= response.status_code < 400 and response.has_header("Location"):
            location = urljoin(request.get_full_path(), response["Location"])
            update_parked(request.session, next=target_of_login(request, location))
            # The answer keeps its cookies and headers; 307 would send the password along.
            response.status_code = 302
            response["Location"] = reverse("bandwidth_mfa:verify")
        return response


class _LazyUser(SimpleLazyObject):  # type: ignore[type-arg]
    """A ``SimpleLazyObject`` that is made in a third of the time.  Each request makes one."""

    _wrapped = empty

    def __init__(self, func: Callable[[], Any]) -> None:
        # As Django's own class does it, without that class's look at each attribute.
        object.__getattribute__(self, "__dict__")["_setupfunc"] = func
