"""What the pages with a flow share: they try a code, and show what stops it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

from django.contrib import messages
from django.forms import Form
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from .. import conf
from ..conf import settings
from ..exceptions import Busy, Limited, MFAError, SessionEnded
from ..forms import CodeForm
from ..internal.codes import delivery
from ..internal.flows.base import Flow
from ..internal.login.redirects import with_next
from ..internal.notify import delivery_errors
from ..models import Phone
from .base import MFAView, to_login_page


class FlowView(MFAView):
    """A page of a flow: it shows a form, and what became of it."""

    template_name = ""

    @cached_property
    def flow(self) -> Flow:
        """The flow of this request."""
        raise NotImplementedError

    @property
    def phone(self) -> Phone | None:
        """The phone that the buttons of the page send a code to; None if that is not known yet."""
        return self.flow.next_phone

    def channels(self) -> list[str]:
        """Return the channels that the page offers; the one that its phone prefers comes first."""
        phone = self.phone
        preferred = phone.default_channel if phone else None
        return sorted(conf.channels(), key=lambda channel: channel != preferred)

    def context(self) -> dict[str, object]:
        """Return what the template shows, apart from the form."""
        challenge = self.flow.challenge
        return {
            "purpose": self.flow.purpose,
            "challenge": challenge,
            "channel": challenge.channel if challenge else None,
            "channels": self.channels(),
            # Only a message that names the site can be read by the browser.
            "fills_in": bool(settings.ORIGIN and challenge and challenge.channel == "sms"),
            "minutes": max(1, int(settings.EXPIRATION_MINUTES)),
            "sent_at": challenge.sent_at if challenge else None,
            "wait": self.flow.seconds_until_send,
            "next": self.flow.next,
            "parked": self.flow.is_parked,
            # Counted only by a page that shows it.
            "recovery_codes_left": SimpleLazyObject(lambda: self.flow.recovery_codes_left),
            "refusal": delivery_errors.explain(
                challenge.delivery_error if challenge else None
            ).told(can_call="voice" in conf.channels()),
            "delivery_url": delivery.address_of(challenge)
            if challenge is not None and challenge.is_followed
            else "",
        }

    def page(self, form: Form, *, template: str = "", status: int = 200) -> HttpResponse:
        """Return the page with ``form``.

        :param template: the template; the view's own if it is empty.
        """
        context = {"form": form, **self.context()}
        return render(self.request, template or self.template_name, context, status=status)

    def refused(
        self, form: Form, field: str, error: MFAError, *, template: str = ""
    ) -> HttpResponse:
        """Return the page again; it says what happened and what to do next.

        :param field: the field of ``form`` that shows the error.
        """
        # Drop the field's own "required" error, so that this error alone is shown.
        form.errors.pop(field, None)
        form.add_error(field, str(error))
        if not isinstance(error, Limited | Busy):
            return self.page(form, template=template)
        response = self.page(form, template=template, status=429)
        response["Retry-After"] = str(error.retry_after)
        return response

    def sign_in_again(self, error: SessionEnded) -> HttpResponse:
        """Lead a visitor whose session is over to the login page, which says why."""
        messages.error(self.request, str(error), fail_silently=True)
        return to_login_page(self.request)

    def to_page(self, name: str) -> HttpResponse:
        """Return a redirect to another of our pages, which keeps ``next``."""
        return redirect(with_next(name, self.flow.next))

    def code_form(self, data: Mapping[str, object] | None = None) -> CodeForm:
        """Return the form for the code that the flow waits for.

        With ``{}`` the form is bound.  Django adds errors to a bound form only.
        """
        return CodeForm(data, digits=self.flow.digits)

    def try_code(self) -> HttpResponse:
        """Answer a POST of a code: go where it leads, or show the page again."""
        wrong = _("That code is not right. Please check it and try again.")
        return self.answer(self.code_form(self.request.POST), "code", self.flow.verify, wrong)

    def answer(
        self, form: Form, field: str, attempt: Callable[[str], str | None], wrong: str
    ) -> HttpResponse:
        """Answer a POST of ``form``: go where its ``field`` leads, or show the page again.

        :param attempt: tries what was typed; it returns where to go, or None if that was wrong.
        :param wrong: what the page says then.
        """
        if form.is_valid():
            try:
                destination = attempt(form.cleaned_data[field])
            except SessionEnded as error:
                return self.sign_in_again(error)
            except MFAError as error:
                return self.refused(form, field, error)
            if destination is not None:
                return HttpResponseRedirect(destination)
            form.add_error(field, wrong)
        return self.page(form)
