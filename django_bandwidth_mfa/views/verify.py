"""The code page of a login and of a step-up, and its two side doors."""

from __future__ import annotations

from typing import Any

from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, resolve_url
from django.utils.translation import gettext as _

from .. import conf
from ..conf import settings
from ..exceptions import MFAError, NoPhone
from ..flows import Flow, LoginFlow, StepUpFlow
from ..internal.login import trusted_browsers
from ..internal.login.redirects import login_url, with_next
from ..request import mfa_of
from .base import MFAView, code_form


def to_page(name: str, flow: Flow) -> HttpResponse:
    """A redirect to another of our pages that keeps ``next``."""
    return redirect(with_next(name, flow.next))


class CodeView(MFAView):
    """A code for the visitor's purpose: login while it is parked, step-up once it is signed in."""

    template_name = "bandwidth_mfa/verify.html"

    def flow(self) -> Flow:
        state = mfa_of(self.request).state
        return (LoginFlow if state == "parked" else StepUpFlow)(self.request, self.user)

    def context(self, flow: Flow) -> dict[str, Any]:
        challenge, phone = flow.challenge, next(iter(flow.phones), None)
        if challenge:
            sent_to = challenge.phone_choice
            phone = next((one for one in flow.phones if one.choice == sent_to), phone)
        return {
            **super().context(flow),
            "phones": flow.phones,
            "trust_days": settings.TRUST_DAYS if isinstance(flow, LoginFlow) else 0,
            "phone": phone,
            "number": challenge.masked if challenge else phone.masked if phone else "",
        }


class VerifyView(CodeView):
    """GET shows the page, POST ``code`` tries a code.

    The first GET after the password sends the code that the login owes; no other sends anything.
    """

    def get(self, request: HttpRequest) -> HttpResponse:
        flow = self.flow()
        if not flow.phones:
            return to_page("phone_add", flow)
        if mfa_of(request).state == "verified" and not flow.next:
            return HttpResponseRedirect(flow.destination())
        # HEAD comes here too, from things that look ahead; it sends nothing.
        if isinstance(flow, LoginFlow) and request.method == "GET":
            try:
                flow.send_owed()
            except MFAError as error:
                return self.refused(code_form(flow, {}), "code", error, flow)
        return self.page(code_form(flow), **self.context(flow))

    def post(self, request: HttpRequest) -> HttpResponse:
        flow = self.flow()
        if flow.newest is None and not flow.phones:
            return to_page("phone_add", flow)
        # Before the code: afterwards it is no login any more.
        asked = isinstance(flow, LoginFlow) and "trust" in request.POST
        answer = try_code(self, flow)
        if asked and flow.has_passed:
            trusted_browsers.remember(request, answer, flow.user)
        return answer


def try_code(view: MFAView, flow: Flow) -> HttpResponse:
    """Answer a POST of a code: on to where it leads, or the page again."""
    form = code_form(flow, view.request.POST)
    if form.is_valid():
        try:
            destination = flow.verify(form.cleaned_data["code"])
        except MFAError as error:
            return view.refused(form, "code", error, flow)
        if destination is not None:
            return HttpResponseRedirect(destination)
        form.add_error("code", _("That code is not right. Please check it and try again."))
    return view.page(form, **view.context(flow))


class SendView(CodeView):
    """POST ``phone`` (its :attr:`~..models.Phone.choice`) and ``channel``: another code, please."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Someone came back to the address of a page that said "please wait"."""
        return to_page("verify", self.flow())

    def post(self, request: HttpRequest) -> HttpResponse:
        flow = self.flow()
        if not flow.phones:
            return to_page("phone_add", flow)
        choice = request.POST.get("phone") or flow.phones[0].choice
        # Only among the user's own confirmed phones: a number from the browser would let a visitor
        # who knows a password have the code sent to himself.
        phone = next((one for one in flow.phones if one.choice == choice), None)
        channel = request.POST.get("channel") or None
        try:
            if phone is None or channel not in (None, *conf.channels()):
                raise NoPhone
            flow.send(phone, channel)
        except MFAError as error:
            return self.refused(code_form(flow, {}), "code", error, flow)
        return to_page("verify", flow)


class CancelView(MFAView):
    """POST: leave.  A parked login is forgotten; a signed-in user just goes back."""

    http_method_names = ["post", "options"]  # noqa: RUF012  Django's own form

    def post(self, request: HttpRequest) -> HttpResponse:
        if mfa_of(request).state == "parked":
            request.session.flush()
            return redirect(login_url())
        return redirect(resolve_url(django_settings.LOGIN_REDIRECT_URL))
