"""The flow of a login: the password was right, and a code is owed."""

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
    """A parked login that owes a code."""

    purpose = Purpose.LOGIN.value

    def send_owed(self) -> None:
        """Send the code that a login owes, once.  No other code is sent by a GET.

        A code that can still be typed is enough.  So a second login sends nothing.  A code that
        was not sent is still owed: the next GET tries again.
        """
        if not self.owes_send:
            return
        if self.challenge is None:
            self.send()
        else:
            # The code was sent for an earlier login.  When it has expired, no GET sends another.
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

        The table of codes tells, so that a code that is sent does not change the session, too.
        """
        record = parked(self.request.session)
        if record is None or not record.owes_send:
            return False
        if self.newest is None:
            return True
        since = record.owed_since or record.at
        if self.newest.passed_at is None:
            # The machine that sent it may have a clock that is behind ours.
            since -= CLOCK_DIFFERENCE
        return self.newest.sent_at.timestamp() < since


def cancel(request: HttpRequest) -> bool:
    """Forget the parked login of this session, and all that the session holds.

    :returns: whether a login was parked.  The session of anybody else stays as it is.
    """
    if mfa_of(request).state != "parked":
        return False
    request.session.flush()
    return True
