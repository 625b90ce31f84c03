"""The base class of the pages with a flow: they check and send codes, and show the outcome.

Each POST ends with a redirect, and the next page shows the outcome once
(:mod:`..internal.login.outcomes`).  So a reload, or the back button, does not check or send a code
again.
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
    """A page of a flow: it shows a form, and the outcome of the last form."""

    template_name = ""
    leads_to_flow = True

    page_name = ""
    """The URL name of the page that shows the outcome of a form."""

    actions: tuple[Action, ...] = ("try", "send")
    """The actions whose outcomes the page shows."""

    @cached_property
    def flow(self) -> Flow:
        """The flow of this request."""
        raise NotImplementedError

    def page_after_forgery(self) -> str:
        return with_next(self.page_name, self.flow.next)

    def context(self) -> dict[str, object]:
        """Return the context variables besides the page and the form."""
        challenge = self.flow.challenge
        return {
            "purpose": self.flow.purpose,
            # A browser can read the code only from a message that names the site.
            "fills_in": bool(settings.ORIGIN and challenge and challenge.channel == "sms"),
            "next": self.flow.next,
            "parked": self.flow.is_parked,
        }

    def show(self, outcome: Outcome | None = None, template_name: str = "") -> HttpResponse:
        """Return the code page.

        :param outcome: the outcome of this request; None for the outcome of the last form.
        :param template_name: the template; empty for the template of the view.
        """
        shown = outcome or outcomes.read(self.request, self.user, *self.actions)
        page = code_page.look(self.flow, shown)
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
        """Return the response that shows ``page``, and delete the outcome."""
        context = {"code_page": page, "form": form, **self.context()}
        template_name = template_name or self.template_name
        response = render(self.request, template_name, context, status=page.status)
        if page.retry_after:
            response["Retry-After"] = str(page.retry_after)
        self.forget_outcome(response)
        return response

    def sign_in_again(self, error: SessionEnded) -> HttpResponse:
        """Return a redirect to the login page, with a message, after the session has ended."""
        messages.error(self.request, str(error), fail_silently=True)
        return to_login_page(self.request)

    def to_page(self, name: str, outcome: Outcome | None = None) -> HttpResponse:
        """Return a redirect to another page of the app, with the same ``next``.

        :param outcome: the outcome that the page shows; None for no outcome.
        """
        response = redirect(with_next(name, self.flow.next))
        if outcome is None:
            self.forget_outcome(response)
        else:
            outcomes.keep(self.request, response, self.user, outcome)
        return response

    def forget_outcome(self, response: HttpResponse) -> None:
        """Delete the outcome of an earlier form."""
        if self.request.method in ("GET", "POST") and outcomes.COOKIE in self.request.COOKIES:
            outcomes.drop(response)

    def code_form(self, data: Mapping[str, object]) -> CodeForm:
        """Return the form for the code of the flow."""
        return CodeForm(data, digits=self.flow.digits)

    def try_code(self) -> HttpResponse:
        """Handle a POST of a code, and return a redirect to its target or back to the page."""
        return self.answer(self.code_form(self.request.POST), "code", "try", self.flow.verify)

    def answer(
        self, form: Form, field: str, action: Action, attempt: Callable[[str], str | None]
    ) -> HttpResponse:
        """Handle a POST of ``form``, and return a redirect to its target or back to the page.

        :param attempt: a function that checks the typed text of ``field``.  It returns the URL to
            redirect to, or None if the text is wrong.
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
    """Return ``form`` with only the error ``error`` at its ``field``.

    :param described_by: the id of the element that describes the code.  A screen reader reads it
        out after the error.
    """
    form.errors.clear()
    if error:
        form.add_error(field, error)
    ids = [form[field].aria_describedby, described_by]
    form.fields[field].widget.attrs["aria-describedby"] = " ".join(filter(None, ids))
    return form
