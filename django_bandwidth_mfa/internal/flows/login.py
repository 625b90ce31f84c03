"""The flow of a login: the password was right, and a code is owed."""

from __future__ import annotations

from ...models import Purpose
from ..login.parking import parked, update_parked
from .base import Flow


class LoginFlow(Flow):
    """A parked login that owes a code."""

    purpose = Purpose.LOGIN.value

    def send_owed(self) -> None:
        """Send the code that a login owes, once.  No other code is sent by a GET.

        A code that can still be typed is enough.  So a second login sends nothing.
        """
        record = parked(self.request.session)
        if record is None or not record.owes_send:
            return
        update_parked(self.request.session, owes_send=False)
        if self.challenge is None:
            self.send()
