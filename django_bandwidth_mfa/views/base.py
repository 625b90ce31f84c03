"""The base classes of all pages: access rules and protection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from django.conf import settings as django_settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.db import InterfaceError, OperationalError, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django.shortcuts import redirect
from django.template import context_processors
from django.template.loader import render_to_string
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_deny
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View

from ..decorators import refuse_on_behalf
from ..internal import forgery
from ..internal.databases import is_connection_lost
from ..internal.error_reports import NoVariablesFilter
from ..internal.flows.code_page import out_of_date
from ..internal.flows.gate import (
    Obstacle,
    obstacle_to_fresh,
    obstacle_to_signed_in,
    obstacle_to_visitors,
)
from ..internal.login import outcomes
from ..internal.login.outcomes import Outcome
from ..internal.login.redirects import (
    login_url,
    next_of,
    redirect_to_second_factor,
    with_next,
)
from ..internal.notify import events
from ..request import visitor
from ..types import User

# The value of Retry-After, in seconds, when the database is not available.
DATABASE_RETRY = 10

# Decorators for `dispatch`, so that subclasses of a site inherit them.  non_atomic_requests: with
# ATOMIC_REQUESTS a later error would roll the counts back.  never_cache: a page with a masked
# number must not be cached.  xframe_options_deny: against clickjacking.  csrf_exempt: the view does
# the same check itself, and redirects to the page.
PROTECTION: list[Any] = [
    login_not_required,
    transaction.non_atomic_requests,
    never_cache,
    xframe_options_deny,
    csrf_exempt,
    sensitive_post_parameters("code", "recovery_code", "number"),
]


class CsrfCheck(CsrfViewMiddleware):
    """Django's CSRF check.  The view creates the response to a refused form."""

    reason = ""
    """The reason of a refusal, as Django words it."""

    def is_forged(self, request: HttpRequest) -> bool:
        """Return whether the CSRF check refuses ``request``."""
        self.process_request(request)
        return self.process_view(request, unused, (), {}) is not None

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        forgery.log(request, reason)
        self.reason = reason
        return HttpResponse(status=403)


def unused(request: HttpRequest) -> HttpResponse:
    """Stand in for ``get_response``, which the CSRF middleware requires but never calls here."""
    raise NotImplementedError


@method_decorator(PROTECTION, name="dispatch")
class MFAView(View):
    """A page that requires at least a password: the session is parked or signed in."""

    leads_to_flow = False
    """Whether its forms lead back to a page that shows an :class:`.Outcome`."""

    is_destination = False
    """Whether a visitor who is not signed in comes back here after the login."""

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        request.exception_reporter_filter = NoVariablesFilter()
        csrf = CsrfCheck(unused)
        try:
            if csrf.is_forged(request):
                response: HttpResponseBase = self.answer_to_forgery(request, csrf.reason)
            else:
                response = self.turn_away(request) or super().dispatch(request, *args, **kwargs)
        except (OperationalError, InterfaceError) as error:
            # A missing table or a wrong setting must not look like an outage, or nobody would
            # repair it.
            if django_settings.DEBUG or not is_connection_lost(error):
                raise
            events.database_unavailable()
            return database_unavailable(request)
        # Set the CSRF cookie, if the site's middleware does not.
        csrf.process_response(request, cast(HttpResponse, response))
        # Not "no-referrer", because Django's CSRF check needs the Referer of forms on HTTPS.
        response.headers.setdefault("Referrer-Policy", "same-origin")
        return response

    def answer_to_forgery(self, request: HttpRequest, reason: str) -> HttpResponse:
        """Return a redirect to the page, for a form that Django's CSRF check refuses.

        Usually this is not an attack: the user has signed in in another tab, which changes the
        token, or has deleted the cookies.  The page says that nothing was done.

        :param reason: the reason, as Django words it.
        """
        text = forgery.explain(reason) or out_of_date()
        response = redirect(self.page_after_forgery())
        user = visitor(request) if self.leads_to_flow else None
        if user is not None:
            outcomes.keep(request, response, user, Outcome("page", "out-of-date", text))
        elif django_settings.SESSION_COOKIE_NAME in request.COOKIES:
            # Only with the session cookie.  A form of another site comes without it, and a message
            # would then start a new session, which would sign the visitor out.
            messages.warning(request, text, fail_silently=True)
        return response

    def page_after_forgery(self) -> str:
        """Return the URL to redirect to after a refused form."""
        return self.here()

    def turn_away(self, request: HttpRequest) -> HttpResponse | None:
        """Return the response to a visitor who must not see this page; None for all others."""
        return self.answer_to(obstacle_to_visitors(request), request)

    def answer_to(self, obstacle: Obstacle | None, request: HttpRequest) -> HttpResponse | None:
        """Return the response to a visitor with ``obstacle``; None if there is no obstacle."""
        if obstacle is None:
            return None
        if obstacle is Obstacle.ON_BEHALF:
            return refuse_on_behalf(request)
        if obstacle is Obstacle.CODE:
            return redirect_to_second_factor(visitor(request), self.here())
        if request.method == "POST":
            messages.error(
                request,
                _(
                    "You are no longer signed in, because it took too long or you signed out. "
                    "Sign in again."
                ),
                fail_silently=True,
            )
        return to_login_page(request, self.here() if self.is_destination else "")

    def here(self) -> str:
        """Return the URL to come back to after the code.  A view without GET overrides it."""
        return self.request.get_full_path()

    @property
    def user(self) -> User:
        """The user of the parked login, or the signed-in user."""
        user = visitor(self.request)
        # Anonymous visitors do not get here.
        return self.request.user if user is None else user


def to_login_page(request: HttpRequest, destination: str = "") -> HttpResponse:
    """Return a redirect to the login page.

    :param destination: the URL to come back to after the login; empty for the ``next`` of the
        request, if there is one.
    """
    wanted = destination or next_of(request)
    return redirect_to_login(wanted, login_url()) if wanted else redirect(login_url())


class SignedInView(MFAView):
    """A page that requires a complete login.  A parked login is redirected to the code page."""

    is_destination = True

    page_name = ""
    """The URL name of the page to come back to; empty for the URL of the request.

    A page whose forms have ``next`` in their body needs it: the URL of such a form has no ``next``.
    """

    def here(self) -> str:
        if self.page_name:
            return with_next(self.page_name, next_of(self.request))
        return super().here()

    def turn_away(self, request: HttpRequest) -> HttpResponse | None:
        return self.answer_to(obstacle_to_signed_in(request), request)


class FreshView(SignedInView):
    """A page that requires a code in the last ``STEP_UP_SECONDS``, as it affects later logins."""

    def turn_away(self, request: HttpRequest) -> HttpResponse | None:
        return self.answer_to(obstacle_to_fresh(request), request)


def database_unavailable(request: HttpRequest) -> HttpResponse:
    """Return the page, with status 503, for the time when the database is not available.

    It uses no user, no session and no template of the site, so it needs no query.  Django does not
    save the session after a 5xx, so no incomplete login is stored.
    """
    page = render_to_string("bandwidth_mfa/unavailable.html", nonce_of(request))
    response = HttpResponse(page, status=503)
    response["Retry-After"] = str(DATABASE_RETRY)
    return response


def nonce_of(request: HttpRequest) -> Mapping[str, object]:
    """Return the variable ``csp_nonce`` for a page that is rendered without context processors.

    It is empty before Django 6, which introduced the context processor ``csp``.
    """
    csp: Callable[[HttpRequest], Mapping[str, object]] | None
    csp = getattr(context_processors, "csp", None)
    return csp(request) if csp else {}
