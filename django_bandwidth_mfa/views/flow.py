"""What the pages with a flow share: they try a code, send one, and tell what became of that.

Each POST ends in a redirect.  The page behind it says what happened, once
(:mod:`..internal.login.outcomes`).  So a reload, or the back button, tries nothing and sends
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

from django.contrib import messages
from django.forms import Form
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render

from ..conf import settings
from ..exceptions import MFAError, SessionEnded
from ..forms import CodeForm
from ..internal.flows import code_page
from ..internal.flows.base import Flow
from ..internal.login import outcomes
from ..internal.login.outcomes import Action, Outcome, outcome_of
from ..internal.login.redirects import with_next
from .base import MFAView, to_login_page

# The id of the paragraph under the title.
INTRODUCTION = "bandwidth-mfa-introduction"


class FlowView(MFAView):
    """A page of a flow: it shows a form, and what became of it."""

    template_name = ""
    leads_to_flow = True

    page_name = ""
    """The name of the URL of the page that tells what became of a form."""

    actions: tuple[Action, ...] = ("try", "send")
    """What the page tells of."""

    @cached_property
    def flow(self) -> Flow:
        """The flow of this request."""
        raise NotImplementedError

    def page_after_forgery(self) -> str:
        return with_next(self.page_name, self.flow.next)

    def context(self) -> dict[str, object]:
        """Return what the template shows besides the page itself."""
        challenge = self.flow.challenge
        return {
            "purpose": self.flow.purpose,
            # Only a message that names the site can be read by the browser.
            "fills_in": bool(settings.ORIGIN and challenge and challenge.channel == "sms"),
            "next": self.flow.next,
            "parked": self.flow.is_parked,
        }

    def show(self, outcome: Outcome | None = None, template_name: str = "") -> HttpResponse:
        """Return the code page.

        :param outcome: what became of this very request; None for what the form before it led to.
        :param template_name: empty for that of the view.
        """
        told = outcome or outcomes.read(self.request, self.user, *self.actions)
        page = code_page.look(self.flow, told)
        introduction = "bandwidth-mfa-delivery" if page.delivery else INTRODUCTION
        form = bound(
            CodeForm({}, digits=self.flow.digits), "code", page.error, described_by=introduction
        )
        return self.answer_with(page, form, template_name)

    def answer_with(
        self,
        page: code_page.CodePage | code_page.RecoveryPage,
        form: Form,
        template_name: str = "",
    ) -> HttpResponse:
        """Return the answer that shows ``page``; nothing of it is told again."""
        context = {"code_page": page, "form": form, **self.context()}
        template_name = template_name or self.template_name
        response = render(self.request, template_name, context, status=page.status)
        if page.retry_after:
            response["Retry-After"] = str(page.retry_after)
        self.forget_outcome(response)
        return response

    def sign_in_again(self, error: SessionEnded) -> HttpResponse:
        """Lead a visitor whose session is over to the login page, which says why."""
        messages.error(self.request, str(error), fail_silently=True)
        return to_login_page(self.request)

    def to_page(self, name: str, outcome: Outcome | None = None) -> HttpResponse:
        """Return a redirect to another of our pages, which keeps ``next``.

        :param outcome: what that page tells.
        """
        response = redirect(with_next(name, self.flow.next))
        if outcome is None:
            self.forget_outcome(response)
        else:
            outcomes.keep(self.request, response, self.user, outcome)
        return response

    def forget_outcome(self, response: HttpResponse) -> None:
        """Have no later page tell what became of a form before this one."""
        if self.request.method in ("GET", "POST") and outcomes.COOKIE in self.request.COOKIES:
            outcomes.drop(response)

    def code_form(self, data: Mapping[str, object]) -> CodeForm:
        """Return the form for the code that the flow waits for."""
        return CodeForm(data, digits=self.flow.digits)

    def try_code(self) -> HttpResponse:
        """Answer a POST of a code: lead where it leads, or back to the page, which says why."""
        return self.answer(self.code_form(self.request.POST), "code", "try", self.flow.verify)

    def answer(
        self, form: Form, field: str, action: Action, attempt: Callable[[str], str | None]
    ) -> HttpResponse:
        """Answer a POST of ``form``: lead where its ``field`` leads, or back to the page.

        :param attempt: tries what was typed; it returns where to go, or None if that was wrong.
        """
        if not form.is_valid():
            text = str(form.errors[field][0])
            return self.to_page(self.page_name, Outcome(action, "malformed", text=text))
        try:
            destination = attempt(form.cleaned_data[field])
        except SessionEnded as error:
            return self.sign_in_again(error)
        except MFAError as error:
            return self.to_page(self.page_name, outcome_of(action, error))
        if destination is None:
            return self.to_page(self.page_name, Outcome(action, "wrong"))
        response = HttpResponseRedirect(destination)
        self.forget_outcome(response)
        return response


def bound(form: Form, field: str, error: str, *, described_by: str = INTRODUCTION) -> Form:
    """Return ``form``, which is bound to nothing, with ``error`` alone at its ``field``.

    :param described_by: the id of what says where the code went, or comes from.  A screen reader
        that is in the field reads it out, after the error.
    """
    form.errors.clear()
    if error:
        form.add_error(field, error)
    ids = [form[field].aria_describedby, described_by]
    form.fields[field].widget.attrs["aria-describedby"] = " ".join(filter(None, ids))
    return form
