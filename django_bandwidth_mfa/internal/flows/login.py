"""The login flow: the password was right, and a code is owed."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from ...conf import settings
from ...models import Purpose
from ...request import mfa_of
from ..login import trusted_browsers
from ..login.clock import CLOCK_DIFFERENCE
from ..login.parking import parked, update_parked
from .base import Flow


class LoginFlow(Flow):
    """The process of a parked login."""

    purpose = Purpose.LOGIN.value

    def send_owed(self) -> None:
        """Send the code that a login owes, once.  A GET request sends no other code.

        If the user can still type an earlier code, nothing is sent.  If the code cannot be sent,
        the next GET tries again.
        """
        if not self.owes_send:
            return
        if self.challenge is None:
            self.send()
        else:
            # The code was sent for an earlier login.  After it has expired, a GET sends no other
            # one.
            update_parked(self.request.session, owes_send=False)

    @property
    def trust_days(self) -> int:
        return settings.TRUST_DAYS

    def remember_browser(self, response: HttpResponse) -> None:
        if self.has_passed:
            trusted_browsers.remember(self.request, response, self.user)

    @property
    def owes_send(self) -> bool:
        """Whether no code has been sent for this login yet.

        This is read from the challenges, so that sending a code does not change the session.
        """
        record = parked(self.request.session)
        if record is None or not record.owes_send:
            return False
        if self.newest is None:
            return True
        since = record.owed_since or record.at
        if self.newest.passed_at is None:
            # The clock of the machine that sent it may be behind ours.
            since -= CLOCK_DIFFERENCE
        return self.newest.sent_at.timestamp() < since


def cancel(request: HttpRequest) -> bool:
    """Empty the session if a login is parked in it.

    :returns: whether a login was parked.  Any other session is not changed.
    """
    if mfa_of(request).state != "parked":
        return False
    request.session.flush()
    return True
