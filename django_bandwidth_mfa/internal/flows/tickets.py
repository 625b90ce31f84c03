"""The flows of a client without cookies, which has a ticket instead of a parked session.

They use the same challenges and counters as the flows of the pages.  They write no session.
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
    """The common part of the flows with a ticket.

    ``completion`` and ``verification`` are set after a right code; None before.

    :param ticket: the valid ticket of the request.
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
        """Return an empty text, because a client without pages is not redirected."""
        return ""

    @property
    def trust_days(self) -> int:
        return 0

    def remember_browser(self, response: HttpResponse) -> None:
        """Do nothing, because the client keeps no cookies."""

    def _stands(self, user: User) -> bool:
        return tickets.still_proves(self.ticket, user)

    def _has_ended(self) -> bool:
        # It was asked when the ticket was read.
        return False

    def _complete(self, user: User, verification: Verification) -> None:
        self.completion = tickets.complete(self.ticket, user, verification)
        self.verification = verification


class TicketLoginFlow(TicketFlow, LoginFlow):
    """A login by ticket that owes a code.  The client requests each code itself."""


class TicketEnrolFlow(TicketFlow, EnrolFlow):
    """A login by ticket of a user who adds a first phone."""

    def _lead_to_recovery_codes(self, destination: str) -> str:
        return destination
