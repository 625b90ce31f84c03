"""What all pages of the app share: who may see them, and how they are protected."""

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
from ..internal.login.redirects import login_url, next_of, redirect_to_second_factor
from ..internal.notify import events
from ..request import visitor
from ..types import User

# Seconds after which a page that the database failed may be asked for again.
DATABASE_RETRY = 10

# On `dispatch`, so that a subclass of a site's inherits them.
# non_atomic_requests: with ATOMIC_REQUESTS a later error would roll the counts back.
# never_cache: a page with somebody's masked number belongs in no cache.
# xframe_options_deny: nobody is to click on these pages inside a page of somebody else's.
# csrf_exempt: the view makes the same check itself, and leads back to the page.
PROTECTION: list[Any] = [
    login_not_required,
    transaction.non_atomic_requests,
    never_cache,
    xframe_options_deny,
    csrf_exempt,
    sensitive_post_parameters("code", "recovery_code", "number"),
]


class CsrfCheck(CsrfViewMiddleware):
    """Django's own check for forgery.  The view answers a form that it refuses."""

    reason = ""
    """Why it was refused, in Django's words."""

    def is_forged(self, request: HttpRequest) -> bool:
        """Return whether ``request`` changes something, and does not come from a page of this
        site."""
        self.process_request(request)
        return self.process_view(request, unused, (), {}) is not None

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        forgery.log(request, reason)
        self.reason = reason
        return HttpResponse(status=403)


def unused(request: HttpRequest) -> HttpResponse:
    """Stands where a middleware has the rest of the site."""
    raise NotImplementedError


@method_decorator(PROTECTION, name="dispatch")
class MFAView(View):
    """A page for somebody who has given a password at least: parked, or signed in."""

    leads_to_flow = False
    """Whether its forms lead back to a page that tells an :class:`.Outcome`."""

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        request.exception_reporter_filter = NoVariablesFilter()
        csrf = CsrfCheck(unused)
        try:
            if csrf.is_forged(request):
                response: HttpResponseBase = self.answer_to_forgery(request, csrf.reason)
            else:
                response = self.turn_away(request) or super().dispatch(request, *args, **kwargs)
        except (OperationalError, InterfaceError) as error:
            # A missing table or a wrong setting must not look like an outage: nobody would mend it.
            if django_settings.DEBUG or not is_connection_lost(error):
                raise
            events.database_unavailable()
            return database_unavailable(request)
        # Sets the cookie of the token, where the site's middleware does not.
        csrf.process_response(request, cast(HttpResponse, response))
        # Not "no-referrer": Django's CSRF check wants to see where a form on HTTPS came from.
        response.headers.setdefault("Referrer-Policy", "same-origin")
        return response

    def answer_to_forgery(self, request: HttpRequest, reason: str) -> HttpResponse:
        """Answer a form that Django's check for forgery refuses: do nothing, and lead to the page.

        Most often nothing is forged.  Somebody has signed in in another tab meanwhile, which
        changes the token, or has deleted the cookies.  The page says that nothing was done.

        :param reason: Django's.
        """
        text = forgery.explain(reason) or out_of_date()
        response = redirect(self.page_after_forgery())
        user = visitor(request) if self.leads_to_flow else None
        if user is not None:
            outcomes.keep(request, response, user, Outcome("page", "out-of-date", text))
        elif django_settings.SESSION_COOKIE_NAME in request.COOKIES:
            # Not without that cookie: a form of another site comes without it, and a message that
            # begins a session would sign the visitor out of their own.
            messages.warning(request, text, fail_silently=True)
        return response

    def page_after_forgery(self) -> str:
        """Return the page that a form leads back to whose token is out of date."""
        return self.here()

    def turn_away(self, request: HttpRequest) -> HttpResponse | None:
        """Return the answer to a visitor whom this page is not for; None for any other visitor."""
        return self.answer_to(obstacle_to_visitors(request), request)

    def answer_to(self, obstacle: Obstacle | None, request: HttpRequest) -> HttpResponse | None:
        """Return the answer to a visitor whom ``obstacle`` stops; None if nothing does."""
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
        return to_login_page(request)

    def here(self) -> str:
        """Return where to come back to after the code.  A page without a GET names another page."""
        return self.request.get_full_path()

    @property
    def user(self) -> User:
        """The user of the parked login, or the signed-in user."""
        user = visitor(self.request)
        # Anonymous visitors are turned away before.
        return self.request.user if user is None else user


def to_login_page(request: HttpRequest) -> HttpResponse:
    """Return a redirect to the login page, which leads on to ``next`` if there is one."""
    wanted = next_of(request)
    return redirect_to_login(wanted, login_url()) if wanted else redirect(login_url())


class SignedInView(MFAView):
    """A page for somebody who is signed in.  A parked login is sent to its code first."""

    def turn_away(self, request: HttpRequest) -> HttpResponse | None:
        return self.answer_to(obstacle_to_signed_in(request), request)


class FreshView(SignedInView):
    """A page that changes later logins, and so takes a code of the last ``STEP_UP_SECONDS``."""

    def turn_away(self, request: HttpRequest) -> HttpResponse | None:
        return self.answer_to(obstacle_to_fresh(request), request)


def database_unavailable(request: HttpRequest) -> HttpResponse:
    """Return a page that asks the database nothing: no user, no session, no template of the site.

    Its status is 503.  Django saves no session after a 5xx, so no half-made login stays.
    """
    page = render_to_string("bandwidth_mfa/unavailable.html", nonce_of(request))
    response = HttpResponse(page, status=503)
    response["Retry-After"] = str(DATABASE_RETRY)
    return response


def nonce_of(request: HttpRequest) -> Mapping[str, object]:
    """Return the variable ``csp_nonce`` for a page that is made without context processors.

    Empty before Django 6, which brought the context processor ``csp``.
    """
    csp: Callable[[HttpRequest], Mapping[str, object]] | None
    csp = getattr(context_processors, "csp", None)
    return csp(request) if csp else {}
