"""The flow of an enrolment: a user adds a phone, and proves that it is theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import IntegrityError
from django.utils.translation import gettext as _

from ...conf import settings
from ...exceptions import Busy, Limited, Locked, NoPhone, NumberRefused
from ...models import Challenge, Phone, Purpose
from ...types import in_query
from ..codes.steps import Steps, run
from ..login import other_factor, policy
from ..login.mark import owe_recovery_codes, signed_in_lately
from ..login.redirects import with_next
from .base import Flow
from .gate import FIRST_PHONE_SECONDS, Obstacle, is_fresh


class EnrolFlow(Flow):
    """A user who proves that a new phone is theirs."""

    purpose = Purpose.ENROL.value

    @property
    def takes_recovery_codes(self) -> bool:
        # A phone that is being enrolled is not proven by one.
        return False

    @property
    def obstacle(self) -> Obstacle | None:
        """What stops the user from enrolling a phone; None if nothing does.

        A user without a phone may enrol one, parked or signed in.  With the password alone, nobody
        is to replace a phone that is not theirs.
        """
        if self.phones and (self.is_parked or not is_fresh(self.request)):
            return Obstacle.CODE
        if self.is_parked and not self.phones and self._bypasses_other_factor():
            return Obstacle.OTHER_FACTOR
        return None

    def _bypasses_other_factor(self) -> bool:
        """Return whether the user has another factor, and this login has not shown it.

        A thief of the password would go round it: sign in where only the password is asked for,
        such as the admin's login page, and enrol a phone of their own.
        """
        has_shown_it = other_factor.has_passed(self.request, self.user, kinds=other_factor.ANY_KIND)
        return not has_shown_it and policy.has_other_factor(self.user)

    @property
    def obstacle_to_begin(self) -> Obstacle | None:
        """What stops the user from beginning to enrol a phone.

        The first one takes a sign-in of the last ``FIRST_PHONE_SECONDS``.  Otherwise a thief of an
        old session would add a phone of theirs, and lock the owner out with it.
        """
        if self.obstacle is not None or self.phones or self.is_parked:
            return self.obstacle
        is_recent = signed_in_lately(self.request.session, self.user, FIRST_PHONE_SECONDS)
        return None if is_recent else Obstacle.OLD_SIGN_IN

    @property
    def phone(self) -> Phone | None:
        """The phone whose code was asked for last, while it is unconfirmed."""
        phone = None if self.newest is None else self.newest.phone
        return phone if phone is not None and phone.confirmed_at is None else None

    @property
    def next_phone(self) -> Phone | None:
        return self.phone

    def add(self, number: str, channel: str | None, replaces: Phone | None = None) -> Challenge:
        """Do :meth:`add_steps` in this thread."""
        return run(self.add_steps(number, channel, replaces))

    def add_steps(
        self, number: str, channel: str | None, replaces: Phone | None = None
    ) -> Steps[Challenge]:
        """Begin to enrol a phone: send it a code.

        The channel stays the preferred one of the phone.  A landline that was called once cannot
        get a text message the next time.

        :param number: E.164.
        :param channel: ``"sms"`` or ``"voice"``; None for the first that is set up.
        :param replaces: the phone whose place the new one takes.
        :raises NumberRefused: the user has this phone already.
        :raises MFAError: no code could be sent.
        """
        phone, made = Phone.objects.get_or_create(user=in_query(self.user), number=number)
        if phone.confirmed_at is not None:
            raise NumberRefused(_("This phone is on your account already."))
        try:
            Phone.objects.filter(pk=phone.pk).update(replaces=replaces, channel=channel or "")
        except IntegrityError as error:  # that one has gone this moment
            raise NoPhone from error
        phone.channel = channel or ""
        try:
            return (yield from self.send_steps(phone, channel))
        except (Busy, Limited, Locked, NumberRefused):
            # Nothing was sent, so no row of a new phone stays.
            if made:
                phone.delete()
            raise

    def _try_steps(self, authenticate: Callable[[Challenge], Steps[Any]]) -> Steps[str | None]:
        """Try ``code``.  A first phone leads past a new set of recovery codes."""
        is_first = not self.phones
        destination = yield from super()._try_steps(authenticate)
        if destination is None or not is_first or not settings.RECOVERY_CODES:
            return destination
        return self._lead_to_recovery_codes(destination)

    def _lead_to_recovery_codes(self, destination: str) -> str:
        owe_recovery_codes(self.request.session, self.user)
        return with_next("recovery_codes", destination)

    def resend(self, channel: str | None) -> Challenge:
        """Do :meth:`resend_steps` in this thread."""
        return run(self.resend_steps(channel))

    def resend_steps(self, channel: str | None) -> Steps[Challenge]:
        """Send another code to the phone that is being enrolled.

        :param channel: None for the one that was chosen with its number.
        :raises NoPhone: no phone is being enrolled.
        """
        if self.phone is None:
            raise NoPhone
        return (yield from self.send_steps(self.phone, channel))
