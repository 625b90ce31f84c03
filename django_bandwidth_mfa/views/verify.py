"""The code page of a login and of a step-up, and its two buttons: send and cancel."""

from __future__ import annotations

import math
from functools import cached_property

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect

from ..conf import settings
from ..exceptions import Busy, MFAError
from ..internal.flows.base import Flow
from ..internal.flows.choice import code_flow
from ..internal.flows.login import LoginFlow, cancel
from ..internal.login import outcomes
from ..internal.login.outcomes import outcome_of
from ..internal.login.redirects import default_page, login_url, next_of, with_next
from ..request import mfa_of
from .base import MFAView
from .flow import FlowView


class CodeView(FlowView):
    """A page about the code of a login, if the session is parked, or else of a step-up."""

    template_name = "bandwidth_mfa/verify.html"
    page_name = "verify"

    @cached_property
    def flow(self) -> Flow:
        return code_flow(self.request, self.user)

    def context(self) -> dict[str, object]:
        return {**super().context(), "trust_days": self.flow.trust_days}


class VerifyView(CodeView):
    """GET shows the page; POST ``code`` checks a code.

    The first GET after the password sends the code that the login owes.  If this fails, the next
    GET tries again.  No other GET sends a code.  If the site was busy, a script of the page asks
    for it again.
    """

    _asks_again = False
    """Whether the page asks for the owed code again: the site was too busy to send it."""

    def context(self) -> dict[str, object]:
        # Then the calls that were first in the queue have begun, or have been refused.
        seconds = math.ceil(settings.WAIT_SECONDS) + 1 if self._asks_again else 0
        return {**super().context(), "ask_again_after": seconds}

    def get(self, request: HttpRequest) -> HttpResponse:
        flow = self.flow
        if not flow.phones:
            return self.to_page("phone_add")
        if mfa_of(request).state == "verified" and not flow.next:
            return HttpResponseRedirect(flow.destination())
        outcome = outcomes.read(request, self.user, *self.actions)
        was_pressed = outcome is not None and outcome.action == "send"
        # HEAD, which prefetching programs send, also comes here, and must send nothing.  If the
        # send button has just failed, a code may still be owed, but it is not requested again at
        # once.
        if isinstance(flow, LoginFlow) and request.method == "GET" and not was_pressed:
            try:
                flow.send_owed()
            except MFAError as error:
                self._asks_again = isinstance(error, Busy)
                return self.show(outcome_of("send", error))
        return self.show()

    def post(self, request: HttpRequest) -> HttpResponse:
        flow = self.flow
        if flow.newest is None and not flow.phones:
            return self.to_page("phone_add")
        answer = self.try_code()
        if "trust" in request.POST:
            flow.remember_browser(answer)
        return answer


class SendView(CodeView):
    """POST ``phone`` (its :attr:`.Phone.choice`) and ``channel`` sends another code.

    Without ``channel``, the preferred channel of the phone is used.
    """

    def get(self, request: HttpRequest) -> HttpResponse:
        """Redirect a visitor who comes back to the URL of the button."""
        return self.to_page("verify")

    def post(self, request: HttpRequest) -> HttpResponse:
        flow = self.flow
        if not flow.phones:
            return self.to_page("phone_add")
        try:
            flow.send_to(request.POST.get("phone"), request.POST.get("channel"))
        except MFAError as error:
            return self.to_page("verify", outcome_of("send", error))
        return self.to_page("verify")


class CancelView(MFAView):
    """POST leaves the page.  A parked login is cancelled; a signed-in user is redirected."""

    http_method_names = ["post", "options"]  # noqa: RUF012  Django's own form
    leads_to_flow = True

    def page_after_forgery(self) -> str:
        return with_next("verify", next_of(self.request))

    def post(self, request: HttpRequest) -> HttpResponse:
        return redirect(login_url() if cancel(request) else default_page(request))
