"""The two pages that enrol a phone: one asks for its number, the other for the code."""

from __future__ import annotations

from functools import cached_property

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from .. import conf
from ..exceptions import Locked, MFAError, NumberRefused
from ..forms import PhoneForm
from ..internal import numbers
from ..internal.flows.code_page import error_of_send, out_of_date
from ..internal.flows.enrolment import EnrolFlow
from ..internal.flows.gate import Obstacle, recheck_now
from ..internal.login import outcomes, refused_forms
from ..internal.login.outcomes import Outcome, outcome_of
from ..internal.login.redirects import redirect_to_second_factor
from ..internal.phones.source import phone_source
from .flow import FlowView
from .phones import asked_for, chosen_phone, kept_by_site


class EnrolView(FlowView):
    """A page that enrols a phone.

    A user without a phone may enrol one, parked or signed in.  A user with a phone first gives a
    fresh code.
    """

    @cached_property
    def flow(self) -> EnrolFlow:
        return EnrolFlow(self.request, self.user)

    def turn_away(self, request: HttpRequest) -> HttpResponse | None:
        if not phone_source().can_change:
            return kept_by_site(request)
        recheck_now(request)
        answer = super().turn_away(request)
        if answer is None and self.flow.obstacle is not None:
            if self.flow.obstacle is Obstacle.OTHER_FACTOR:
                return kept_by_site(request)
            if self.flow.is_parked:
                return self.to_page("verify")
            return redirect_to_second_factor(self.user, request.get_full_path())
        return answer


class PhoneAddView(EnrolView):
    """GET shows the form.  POST ``number`` sends the first code, POST ``resend`` another one.

    To a user who is locked, GET says so instead.

    With ``phone`` in the address, the new phone takes the place of that one.  A user without a
    phone who signed in longer than ``FIRST_PHONE_SECONDS`` ago signs in again first.
    """

    template_name = "bandwidth_mfa/phone_add.html"
    page_name = "phone_add"

    def page_after_forgery(self) -> str:
        page = super().page_after_forgery()
        replaces = asked_for(self.request, "phone")
        if not replaces:
            return page
        return f"{page}{'&' if '?' in page else '?'}{urlencode({'phone': replaces})}"

    def turn_away(self, request: HttpRequest) -> HttpResponse | None:
        answer = super().turn_away(request)
        if answer is None and self.must_sign_in_again():
            return self.ask_to_sign_in_again(request)
        return answer

    def must_sign_in_again(self) -> bool:
        """Return whether the first phone must wait for another sign-in."""
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
            "sends_texts": "sms" in conf.channels(),
            "default_region": numbers.default_region(),
        }

    def get(self, request: HttpRequest) -> HttpResponse:
        if self.flow.standing.is_locked:
            # No code would be sent.  Nobody has to type a number to hear so.
            return self.show(template_name=PhoneConfirmView.template_name)
        outcome = outcomes.read(request, self.user, "page")
        error = "" if outcome is None else outcome.text
        response = self.ask(PhoneForm(), error)
        if error:
            outcomes.drop(response)
        return response

    def post(self, request: HttpRequest) -> HttpResponse:
        if "resend" in request.POST:
            return self.resend(request)
        form = PhoneForm(request.POST)
        if not form.is_valid():
            return self.ask(form)
        form_id = request.POST.get("form_id", "")
        if form_id and refused_forms.is_out_of_date(form_id):
            return self.ask(form, out_of_date())
        if form_id and refused_forms.was_refused(request, self.user, form_id):
            return self.ask(form, _("Nothing was sent again. To try again, press the button."))
        number, channel = form.cleaned_data["number"], form.cleaned_data.get("channel") or None
        try:
            self.flow.add(number, channel, replaces=chosen_phone(request, self.flow.phones))
        except NumberRefused as error:
            form.add_error("number", str(error))
            return self.ask(form)
        except Locked:
            # That page tells of it.  The number is of no use for now, so nothing is lost.
            return self.to_page("phone_add")
        except MFAError as error:
            outcome = outcome_of("send", error)
            if outcome.kind == "unknown":
                # The code may arrive: the next page says so, and has the field for it.
                return self.to_page("phone_confirm")
            return self.ask_again(form, error, outcome)
        return self.to_page("phone_confirm")

    def ask(self, form: PhoneForm, error: str = "", *, status: int = 200) -> HttpResponse:
        """Return the page with the form.

        :param error: why no code was sent; a number that cannot be used is told by the form.
        """
        context = {
            "form": form,
            "error": error,
            "form_id": refused_forms.new_id(),
            **self.context(),
        }
        return render(self.request, self.template_name, context, status=status)

    def ask_again(self, form: PhoneForm, error: MFAError, outcome: Outcome) -> HttpResponse:
        """Return the page after a send that was refused.

        It is no redirect: what was typed would be lost, or the number would have to be kept.  A
        reload posts the form again, so the browser remembers which one was refused.
        """
        if outcome.kind == "limited":
            text = str(error)
        else:
            text = error_of_send(outcome, can_call="channel" in form.fields)
        retry_after = getattr(error, "retry_after", 0)
        response = self.ask(form, text, status=429 if retry_after else 200)
        if retry_after:
            response["Retry-After"] = str(retry_after)
        form_id = self.request.POST.get("form_id")
        if form_id:
            refused_forms.remember(self.request, response, self.user, form_id)
        return response

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
            return self.to_page("phone_confirm", outcome_of("send", error))
        return self.to_page("phone_confirm")


class PhoneConfirmView(EnrolView):
    """GET shows the code page of the phone that is being enrolled.  POST ``code`` confirms it."""

    template_name = "bandwidth_mfa/phone_confirm.html"
    page_name = "phone_confirm"

    def get(self, request: HttpRequest) -> HttpResponse:
        if self.flow.phone is None:
            return self.to_page("phone_add")
        return self.show()

    def post(self, request: HttpRequest) -> HttpResponse:
        if self.flow.phone is None:
            return self.to_page("phone_add")
        return self.try_code()
