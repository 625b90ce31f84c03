"""The two pages that enrol a phone: its number, then the code that proves it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from .. import conf, phones
from ..conf import settings
from ..decorators import lead_to_code
from ..exceptions import MFAError
from ..flows import EnrolFlow, Flow
from ..forms import PhoneForm
from ..sessions import mfa_of
from .base import MFAView, code_form
from .verify import STEP_UP_SECONDS, to_page, try_code


class EnrolView(MFAView):
    """Who may enrol: a user without a phone, parked or signed in; with one, after a step-up."""

    def turn_away(self, request: HttpRequest) -> HttpResponse | None:
        if settings.GET_PHONES is not None:
            # The site keeps the numbers itself, so only the site can add one.
            return render(
                request,
                "bandwidth_mfa/no_phone.html",
                {"parked": mfa_of(request).state == "parked"},
                status=403,
            )
        answer = super().turn_away(request)
        if answer is None and self.flow().phones:
            if self.flow().is_parked:
                # Someone with the password alone must not replace the phone they cannot answer.
                return to_page("verify", self.flow())
            if not mfa_of(request).is_verified(STEP_UP_SECONDS):
                return lead_to_code(request)
        return answer

    def flow(self) -> EnrolFlow:
        return EnrolFlow(self.request, self.user)


class PhoneAddView(EnrolView):
    """GET shows the form; POST ``number`` sends the first code, POST ``resend`` another."""

    template_name = "bandwidth_mfa/phone_add.html"

    def context(self, flow: Flow) -> dict[str, Any]:
        return {
            **super().context(flow),
            "first": not flow.phones,
            "example": phones.example(),
        }

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.page(PhoneForm(), **self.context(self.flow()))

    def post(self, request: HttpRequest) -> HttpResponse:
        flow = self.flow()
        if "resend" in request.POST:
            return PhoneConfirmView.resend(request, flow)
        form = PhoneForm(request.POST)
        if form.is_valid():
            try:
                flow.add(form.cleaned_data["number"], form.cleaned_data.get("channel") or None)
            except MFAError as error:
                return self.refused(form, "number", error, flow)
            return to_page("phone_confirm", flow)
        return self.page(form, **self.context(flow))


class PhoneConfirmView(EnrolView):
    """GET shows the code page of the phone being enrolled; POST ``code`` confirms it."""

    template_name = "bandwidth_mfa/phone_confirm.html"

    def context(self, flow: Flow) -> dict[str, Any]:
        assert isinstance(flow, EnrolFlow)  # noqa: S101  for the type checker
        return {**super().context(flow), "number": flow.phone.masked if flow.phone else ""}

    def get(self, request: HttpRequest) -> HttpResponse:
        flow = self.flow()
        if flow.phone is None:
            return to_page("phone_add", flow)
        return self.page(code_form(flow), **self.context(flow))

    def post(self, request: HttpRequest) -> HttpResponse:
        flow = self.flow()
        if flow.phone is None:
            return to_page("phone_add", flow)
        return try_code(self, flow)

    @classmethod
    def resend(cls, request: HttpRequest, flow: EnrolFlow) -> HttpResponse:
        """Another code to the same phone; what stops it is said on this page."""
        if flow.phone is None:
            return to_page("phone_add", flow)
        channel = request.POST["resend"]
        try:
            flow.resend(channel if channel in conf.channels() else None)
        except MFAError as error:
            view = cls()
            view.setup(request)
            return view.refused(code_form(flow, {}), "code", error, flow)
        return to_page("phone_confirm", flow)
