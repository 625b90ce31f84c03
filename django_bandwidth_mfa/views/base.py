"""What all pages of the app share: who may see them, and how they are protected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings as django_settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.db import InterfaceError, OperationalError, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template import context_processors
from django.template.loader import render_to_string
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_deny
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View

from ..decorators import refuse_on_behalf
from ..internal.databases import is_connection_lost
from ..internal.error_reports import NoVariablesFilter
from ..internal.flows.gate import (
    Obstacle,
    obstacle_to_fresh,
    obstacle_to_signed_in,
    obstacle_to_visitors,
)
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
PROTECTION: list[Any] = [
    login_not_required,
    transaction.non_atomic_requests,
    never_cache,
    xframe_options_deny,
    csrf_protect,
    sensitive_post_parameters("code", "recovery_code", "number"),
]


@method_decorator(PROTECTION, name="dispatch")
class MFAView(View):
    """A page for somebody who has given a password at least: parked, or signed in."""

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        request.exception_reporter_filter = NoVariablesFilter()
        try:
            response = self.turn_away(request) or super().dispatch(request, *args, **kwargs)
        except (OperationalError, InterfaceError) as error:
            # A missing table or a wrong setting must not look like an outage: nobody would mend it.
            if django_settings.DEBUG or not is_connection_lost(error):
                raise
            events.database_unavailable()
            return database_unavailable(request)
        # Not "no-referrer": Django's CSRF check wants to see where a form on HTTPS came from.
        response.headers.setdefault("Referrer-Policy", "same-origin")
        return response

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
