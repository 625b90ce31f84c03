"""Recovery codes: the page that tries one, and the page that makes a new set."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_variables

from .. import service
from ..conf import settings
from ..exceptions import Limited, in_words
from ..forms import RecoveryCodeForm
from ..internal.codes import recovery_codes
from ..internal.login.mark import pop_owed_recovery_codes
from ..internal.login.redirects import next_of, next_or_default
from ..models import RecoveryCode
from .base import FreshView
from .verify import CodeView


class RecoveryCodeView(CodeView):
    """GET shows the page, POST ``recovery_code`` tries a recovery code instead of a code."""

    template_name = "bandwidth_mfa/recovery_code.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.page(RecoveryCodeForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = RecoveryCodeForm(request.POST)
        wrong = _("That is not one of your unused recovery codes. Please check it.")
        answer = self.answer(form, "recovery_code", self.flow.recover, wrong)
        if self.flow.has_passed:
            self.say_what_is_left()
        return answer

    def say_what_is_left(self) -> None:
        """Say on the next page how many codes are left, and what to do if the phone is gone."""
        left = RecoveryCode.objects.left(self.request.user)
        said = ngettext(
            "You have %(left)d recovery code left. If your phone is gone, change it now.",
            "You have %(left)d recovery codes left. If your phone is gone, change it now.",
            left,
        )
        messages.warning(self.request, said % {"left": left}, fail_silently=True)


class RecoveryCodesView(FreshView):
    """GET says how many codes are left.  POST makes a new set and shows it, this once.

    The first GET after a first phone was confirmed makes a set too.  No other GET does.
    """

    template_name = "bandwidth_mfa/recovery_codes.html"

    @sensitive_variables()
    def get(self, request: HttpRequest) -> HttpResponse:
        # HEAD comes here too, from things that look ahead.
        if request.method == "GET" and pop_owed_recovery_codes(request.session, self.user):
            return self.make()
        return self.show(())

    def post(self, request: HttpRequest) -> HttpResponse:
        return self.make()

    @sensitive_variables()
    def make(self) -> HttpResponse:
        """Make a new set and show it, or say how long to wait."""
        try:
            codes = service.issue_recovery_codes(self.user, request=self.request)
        except Limited as limited:
            said = _(
                "You have made new codes too often. Please wait %(wait)s before you make more."
            )
            wait = in_words(limited.retry_after)
            response = self.show((), error=said % {"wait": wait}, status=429)
            response["Retry-After"] = str(limited.retry_after)
            return response
        return self.show(codes)

    @sensitive_variables()
    def show(self, codes: Sequence[str], *, error: str = "", status: int = 200) -> HttpResponse:
        context = {
            "codes": codes,
            "error": error,
            "left": RecoveryCode.objects.left(self.user),
            "few": recovery_codes.are_few(self.user),
            "set_size": settings.RECOVERY_CODES,
            "next": next_of(self.request),
            "done_url": next_or_default(self.request),
        }
        return render(self.request, self.template_name, context, status=status)
