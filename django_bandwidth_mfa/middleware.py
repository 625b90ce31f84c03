"""Where a request meets the session's second factor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings as django_settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, resolve_url
from django.urls import Resolver404, ResolverMatch, get_script_prefix, resolve, reverse
from django.utils.functional import SimpleLazyObject

from . import sessions
from .redirects import is_local
from .request import RequestMFA, mfa_of


class BandwidthMFAMiddleware:
    """Judges ``request.user`` when it is first looked at, and sends a parked login to its code.

    Stands after ``AuthenticationMiddleware``.  A view that never looks at the user costs no query;
    nor does a verified session, beyond Django's own two.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self.__acall__(request)
        self._judge_lazily(request)
        response: HttpResponseBase = self.get_response(request)
        return self._lead_to_code(request, response)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        self._judge_lazily(request)
        response: HttpResponseBase = await self.get_response(request)
        return self._lead_to_code(request, response)

    def _judge_lazily(self, request: HttpRequest) -> None:
        request.mfa = RequestMFA(request)  # type: ignore[attr-defined]
        user, auser = request.user, request.auser

        def judged() -> Any:
            return judge(request, user)

        async def ajudged() -> Any:
            found = await auser()
            if not sessions.is_settled(request.session, found):
                found = await sync_to_async(judge)(request, found)
            else:
                request.user = found
            # request.mfa may be asked from a coroutine after this: whatever it would query is here.
            if sessions.PARKED in request.session:
                await sync_to_async(getattr)(mfa_of(request), "pending_user")
            return found

        request.user = SimpleLazyObject(judged)  # type: ignore[assignment]
        request.auser = ajudged

    def process_view(
        self, request: HttpRequest, view: Any, args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """Before the view: nobody whom an earlier middleware logged in gets past a parked session,
        and a visitor who owes a code and is sent to a login page sees the code page instead."""
        if request.META.pop(sessions.JUST_PARKED, False):
            make_anonymous(request)
        if (
            request.method in ("GET", "HEAD")
            and is_login_page(request.path, request.resolver_match)
            and request.session.get(sessions.PARKED)
            and sessions.pending_user(request.session) is not None
        ):
            wanted = request.GET.get("next", "")
            if is_local(request, wanted):
                sessions.update_parked(request.session, next=wanted)
            return redirect("bandwidth_mfa:verify")
        return None

    def _lead_to_code(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """After a view that logged in someone who owes a code: its redirect goes to the code page.

        Any other answer passes through; what it tells was earned by the password alone.
        """
        if not request.META.pop(sessions.JUST_PARKED, False):
            return response
        make_anonymous(request)
        if 300 <= response.status_code < 400 and response.has_header("Location"):
            location = urljoin(request.get_full_path(), response["Location"])
            sessions.update_parked(request.session, next=destination(request, location))
            # The answer keeps its cookies and headers; 307 would send the password along.
            response.status_code = 302
            response["Location"] = reverse("bandwidth_mfa:verify")
        return response


def judge(request: HttpRequest, user: Any, *, anew: bool = False) -> Any:
    """Make ``request.user`` what :func:`.sessions.judge` says that ``user`` is, and return it."""
    # The site's own policy may look at request.user, and must not come back here.
    request.user = user
    try:
        found = sessions.judge(request.session, user, request, anew=anew)
    except BaseException:
        # Somebody may swallow the error, a template for one; nobody is let in by it.
        make_anonymous(request)
        raise
    if found.is_authenticated:
        request.user = found
    else:
        make_anonymous(request)
    return found


def make_anonymous(request: HttpRequest) -> None:
    async def auser() -> AnonymousUser:
        return AnonymousUser()

    request.user = AnonymousUser()
    request.auser = auser


def is_login_page(path: str, match: ResolverMatch | None) -> bool:
    """Whether people type passwords there: ``LOGIN_URL``, Django's login view, an admin's."""
    if path == resolve_url(django_settings.LOGIN_URL):
        return True
    if match is None:
        return False
    if match.url_name == "login" and "admin" in match.app_names:
        return True
    view_class = getattr(match.func, "view_class", None)
    return isinstance(view_class, type) and issubclass(view_class, LoginView)


def destination(request: HttpRequest, location: str) -> str:
    """Where a login view's redirect means to go in the end; from a login page, its ``next``."""
    split = urlsplit(location)
    if split.netloc not in ("", request.get_host()):
        return location
    try:
        match = resolve(
            "/" + split.path.removeprefix(get_script_prefix()), getattr(request, "urlconf", None)
        )
    except Resolver404:
        match = None
    if not is_login_page(split.path, match):
        return location
    wanted = parse_qs(split.query).get("next", [""])[-1]
    return wanted if is_local(request, wanted) else ""
