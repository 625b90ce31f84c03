"""The code of a login or of a step-up: the state of the session, send, verify, recover, cancel."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

from django import forms
from django.http import HttpRequest, HttpResponse
from django.views.decorators.debug import sensitive_variables

from ..forms import CodeForm, RecoveryCodeForm
from ..internal.codes import delivery
from ..internal.codes.steps import Steps
from ..internal.flows.base import Flow
from ..internal.flows.choice import code_flow
from ..internal.flows.gate import Obstacle
from ..internal.flows.login import cancel
from ..internal.flows.tickets import TicketFlow, TicketLoginFlow
from ..internal.login import tickets
from . import shapes
from .base import APIView, AskingView, PublicAPIView, told
from .bodies import Fields, Flag, Text
from .errors import APIError


class StateView(APIView):
    """GET tells what the session has shown, to everybody.  It sends no code."""

    def obstacle(self, request: HttpRequest) -> Obstacle | None:
        found = super().obstacle(request)
        return None if found is Obstacle.ANONYMOUS else found

    def get(self, request: HttpRequest) -> HttpResponse:
        if self.ticket is not None:
            return told_state(request, TicketLoginFlow(request, self.user, self.ticket))
        return told_state(request)


class CodeAPIView(APIView):
    """An address about a code: for a login while the session is parked, else for a step-up."""

    @cached_property
    def flow(self) -> Flow:
        if self.ticket is not None:
            return TicketLoginFlow(self.request, self.user, self.ticket)
        return code_flow(self.request, self.user)

    def need_phone(self) -> None:
        """Stop a visitor who has no phone that a code could go to.

        :raises APIError: there is none.
        """
        if not self.flow.phones:
            raise APIError("phone_required")


class SendView(AskingView, CodeAPIView):
    """POST sends a code: to ``phone``, or else the first one; by ``channel``, or else the one that
    is preferred for the phone."""

    fields: ClassVar[Fields] = {"phone": Text(required=False), "channel": Text(required=False)}

    def post(self, request: HttpRequest, data: dict[str, Any]) -> Steps[HttpResponse]:
        self.need_phone()
        yield from self.flow.send_to_steps(data["phone"], data["channel"])
        return told_state(request, self.flow)


class VerifyView(AskingView, CodeAPIView):
    """POST tries ``code``.  With ``trust`` a login is also the last one here to need a code."""

    fields: ClassVar[Fields] = {"code": Text(), "trust": Flag()}

    def post(self, request: HttpRequest, data: dict[str, Any]) -> Steps[HttpResponse]:
        flow = self.flow
        if flow.newest is None:
            self.need_phone()
        code = cleaned(CodeForm({"code": data["code"]}, digits=flow.digits), "code")
        if (yield from flow.verify_steps(code)) is None:
            raise APIError("wrong_code")
        answer = told_state(request, flow)
        if data["trust"]:
            flow.remember_browser(answer)
        return answer


class RecoveryCodeView(CodeAPIView):
    """POST tries ``recovery_code`` instead of a code."""

    fields: ClassVar[Fields] = {"recovery_code": Text()}

    @sensitive_variables()
    def post(self, request: HttpRequest, data: dict[str, Any]) -> HttpResponse:
        code = cleaned(RecoveryCodeForm(data), "recovery_code")
        if self.flow.recover(code) is None:
            raise APIError("wrong_recovery_code")
        return told_state(request, self.flow)


class CancelView(APIView):
    """POST forgets a parked login, or uses a ticket up.  Nothing happens to anybody else."""

    def post(self, request: HttpRequest, data: dict[str, Any]) -> HttpResponse:
        if self.ticket is not None:
            tickets.cancel(self.ticket)
            return told(shapes.anonymous())
        cancel(request)
        return told_state(request)


class DeliveryView(PublicAPIView):
    """GET tells what became of the message of one code.  It reads no session.

    A client asks it again and again while it waits.  Asked with the session, a late answer could
    overtake the answer to a right code, and the cookie that it sets would sign the user out.  The
    address is signed, and says of one challenge whether its message was delivered.
    """

    def get(self, request: HttpRequest, signed: str) -> HttpResponse:
        found = delivery.followed(signed)
        if found is None:
            raise APIError("not_found")
        return told(shapes.delivery_of(found.challenge))


def told_state(request: HttpRequest, flow: Flow | None = None) -> HttpResponse:
    """Return the answer that tells the state.

    :param flow: the flow of the request; it tells the state of a ticket.
    """
    if isinstance(flow, TicketFlow):
        return told(shapes.state_of_ticket(flow))
    return told(shapes.state(request))


@sensitive_variables()
def cleaned(form: forms.Form, field: str) -> str:
    """Return what ``form`` makes of its ``field``.

    :raises APIError: it is not valid.
    """
    if not form.is_valid():
        raise APIError("invalid", str(form.errors[field][0]))
    value: str = form.cleaned_data[field]
    return value
