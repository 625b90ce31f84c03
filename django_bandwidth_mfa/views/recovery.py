"""Recovery codes: the page that takes one, and the page that makes a new set."""

from __future__ import annotations

from typing import Any

from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from .. import recovery
from ..conf import settings
from ..decorators import lead_to_code
from ..exceptions import MFAError
from ..forms import RecoveryCodeForm
from ..models import RecoveryCode
from ..sessions import mfa_of
from .base import MFAView
from .verify import STEP_UP_SECONDS, CodeView


class RecoveryCodeView(CodeView):
    """GET shows the page, POST ``recovery_code`` tries one: a login's or a step-up's second factor
    where no phone can be."""

    template_name = "bandwidth_mfa/recovery_code.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.page(RecoveryCodeForm(), **self.context(self.flow()))

    def post(self, request: HttpRequest) -> HttpResponse:
        flow = self.flow()
        form = RecoveryCodeForm(request.POST)
        if form.is_valid():
            try:
                destination = flow.recover(form.cleaned_data["recovery_code"])
            except MFAError as error:
                return self.refused(form, "recovery_code", error, flow)
            if destination is not None:
                return redirect(destination)
            form.add_error(
                "recovery_code",
                _("That is not one of your unused recovery codes. Please check it."),
            )
        return self.page(form, **self.context(flow))


class RecoveryCodesView(MFAView):
    """GET says how many codes are left, POST makes a new set and shows it: this once."""

    template_name = "bandwidth_mfa/recovery_codes.html"

    def turn_away(self, request: HttpRequest) -> HttpResponse | None:
        answer = super().turn_away(request)
        if answer is None and not mfa_of(request).is_verified(STEP_UP_SECONDS):
            return lead_to_code(request)
        return answer

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.show(())

    @sensitive_variables()
    def post(self, request: HttpRequest) -> HttpResponse:
        return self.show(recovery.issue(self.user))

    @sensitive_variables()
    def show(self, codes: Any) -> HttpResponse:
        left = RecoveryCode.objects.left(self.user)
        context = {
            "codes": codes,
            "left": left,
            "set_size": settings.RECOVERY_CODES,
            "done_url": resolve_url(django_settings.LOGIN_REDIRECT_URL),
        }
        return render(self.request, self.template_name, context)
