"""What every page of the app shares."""

from __future__ import annotations

from typing import Any

from django.conf import settings as django_settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View

from .. import conf
from ..conf import settings
from ..exceptions import Limited, MFAError
from ..flows import Flow
from ..forms import CodeForm
from ..sessions import mfa_of

# On `dispatch`, so that a subclass of a site's inherits them.
# non_atomic_requests: with ATOMIC_REQUESTS a later error would roll the counts back.
# never_cache: a page with somebody's masked number belongs in no cache.
PROTECTION: list[Any] = [
    login_not_required,
    transaction.non_atomic_requests,
    never_cache,
    csrf_protect,
    sensitive_post_parameters("code"),
]


@method_decorator(PROTECTION, name="dispatch")
class MFAView(View):
    """A page for someone who has given a password at least: parked, or signed in."""

    template_name = ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if mfa_of(request).state == "anonymous":
            if request.method == "POST":
                messages.error(
                    request,
                    _("Your sign-in took too long. Please begin again."),
                    fail_silently=True,
                )
            wanted = request.POST.get("next") or request.GET.get("next")
            if wanted:
                return redirect_to_login(wanted)
            return redirect(resolve_url(django_settings.LOGIN_URL))
        return super().dispatch(request, *args, **kwargs)

    @property
    def user(self) -> Any:
        """Who the page is for: the parked login's user, or the signed-in one."""
        return mfa_of(self.request).pending_user or self.request.user

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
        }


def code_form(flow: Flow, data: Any = None) -> CodeForm:
    """The form for the code that ``flow`` waits for; empty, but bound, where it is to show why a
    code could not be sent."""
    return CodeForm(data, digits=flow.challenge.digits if flow.challenge else settings.DIGITS)
