"""What every page of the app shares."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.db import InterfaceError, OperationalError, transaction
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_deny
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View

from .. import conf
from ..conf import settings
from ..exceptions import Limited, MFAError
from ..flows import Flow
from ..forms import CodeForm
from ..internal.login.recheck import recheck_request
from ..internal.login.redirects import login_url, next_of, redirect_to_second_factor
from ..internal.notify import events
from ..reporting import NoVariables
from ..request import mfa_of, visitor

# Seconds.  Whatever opens later logins, a new phone or new recovery codes, takes a code this fresh.
STEP_UP_SECONDS = 300

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
    """A page for someone who has given a password at least: parked, or signed in."""

    template_name = ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        request.exception_reporter_filter = NoVariables()
        try:
            response = self.turn_away(request) or super().dispatch(request, *args, **kwargs)
        except (OperationalError, InterfaceError):
            events.database_unavailable()
            return database_unavailable()
        # Not "no-referrer": Django's CSRF check wants to see where a form on HTTPS came from.
        response.headers.setdefault("Referrer-Policy", "same-origin")
        return response

    def turn_away(self, request: HttpRequest) -> HttpResponse | None:
        """The answer to a visitor whom this page is not for; None where it is."""
        if mfa_of(request).state != "anonymous":
            return None
        if request.method == "POST":
            messages.error(
                request,
                _("Your sign-in took too long. Please begin again."),
                fail_silently=True,
            )
        wanted = next_of(request)
        if wanted:
            return redirect_to_login(wanted, login_url())
        return redirect(login_url())

    @property
    def user(self) -> Any:
        """Who the page is for: the parked login's user, or the signed-in one."""
        return visitor(self.request)

    def page(self, form: Form, *, status: int = 200, **context: Any) -> HttpResponse:
        return render(self.request, self.template_name, {"form": form, **context}, status=status)

    def refused(self, form: Form, field: str, error: MFAError, flow: Flow) -> HttpResponse:
        """The page again, saying what happened and what to do next."""
        # One message: a field that was not even sent has nothing to say of itself.
        form.errors.pop(field, None)
        form.add_error(field, str(error))
        if not isinstance(error, Limited):
            return self.page(form, **self.context(flow))
        response = self.page(form, status=429, **self.context(flow))
        response["Retry-After"] = str(error.retry_after)
        return response

    def context(self, flow: Flow) -> dict[str, Any]:
        challenge = flow.challenge
        return {
            "purpose": flow.purpose,
            "challenge": challenge,
            "channel": challenge.channel if challenge else None,
            "channels": conf.channels(),
            "minutes": max(1, int(settings.EXPIRATION_MINUTES)),
            "sent_at": challenge.sent_at if challenge else None,
            "wait": flow.seconds_until_send,
            "next": flow.next,
            "parked": flow.is_parked,
            "recovery_codes_left": flow.recovery_codes_left,
            "follow_delivery": challenge is not None and challenge.is_followed,
        }


def recheck_now(request: HttpRequest) -> None:
    """Ask about the session at once, however young its mark is.

    A session that its user has ended must not use the rest of ``RECHECK_SECONDS`` to stay for good.
    """
    recheck_request(request, request.user, anew=True)


class SignedInView(MFAView):
    """A page for someone who is signed in: a parked login is sent to its code first."""

    def turn_away(self, request: HttpRequest) -> HttpResponse | None:
        recheck_now(request)
        answer = super().turn_away(request)
        if answer is None and mfa_of(request).state == "parked":
            return redirect_to_second_factor(visitor(request), self.here())
        return answer

    def here(self) -> str:
        """Where to come back to; a page that a POST alone has may name another."""
        return self.request.get_full_path()


class FreshView(SignedInView):
    """A page that takes a code of the last ``STEP_UP_SECONDS``: it changes later logins."""

    def turn_away(self, request: HttpRequest) -> HttpResponse | None:
        answer = super().turn_away(request)
        if answer is None and not mfa_of(request).is_verified(STEP_UP_SECONDS):
            return redirect_to_second_factor(visitor(request), self.here())
        return answer


def code_form(flow: Flow, data: Any = None) -> CodeForm:
    """The form for the code that ``flow`` waits for; empty, but bound, where it is to show why a
    code could not be sent."""
    return CodeForm(data, digits=flow.challenge.digits if flow.challenge else settings.DIGITS)


def database_unavailable() -> HttpResponse:
    """A page that asks the database nothing: no user, no session, no template of the site's.

    A 5xx: Django then saves no session, so that no half-made login is left behind.
    """
    response = HttpResponse(render_to_string("bandwidth_mfa/unavailable.html"), status=503)
    response["Retry-After"] = str(DATABASE_RETRY)
    return response
