"""A user's phones: the list, the two pages that enrol one, and those that change one."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from .. import conf
from ..conf import settings
from ..exceptions import LastPhone, MFAError, NoPhone
from ..flows import EnrolFlow, Flow
from ..forms import PhoneForm, PhoneNameForm
from ..internal import numbers
from ..internal.codes import recovery_codes
from ..internal.login import policy
from ..internal.login.mark import outlive
from ..internal.login.redirects import next_of, next_or_default, redirect_to_second_factor
from ..internal.phones import changes, suggestion
from ..internal.phones.source import phone_source
from ..models import Phone, RecoveryCode
from ..request import mfa_of
from .base import STEP_UP_SECONDS, FreshView, MFAView, SignedInView, code_form, recheck_now
from .verify import to_page, try_code


def phones_url(*, changed: bool = False) -> str:
    url = reverse("bandwidth_mfa:phones")
    return f"{url}?changed" if changed else url


def chosen_phone(request: HttpRequest, user: Any) -> Phone | None:
    """The one of ``user``'s own confirmed phones that ``request`` names, if it names one."""
    choice = request.POST.get("phone") or request.GET.get("phone")
    return next((one for one in phone_source().confirmed(user) if one.choice == choice), None)


class PhonesView(SignedInView):
    """GET lists the phones; POST ``phone`` and ``name`` names one."""

    template_name = "bandwidth_mfa/phones.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.show(request, {})

    def post(self, request: HttpRequest) -> HttpResponse:
        phone = chosen_phone(request, self.user)
        if phone is None or phone.pk is None:
            return redirect(phones_url())
        form = PhoneNameForm(phone, request.POST)
        if form.is_valid():
            changes.rename(phone, form.cleaned_data["name"])
            return redirect(phones_url())
        return self.show(request, {phone.pk: form})

    def show(self, request: HttpRequest, forms: dict[int, PhoneNameForm]) -> HttpResponse:
        found = phone_source().confirmed(self.user)
        rows = [(phone, forms.get(phone.pk) or PhoneNameForm(phone)) for phone in found]
        context = {
            "rows": rows,
            "errors": bool(forms),
            "changed": "changed" in request.GET,
            "kept_by_site": not phone_source().can_change,
            "must_stay": len(found) == 1 and policy.is_obliged(self.user),
            "recovery_codes_left": RecoveryCode.objects.left(self.user),
            "few_recovery_codes": recovery_codes.are_few(self.user),
            "set_size": settings.RECOVERY_CODES,
            "trust_days": settings.TRUST_DAYS,
            "done_url": next_or_default(request),
        }
        return render(request, self.template_name, context)


class EnrolView(MFAView):
    """Who may enrol: a user without a phone, parked or signed in; with one, after a step-up."""

    def turn_away(self, request: HttpRequest) -> HttpResponse | None:
        if not phone_source().can_change:
            return kept_by_site(request)
        recheck_now(request)
        answer = super().turn_away(request)
        if answer is None and self.flow().phones:
            if self.flow().is_parked:
                # Someone with the password alone must not replace the phone they cannot answer.
                return to_page("verify", self.flow())
            if not mfa_of(request).is_verified(STEP_UP_SECONDS):
                return redirect_to_second_factor(self.user, request.get_full_path())
        return answer

    def flow(self) -> EnrolFlow:
        return EnrolFlow(self.request, self.user)


def kept_by_site(request: HttpRequest) -> HttpResponse:
    """The site keeps the numbers itself (``GET_PHONES``), so only the site can change them."""
    context = {"parked": mfa_of(request).state == "parked"}
    return render(request, "bandwidth_mfa/no_phone.html", context, status=403)


class PhoneAddView(EnrolView):
    """GET shows the form; POST ``number`` sends the first code, POST ``resend`` another.

    With ``phone`` in the address, the new one takes that one's place.
    """

    template_name = "bandwidth_mfa/phone_add.html"

    def context(self, flow: Flow) -> dict[str, Any]:
        return {
            **super().context(flow),
            "first": not flow.phones,
            "replaces": chosen_phone(self.request, self.user),
            "example": numbers.example(),
            "default_region": numbers.default_region(),
        }

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.page(PhoneForm(), **self.context(self.flow()))

    def post(self, request: HttpRequest) -> HttpResponse:
        flow = self.flow()
        if "resend" in request.POST:
            return PhoneConfirmView.resend(request, flow)
        form = PhoneForm(request.POST)
        if form.is_valid():
            number, channel = form.cleaned_data["number"], form.cleaned_data.get("channel") or None
            try:
                flow.add(number, channel, replaces=chosen_phone(request, self.user))
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


class ChangeView(FreshView):
    """GET asks whether ``phone`` is really to be changed; POST does it.

    The GET is where a visitor comes back to from the code that it takes, so nothing is lost.
    """

    def turn_away(self, request: HttpRequest) -> HttpResponse | None:
        if not phone_source().can_change:
            return kept_by_site(request)
        return super().turn_away(request)

    def here(self) -> str:
        choice = self.request.POST.get("phone") or self.request.GET.get("phone")
        return f"{self.request.path}?{urlencode({'phone': choice})}" if choice else phones_url()

    def get(self, request: HttpRequest) -> HttpResponse:
        phone = chosen_phone(request, self.user)
        if phone is None:
            return redirect(phones_url())
        return self.ask(request, phone)

    def post(self, request: HttpRequest) -> HttpResponse:
        phone = chosen_phone(request, self.user)
        if phone is None:  # removed in another tab, perhaps
            return redirect(phones_url())
        return self.change(request, phone)

    def ask(self, request: HttpRequest, phone: Phone, error: str = "") -> HttpResponse:
        context = {"phone": phone, "error": error, "phones_url": phones_url()}
        return render(request, self.template_name, context)

    def change(self, request: HttpRequest, phone: Phone) -> HttpResponse:
        raise NotImplementedError


class PhoneRemoveView(ChangeView):
    template_name = "bandwidth_mfa/phone_remove.html"

    def change(self, request: HttpRequest, phone: Phone) -> HttpResponse:
        owes_code = partial(policy.owes_code, request, self.user)
        try:
            before = changes.remove(phone, must_stay=owes_code, request=request)
        except LastPhone as error:
            return self.ask(request, phone, str(error))
        outlive(request.session, self.user, before)
        said = _("The phone %(number)s is removed.") % {"number": phone.masked}
        messages.success(request, said, fail_silently=True)
        return redirect(phones_url(changed=True))


class PhonePrimaryView(ChangeView):
    template_name = "bandwidth_mfa/phone_primary.html"

    def change(self, request: HttpRequest, phone: Phone) -> HttpResponse:
        with suppress(NoPhone):  # removed in another tab, this very moment
            changes.make_primary(phone, request=request)
        said = _("Codes now go to the phone %(number)s first.") % {"number": phone.masked}
        messages.success(request, said, fail_silently=True)
        return redirect(phones_url())


class SuggestionView(SignedInView):
    """GET suggests a phone to someone who need not have one; POST is "not now"."""

    template_name = "bandwidth_mfa/suggestion.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        context = {"next": next_of(request), "done_url": next_or_default(request)}
        return render(request, self.template_name, context)

    def post(self, request: HttpRequest) -> HttpResponse:
        suggestion.decline(self.user)
        return HttpResponseRedirect(next_or_default(request))
