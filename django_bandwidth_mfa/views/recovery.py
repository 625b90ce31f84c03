"""The pages for recovery codes: one checks a code, one creates and shows a new set."""

from __future__ import annotations

import math
from collections.abc import Sequence

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_variables

from ..conf import settings
from ..exceptions import Limited
from ..forms import RecoveryCodeForm
from ..internal.codes import recovery_codes
from ..internal.flows import code_page
from ..internal.flows.phones import issue_recovery_codes
from ..internal.login import outcomes
from ..internal.login.mark import owes_recovery_codes
from ..internal.login.redirects import next_of, next_or_default, with_next
from ..internal.notify.mail import site_name
from ..internal.phones.source import phone_source
from ..models import RecoveryCode
from .base import FreshView, SignedInView
from .flow import bound
from .verify import CodeView


class RecoveryCodeView(CodeView):
    """GET shows the page; POST ``recovery_code`` checks a recovery code."""

    template_name = "bandwidth_mfa/recovery_code.html"
    page_name = "recovery_code"
    actions = ("recover",)

    def turn_away(self, request: HttpRequest) -> HttpResponse | None:
        answer = super().turn_away(request)
        if answer is None and not self.flow.takes_recovery_codes:
            # A recovery code would be used up, but would not open the page from which the visitor
            # comes.
            return self.to_page("verify")
        return answer

    def get(self, request: HttpRequest) -> HttpResponse:
        outcome = outcomes.read(request, self.user, *self.actions)
        page = code_page.look_at_recovery(self.flow, outcome)
        return self.answer_with(page, bound(RecoveryCodeForm({}), "recovery_code", page.error))

    def context(self) -> dict[str, object]:
        return {**super().context(), "has_phone": bool(self.flow.phones)}

    def post(self, request: HttpRequest) -> HttpResponse:
        form = RecoveryCodeForm(request.POST)
        answer = self.answer(form, "recovery_code", "recover", self.flow.recover)
        if self.flow.has_passed:
            self.say_what_is_left()
        return answer

    def say_what_is_left(self) -> None:
        """Add a message about the number of codes left, and about a lost phone."""
        left = RecoveryCode.objects.left(self.request.user)
        page = "phones"
        if left and not phone_source().can_change:
            few = ngettext("You have %(left)s code left.", "You have %(left)s codes left.", left)
            text = f"{_('Recovery codes let you in without your phone.')} {few}"
        elif left:
            # Translators: The part in <a> is a link to the page of the user's phones.
            text = ngettext(
                "You have %(left)d recovery code left. Lost your phone? "
                '<a href="%(address)s">Change it now</a>.',
                "You have %(left)d recovery codes left. Lost your phone? "
                '<a href="%(address)s">Change it now</a>.',
                left,
            )
        elif not settings.RECOVERY_CODES:
            text = _("You have no recovery codes left.")
        else:
            # Translators: The part in <a> is a link to the page that makes recovery codes.
            text = _(
                "That was your last recovery code. "
                '<a href="%(address)s">Make new recovery codes now</a>.'
            )
            page = "recovery_codes"
        # Safe: the text comes from the translations, and the values are a number and our own URL.
        link = {"left": left, "address": escape(reverse(f"bandwidth_mfa:{page}"))}
        messages.warning(self.request, mark_safe(text % link), fail_silently=True)  # noqa: S308


class CodesPage(SignedInView):
    """The page of a user's set of recovery codes."""

    template_name = "bandwidth_mfa/recovery_codes.html"
    page_name = "recovery_codes"

    @sensitive_variables()
    def show(
        self,
        codes: Sequence[str] = (),
        *,
        error: str = "",
        ask_whether_saved: bool = False,
        status: int = 200,
    ) -> HttpResponse:
        """Return the page.

        :param codes: a new set to show once; empty to show only how many codes are left.
        :param error: an error message; empty for none.
        :param ask_whether_saved: show the checkbox even without a new set.
        """
        left = RecoveryCode.objects.left(self.user)
        context = {
            "codes": codes,
            # Each copy of the codes names the site and the account.
            "site": site_name(self.request) or self.request.get_host(),
            "account": self.user.get_username(),
            "made_at": timezone.now(),
            "ask_whether_saved": bool(codes) or ask_whether_saved,
            "error": error,
            "left": left,
            "few": recovery_codes.are_few(left),
            "set_size": settings.RECOVERY_CODES,
            "next": next_of(self.request),
            "done_url": next_or_default(self.request),
        }
        return render(self.request, self.template_name, context, status=status)


class RecoveryCodesView(FreshView, CodesPage):
    """GET shows how many codes are left.  POST creates a new set and shows it once.

    The first GET after a first phone was confirmed also creates a set.
    """

    @sensitive_variables()
    def get(self, request: HttpRequest) -> HttpResponse:
        # HEAD, which prefetching programs send, also comes here.
        if request.method == "GET" and owes_recovery_codes(request.session, self.user):
            return self.make()
        return self.show()

    def post(self, request: HttpRequest) -> HttpResponse:
        return self.make()

    @sensitive_variables()
    def make(self) -> HttpResponse:
        """Create a new set and show it, or show how long to wait."""
        try:
            codes = issue_recovery_codes(self.request, self.user)
        except Limited as limited:
            minutes = math.ceil(limited.retry_after / 60)
            error = ngettext(
                "You have made new codes too often. You can make more in %(minutes)d minute.",
                "You have made new codes too often. You can make more in %(minutes)d minutes.",
                minutes,
            )
            response = self.show(error=error % {"minutes": minutes}, status=429)
            response["Retry-After"] = str(limited.retry_after)
            return response
        return self.show(codes)


class RecoveryCodesSavedView(CodesPage):
    """POST ``saved`` redirects from the page with a new set to the next page.

    It changes nothing, so it requires no recent code: writing codes down takes time.  Browsers do
    not submit the form until its checkbox is checked, even without JavaScript.  A POST without the
    checkbox gets an error message, since the codes cannot be shown again.
    """

    def get(self, request: HttpRequest) -> HttpResponse:
        """Redirect a visitor who comes back to the URL of the button."""
        return redirect(with_next("recovery_codes", next_of(request)))

    def post(self, request: HttpRequest) -> HttpResponse:
        if "saved" in request.POST:
            return HttpResponseRedirect(next_or_default(request))
        error = _(
            "Tick the box if you have saved your codes. If you have not, make new ones: "
            "we cannot show the old ones again."
        )
        return self.show(error=error, ask_whether_saved=True)
