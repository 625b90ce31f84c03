"""The API for the code of a login or a step-up: state, send, verify, recover and cancel."""

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
from .base import APIView, AskingView, PublicAPIView, json_response
from .bodies import Fields, Flag, Text
from .errors import APIError


class StateView(APIView):
    """GET returns the state of the session, also for anonymous visitors.  It sends no code."""

    def obstacle(self, request: HttpRequest) -> Obstacle | None:
        obstacle = super().obstacle(request)
        return None if obstacle is Obstacle.ANONYMOUS else obstacle

    def get(self, request: HttpRequest) -> HttpResponse:
        if self.ticket is not None:
            return state_response(request, TicketLoginFlow(request, self.user, self.ticket))
        return state_response(request)


class CodeAPIView(APIView):
    """An API view about the code of a login, if the session is parked, or else of a step-up."""

    @cached_property
    def flow(self) -> Flow:
        if self.ticket is not None:
            return TicketLoginFlow(self.request, self.user, self.ticket)
        return code_flow(self.request, self.user)

    def need_phone(self) -> None:
        """Check that the user has a confirmed phone.

        :raises APIError: the user has none.
        """
        if not self.flow.phones:
            raise APIError("phone_required")


class SendView(AskingView, CodeAPIView):
    """POST sends a code to ``phone`` by ``channel``.

    The defaults are the first phone, and the preferred channel of the phone.
    """

    fields: ClassVar[Fields] = {"phone": Text(required=False), "channel": Text(required=False)}

    def post(self, request: HttpRequest, data: dict[str, Any]) -> Steps[HttpResponse]:
        self.need_phone()
        yield from self.flow.send_to_steps(data["phone"], data["channel"])
        return state_response(request, self.flow)


class VerifyView(AskingView, CodeAPIView):
    """POST checks ``code``.  With ``trust``, later logins in this browser need no code."""

    fields: ClassVar[Fields] = {"code": Text(), "trust": Flag()}

    def post(self, request: HttpRequest, data: dict[str, Any]) -> Steps[HttpResponse]:
        flow = self.flow
        if flow.newest is None:
            self.need_phone()
        code = cleaned(CodeForm({"code": data["code"]}, digits=flow.digits), "code")
        if (yield from flow.verify_steps(code)) is None:
            raise APIError("wrong_code")
        answer = state_response(request, flow)
        if data["trust"]:
            flow.remember_browser(answer)
        return answer


class RecoveryCodeView(CodeAPIView):
    """POST checks ``recovery_code`` instead of a code."""

    fields: ClassVar[Fields] = {"recovery_code": Text()}

    @sensitive_variables()
    def post(self, request: HttpRequest, data: dict[str, Any]) -> HttpResponse:
        code = cleaned(RecoveryCodeForm(data), "recovery_code")
        if self.flow.recover(code) is None:
            raise APIError("wrong_recovery_code")
        return state_response(request, self.flow)


class CancelView(APIView):
    """POST cancels a parked login, or uses up a ticket.  Other sessions are not changed."""

    def post(self, request: HttpRequest, data: dict[str, Any]) -> HttpResponse:
        if self.ticket is not None:
            tickets.cancel(self.ticket)
            return json_response(shapes.anonymous())
        cancel(request)
        return state_response(request)


class DeliveryView(PublicAPIView):
    """GET returns the delivery of the message of one code.  It uses no session.

    A client polls it.  With a session, a slow response could come after the response to a right
    code; its session cookie would replace the new one, and sign the user out.  The URL is signed,
    and the response shows only whether the message of one challenge was delivered.
    """

    def get(self, request: HttpRequest, signed: str) -> HttpResponse:
        followed = delivery.followed(signed)
        if followed is None:
            raise APIError("not_found")
        return json_response(shapes.delivery_of(followed.challenge))


def state_response(request: HttpRequest, flow: Flow | None = None) -> HttpResponse:
    """Return the response with the state.

    :param flow: the flow of the request, which knows the state of a ticket.
    """
    if isinstance(flow, TicketFlow):
        return json_response(shapes.state_of_ticket(flow))
    return json_response(shapes.state(request))


@sensitive_variables()
def cleaned(form: forms.Form, field: str) -> str:
    """Return the cleaned value of ``field`` in ``form``.

    :raises APIError: the form is not valid.
    """
    if not form.is_valid():
        raise APIError("invalid", str(form.errors[field][0]))
    value: str = form.cleaned_data[field]
    return value
