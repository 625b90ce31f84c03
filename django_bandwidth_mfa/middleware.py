"""The middleware that checks the second factor of each session."""

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
    """Set ``request.mfa``, and redirect a parked login to the code page.

    Put it after ``AuthenticationMiddleware``.  The session is checked when ``request.user`` is
    first used.  So a view that never uses ``request.user`` costs no query, and a verified session
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
            # Django runs a sync `process_view` in a thread, so an async one takes its place.  If a
            # subclass has a method of its own, it is kept.
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
            # allauth replaces the session of the request by that of its token.  The user of the
            # cookie's session may have been loaded before.
            user_now: Any = user if request.session is session else get_user(request)
            return recheck_request(request, user_now)

        async def arechecked() -> Any:
            current: Any = request.user
            if current is ours:
                # Nothing has replaced `request.user` since.  A middleware before this one may have
                # replaced it, and Django's `auser` does not know about that.
                current = await auser() if isinstance(user, SimpleLazyObject) else user
            if isinstance(current, SimpleLazyObject) or not is_settled(request.session, current):
                current = await sync_to_async(recheck_request)(request, current)
            else:
                request.user = current
            # A coroutine may use request.mfa after this, and must not query.  So the pending user
            # is loaded here.
            if PARKED in request.session:
                await sync_to_async(getattr)(mfa_of(request), "pending_user")
            return current

        ours = _LazyUser(rechecked)
        request.user = ours  # type: ignore[assignment]
        request.auser = arechecked

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> HttpResponse | None:
        """Redirect a parked login from a login page to the code page.

        An earlier middleware may have logged a user in and set ``request.user``.  If that login was
        parked, ``request.user`` becomes anonymous before the view runs.
        """
        if request.META.pop(JUST_PARKED, False):
            make_anonymous(request)
        if request.method in ("GET", "HEAD") and is_for_login_page(request):
            return self._lead_from_login_page(request)
        return None

    async def _aprocess_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> HttpResponse | None:
        """Do what :meth:`process_view` does, in async code.  Only a login page needs a thread."""
        # A lazy LOGIN_URL runs code of the site, which may query the database.
        is_get = request.method in ("GET", "HEAD")
        if is_get and (is_login_url_lazy() or is_for_login_page(request)):
            in_thread = sync_to_async(BandwidthMFAMiddleware.process_view)
            return await in_thread(self, request, view, args, kwargs)
        if request.META.pop(JUST_PARKED, False):
            make_anonymous(request)
        return None

    def _lead_from_login_page(self, request: HttpRequest) -> HttpResponse | None:
        """Return a redirect to the code page if a login is parked; otherwise None."""
        if not request.session.get(PARKED) or pending_user(request.session) is None:
            return None
        wanted = request.GET.get("next", "")
        if is_local(request, wanted):
            update_parked(request.session, next=wanted)
        return redirect("bandwidth_mfa:verify")

    def _lead_to_code(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Return the response of a login view, with a redirect replaced by one to the code page.

        Any other response is returned unchanged: the password alone was enough for what it
        contains.
        """
        del request.META[JUST_PARKED]
        make_anonymous(request)
        if 300 <= response.status_code < 400 and response.has_header("Location"):
            location = urljoin(request.get_full_path(), response["Location"])
            update_parked(request.session, next=target_of_login(request, location))
            # The response keeps its cookies and headers.  The status becomes 302, because a browser
            # repeats the POST, with the password, after a 307.
            response.status_code = 302
            response["Location"] = reverse("bandwidth_mfa:verify")
        return response


class _LazyUser(SimpleLazyObject):  # type: ignore[type-arg]
    """A ``SimpleLazyObject`` that is created in a third of the time.  Each request creates one."""

    _wrapped = empty

    def __init__(self, func: Callable[[], Any]) -> None:
        # Django's class sets it with `self.__dict__`, which goes through its slower attribute
        # lookup.
        object.__getattribute__(self, "__dict__")["_setupfunc"] = func
