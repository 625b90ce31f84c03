"""The flow of a login: the password was right, and a code is owed."""

from __future__ import annotations

from ...exceptions import Busy, Limited, MFAError, ProviderUnavailable
from ...models import Challenge, Phone, Purpose
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
        if not self._owes_send:
            return
        if self.challenge is None:
            self.send()
        else:
            update_parked(self.request.session, owes_send=False)

    def send(self, phone: Phone | None = None, channel: str | None = None) -> Challenge:
        """Send a code, as :meth:`.Flow.send` does.  The login owes none then.

        If nothing was sent, the login owes what it owed before.
        """
        owed = self._owes_send
        update_parked(self.request.session, owes_send=False)
        try:
            return super().send(phone, channel)
        except MFAError as error:
            if owed and _was_not_sent(error):
                update_parked(self.request.session, owes_send=True)
            raise

    @property
    def _owes_send(self) -> bool:
        record = parked(self.request.session)
        return record is not None and record.owes_send


def _was_not_sent(error: MFAError) -> bool:
    """Whether ``error`` says that no code went out, and that one may go out later."""
    if isinstance(error, ProviderUnavailable):
        return not error.may_have_arrived
    return isinstance(error, Busy | Limited)
