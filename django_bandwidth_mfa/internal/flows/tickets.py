"""The flows of a client without cookies.  Its ticket stands for a parked login.

They share everything else with the flows of the pages: the challenge, and all counters.  They write
no session.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from ...types import User
from ...verification import Verification
from ..login import tickets
from ..login.tickets import Ticket
from .base import Flow
from .enrolment import EnrolFlow
from .login import LoginFlow


class TicketFlow(Flow):
    """What the flows of a ticket have in common.

    ``completion`` is what the right code has made of the ticket; None before.
    ``verification`` is that of the right code.

    :param ticket: read from the request, and still good.
    :param user: the user of ``ticket``.
    """

    completion: str | None = None
    verification: Verification | None = None

    def __init__(self, request: HttpRequest, user: User, ticket: Ticket) -> None:
        self.ticket = ticket
        super().__init__(request, user)

    @property
    def is_parked(self) -> bool:
        return self.completion is None

    @property
    def next(self) -> str:
        return ""

    def destination(self) -> str:
        """Return an empty text: a client without pages is led nowhere."""
        return ""

    @property
    def trust_days(self) -> int:
        return 0

    def remember_browser(self, response: HttpResponse) -> None:
        """Trust no browser: there is none that keeps cookies."""

    def _stands(self, user: User) -> bool:
        return tickets.still_proves(self.ticket, user)

    def _has_ended(self) -> bool:
        # It was asked when the ticket was read.
        return False

    def _complete(self, user: User, verification: Verification) -> None:
        self.completion = tickets.complete(self.ticket, user, verification)
        self.verification = verification


class TicketLoginFlow(TicketFlow, LoginFlow):
    """A login by ticket that owes a code.  Each code is asked for: none is sent by itself."""


class TicketEnrolFlow(TicketFlow, EnrolFlow):
    """A login by ticket whose user has no phone, and adds the first one."""

    def _lead_to_recovery_codes(self, destination: str) -> str:
        return destination
