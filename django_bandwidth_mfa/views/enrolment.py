"""The two pages of an enrolment: one for the number, one for the code."""

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
from ..internal.login import outcomes, policy, refused_forms
from ..internal.login.outcomes import Outcome, outcome_of
from ..internal.login.redirects import redirect_to_second_factor
from ..internal.phones.source import phone_source
from .flow import FlowView
from .phones import asked_for, chosen_phone, kept_by_site


class EnrolView(FlowView):
    """A page of an enrolment.

    A user without a phone may enrol one, parked or signed in.  A user with a phone must have given
    a code in the last minutes.
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

    For a locked user, GET shows that instead.

    With ``phone`` in the query string, the new phone replaces that one.  A user without a phone
    must have signed in during the last ``FIRST_PHONE_SECONDS``.
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
        """Return whether the user must sign in again before they add a first phone."""
        return self.flow.obstacle_to_begin is Obstacle.OLD_SIGN_IN

    def ask_to_sign_in_again(self, request: HttpRequest) -> HttpResponse:
        """Show a button that signs the visitor out, and leads back here after a new login.

        The button is a POST, so that a link on another site cannot sign users out.
        """
        if request.method == "POST" and "sign_in_again" in request.POST:
            logout(request)
            return redirect_to_second_factor(None, request.get_full_path())
        return render(request, "bandwidth_mfa/sign_in_again.html", status=403)

    def context(self) -> dict[str, object]:
        return {
            **super().context(),
            "first": not self.flow.phones,
            "protects": not self.flow.phones
            and policy.would_owe_code_with_phone(self.request, self.user),
            "replaces": chosen_phone(self.request, self.flow.phones),
            "example": numbers.example(),
            "sends_texts": "sms" in conf.channels(),
            "default_region": numbers.default_region(),
        }

    def get(self, request: HttpRequest) -> HttpResponse:
        if self.flow.standing.is_locked:
            # No code would be sent, so show that before the user types a number.
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
            # The page shows that the user is locked.  The typed number is not needed then.
            return self.to_page("phone_add")
        except MFAError as error:
            outcome = outcome_of("send", error)
            if outcome.kind == "unknown":
                # The code may arrive, so continue to the next page, which has the field for it.
                return self.to_page("phone_confirm")
            return self.ask_again(form, error, outcome)
        return self.to_page("phone_confirm")

    def ask(self, form: PhoneForm, error: str = "", *, status: int = 200) -> HttpResponse:
        """Return the page with the form.

        :param error: why no code was sent.  Errors of the number are in the form.
        """
        context = {
            "form": form,
            "error": error,
            "form_id": refused_forms.new_id(),
            **self.context(),
        }
        return render(self.request, self.template_name, context, status=status)

    def ask_again(self, form: PhoneForm, error: MFAError, outcome: Outcome) -> HttpResponse:
        """Return the page after a refused send.

        It is not a redirect: the typed number would be lost, or would have to be stored.  A reload
        posts the form again, so a cookie remembers which form was refused.
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

        The next page shows the error if this fails.
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
