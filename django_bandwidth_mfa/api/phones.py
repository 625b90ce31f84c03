"""The API for the phones of the user: list, add, confirm, primary, rename, channel, remove."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from .. import conf
from ..exceptions import NoPhone
from ..forms import CodeForm, PhoneNameForm
from ..internal import numbers
from ..internal.codes.steps import Steps
from ..internal.flows.enrolment import EnrolFlow
from ..internal.flows.gate import Obstacle, recheck_now
from ..internal.flows.phones import remove_phone
from ..internal.flows.tickets import TicketEnrolFlow
from ..internal.phones import changes
from ..internal.phones.source import phone_of_choice, phone_source
from ..models import Phone
from . import shapes
from .base import APIView, AskingView, FreshAPIView, SignedInAPIView, json_response
from .bodies import Fields, Text
from .codes import cleaned, state_response
from .errors import APIError


class PhonesView(SignedInAPIView):
    """GET lists the confirmed phones."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return json_response(shapes.phones(self.user))


# Adding one --------------------------------------------------------------------------------------


class EnrolAPIView(APIView):
    """An API view of an enrolment.

    A user without a phone may enrol one, parked or signed in.  A user with a phone must have given
    a code in the last minutes.
    """

    @cached_property
    def flow(self) -> EnrolFlow:
        if self.ticket is not None:
            return TicketEnrolFlow(self.request, self.user, self.ticket)
        return EnrolFlow(self.request, self.user)

    def obstacle(self, request: HttpRequest) -> Obstacle | None:
        need_own_table()
        if self.ticket is None:
            recheck_now(request)
        return super().obstacle(request) or self.flow.obstacle

    def need_enrolment(self) -> None:
        """Check that the user has begun to add a phone.

        :raises APIError: no phone is being added.
        """
        if self.flow.phone is None:
            raise APIError("no_enrolment")


class PendingView(EnrolAPIView):
    """GET returns the phone that is being added."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return json_response(shapes.enrolment(self.flow))


class AddView(AskingView, EnrolAPIView):
    """POST sends the first code to ``number``.  The phone replaces ``replaces``, if given."""

    fields: ClassVar[Fields] = {
        "number": Text(longest=40),
        "channel": Text(required=False),
        "replaces": Text(required=False),
    }

    def obstacle(self, request: HttpRequest) -> Obstacle | None:
        return super().obstacle(request) or self.flow.obstacle_to_begin

    def post(self, request: HttpRequest, data: dict[str, Any]) -> Steps[HttpResponse]:
        number, channel = numbers.parse(data["number"]), offered(data["channel"])
        replaces = phone_of_choice(self.flow.phones, data["replaces"])
        if data["replaces"] and replaces is None:
            raise NoPhone
        yield from self.flow.add_steps(number, channel, replaces=replaces)
        return json_response(shapes.enrolment(self.flow))


class ResendView(AskingView, EnrolAPIView):
    """POST sends another code to the phone that is being added."""

    fields: ClassVar[Fields] = {"channel": Text(required=False)}

    def post(self, request: HttpRequest, data: dict[str, Any]) -> Steps[HttpResponse]:
        channel = offered(data["channel"])
        self.need_enrolment()
        yield from self.flow.resend_steps(channel)
        return json_response(shapes.enrolment(self.flow))


class ConfirmView(AskingView, EnrolAPIView):
    """POST ``code`` confirms the phone that is being added.  It completes a parked login."""

    fields: ClassVar[Fields] = {"code": Text()}

    def post(self, request: HttpRequest, data: dict[str, Any]) -> Steps[HttpResponse]:
        self.need_enrolment()
        code = cleaned(CodeForm({"code": data["code"]}, digits=self.flow.digits), "code")
        if (yield from self.flow.verify_steps(code)) is None:
            raise APIError("wrong_code")
        return state_response(request, self.flow)


# Changing one ------------------------------------------------------------------------------------


class ChangeView(FreshAPIView):
    """An API view that changes one phone, and returns the list."""

    def obstacle(self, request: HttpRequest) -> Obstacle | None:
        need_own_table()
        return super().obstacle(request)

    def post(self, request: HttpRequest, phone: str, data: dict[str, Any]) -> HttpResponse:
        chosen = phone_of_choice(phone_source().confirmed(self.user), phone)
        if chosen is None:
            raise NoPhone
        self.change(request, chosen, data)
        return json_response(shapes.phones(self.user))

    def change(self, request: HttpRequest, phone: Phone, data: dict[str, Any]) -> None:
        raise NotImplementedError


class RemoveView(ChangeView):
    """POST removes the phone, and returns the list."""

    def change(self, request: HttpRequest, phone: Phone, data: dict[str, Any]) -> None:
        remove_phone(request, self.user, phone)


class PrimaryView(ChangeView):
    """POST makes the phone the primary one, and returns the list."""

    def change(self, request: HttpRequest, phone: Phone, data: dict[str, Any]) -> None:
        changes.make_primary(phone, request=request)


class ChannelView(ChangeView):
    """POST ``channel`` sets the preferred channel of the phone: ``"sms"`` or ``"voice"``."""

    fields: ClassVar[Fields] = {"channel": Text()}

    def change(self, request: HttpRequest, phone: Phone, data: dict[str, Any]) -> None:
        channel = offered(data["channel"])
        if channel is None:
            raise APIError("invalid")
        changes.prefer_channel(phone, channel)


class RenameView(ChangeView):
    """POST ``name`` sets the name of the phone.  It requires no recent code."""

    fields: ClassVar[Fields] = {"name": Text(longest=40)}

    def obstacle(self, request: HttpRequest) -> Obstacle | None:
        need_own_table()
        return SignedInAPIView.obstacle(self, request)

    def change(self, request: HttpRequest, phone: Phone, data: dict[str, Any]) -> None:
        changes.rename(phone, cleaned(PhoneNameForm(phone, data), "name"))


def need_own_table() -> None:
    """Refuse changes on a site that keeps the numbers itself.

    :raises APIError: the site keeps the numbers itself.
    """
    if not phone_source().can_change:
        raise APIError("phones_kept_by_site")


def offered(channel: str | None) -> str | None:
    """Return ``channel``; None if it is empty.

    :raises APIError: the channel is not set up.
    """
    if channel and channel not in conf.channels():
        raise APIError("invalid", _("Codes do not come in this way."))
    return channel or None
