"""The pages for trusted browsers, and for signing out everywhere else."""

from __future__ import annotations

import math

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .. import service
from ..conf import settings
from ..internal.login import policy, trusted_browsers
from ..models import TrustedBrowser
from .base import SignedInView


class BrowsersView(SignedInView):
    """GET lists the trusted browsers; POST ``browser`` forgets one, POST ``all`` forgets all.

    No code is required, because trusting fewer browsers is always safe.
    """

    template_name = "bandwidth_mfa/browsers.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        browsers = list(TrustedBrowser.objects.valid(self.user).select_related("user"))
        rows = [(browser, trusted_browsers.is_this(browser, request)) for browser in browsers]
        context = {
            "rows": rows,
            "days": settings.TRUST_DAYS,
            "owes_code": policy.owes_code(request, self.user),
        }
        return render(request, self.template_name, context)

    def post(self, request: HttpRequest) -> HttpResponse:
        which = None if "all" in request.POST else request.POST.get("browser", "")
        many = trusted_browsers.forget(self.user, which, request=request)
        if many:
            if policy.owes_code(request, self.user):
                forgotten = ngettext(
                    "%(many)d browser is no longer trusted. You will be asked for a code there.",
                    "%(many)d browsers are no longer trusted. You will be asked for a code there.",
                    many,
                )
            else:
                forgotten = ngettext(
                    "%(many)d browser is no longer trusted.",
                    "%(many)d browsers are no longer trusted.",
                    many,
                )
            messages.success(request, forgotten % {"many": many}, fail_silently=True)
        return redirect(reverse("bandwidth_mfa:browsers"))


class SignOutOthersView(SignedInView):
    """POST ends all other sessions of the user."""

    def here(self) -> str:
        return reverse("bandwidth_mfa:phones")

    def get(self, request: HttpRequest) -> HttpResponse:
        """Redirect a visitor who comes back to the URL of the button."""
        return redirect(self.here())

    def post(self, request: HttpRequest) -> HttpResponse:
        service.end_sessions(self.user, keep=request)
        messages.success(request, self._result(), fail_silently=True)
        return redirect(self.here())

    def _result(self) -> str:
        """Return the sentence about the other sessions, which end when they are next checked."""
        minutes = math.ceil(settings.RECHECK_SECONDS / 60)
        if not minutes:
            return _("You are signed out on all your other devices.")
        return ngettext(
            "You are being signed out on your other devices. This takes up to %(minutes)d minute.",
            "You are being signed out on your other devices. This takes up to %(minutes)d minutes.",
            minutes,
        ) % {"minutes": minutes}
