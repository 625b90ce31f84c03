"""The two pages that enrol a phone: one asks for its number, the other for the code."""

from __future__ import annotations

from functools import cached_property

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from .. import conf
from ..exceptions import MFAError
from ..forms import PhoneForm
from ..internal import numbers
from ..internal.flows.enrolment import EnrolFlow
from ..internal.flows.gate import Obstacle, recheck_now
from ..internal.login.redirects import redirect_to_second_factor
from ..internal.phones.source import phone_source
from .flow import FlowView
from .phones import chosen_phone, kept_by_site


class EnrolView(FlowView):
    """A page that enrols a phone.

    A user without a phone may enrol one, parked or signed in.  A user with a phone first gives a
    fresh code.
    """

    confirm_template = "bandwidth_mfa/phone_confirm.html"

    @cached_property
    def flow(self) -> EnrolFlow:
        return EnrolFlow(self.request, self.user)

    def turn_away(self, request: HttpRequest) -> HttpResponse | None:
        if not phone_source().can_change:
            return kept_by_site(request)
        recheck_now(request)
        answer = super().turn_away(request)
        if answer is None and self.flow.obstacle is not None:
            if self.flow.is_parked:
                return self.to_page("verify")
            return redirect_to_second_factor(self.user, request.get_full_path())
        return answer

    def context(self) -> dict[str, object]:
        phone = self.flow.phone
        return {**super().context(), "number": phone.masked if phone else ""}


class PhoneAddView(EnrolView):
    """GET shows the form.  POST ``number`` sends the first code, POST ``resend`` another one.

    With ``phone`` in the address, the new phone takes the place of that one.  A user without a
    phone who signed in longer than ``FIRST_PHONE_SECONDS`` ago signs in again first.
    """

    template_name = "bandwidth_mfa/phone_add.html"

    def turn_away(self, request: HttpRequest) -> HttpResponse | None:
        answer = super().turn_away(request)
        if answer is None and self.must_sign_in_again():
            return self.ask_to_sign_in_again(request)
        return answer

    def must_sign_in_again(self) -> bool:
        """Whether the first phone must wait for another sign-in."""
        return self.flow.obstacle_to_begin is Obstacle.OLD_SIGN_IN

    def ask_to_sign_in_again(self, request: HttpRequest) -> HttpResponse:
        """Show a button that signs the visitor out and leads over the login page back to here.

        The button is a POST, so that no link of somebody else signs people out.
        """
        if request.method == "POST" and "sign_in_again" in request.POST:
            logout(request)
            return redirect_to_second_factor(None, request.get_full_path())
        return render(request, "bandwidth_mfa/sign_in_again.html", status=403)

    def context(self) -> dict[str, object]:
        return {
            **super().context(),
            "first": not self.flow.phones,
            "replaces": chosen_phone(self.request, self.flow.phones),
            "example": numbers.example(),
            "default_region": numbers.default_region(),
        }

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.page(PhoneForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        if "resend" in request.POST:
            return self.resend(request)
        form = PhoneForm(request.POST)
        if form.is_valid():
            number, channel = form.cleaned_data["number"], form.cleaned_data.get("channel") or None
            try:
                self.flow.add(number, channel, replaces=chosen_phone(request, self.flow.phones))
            except MFAError as error:
                return self.refused(form, "number", error)
            return self.to_page("phone_confirm")
        return self.page(form)

    def resend(self, request: HttpRequest) -> HttpResponse:
        """Send another code to the phone that is being enrolled.

        The page that asks for the code shows what stops it.
        """
        if self.flow.phone is None:
            return self.to_page("phone_add")
        channel = request.POST["resend"]
        try:
            self.flow.resend(channel if channel in conf.channels() else None)
        except MFAError as error:
            form = self.code_form({})
            return self.refused(form, "code", error, template=self.confirm_template)
        return self.to_page("phone_confirm")


class PhoneConfirmView(EnrolView):
    """GET shows the code page of the phone that is being enrolled.  POST ``code`` confirms it."""

    template_name = EnrolView.confirm_template

    def get(self, request: HttpRequest) -> HttpResponse:
        if self.flow.phone is None:
            return self.to_page("phone_add")
        return self.page(self.code_form())

    def post(self, request: HttpRequest) -> HttpResponse:
        if self.flow.phone is None:
            return self.to_page("phone_add")
        return self.try_code()
