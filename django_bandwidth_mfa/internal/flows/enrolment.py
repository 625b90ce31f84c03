"""The enrolment flow: a user adds a phone, and types a code that was sent to it."""

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
    """The enrolment of a phone."""

    purpose = Purpose.ENROL.value

    @property
    def takes_recovery_codes(self) -> bool:
        # A recovery code does not prove that the user has the new phone.
        return False

    @property
    def obstacle(self) -> Obstacle | None:
        """The reason why the user cannot enrol a phone now; None if they can.

        A user without a phone may enrol one, parked or signed in.  A user with a phone must give a
        code first: otherwise an attacker with the password alone could replace the phone.
        """
        if self.phones and (self.is_parked or not is_fresh(self.request)):
            return Obstacle.CODE
        if self.is_parked and not self.phones and self._bypasses_other_factor():
            return Obstacle.OTHER_FACTOR
        return None

    def _bypasses_other_factor(self) -> bool:
        """Return whether the user has another factor, which has not passed in this login.

        Otherwise an attacker with the password could sign in on a page that asks only for the
        password, such as the admin's login page, and enrol a phone of their own.
        """
        has_shown_it = other_factor.has_passed(self.request, self.user, kinds=other_factor.ANY_KIND)
        return not has_shown_it and policy.has_other_factor(self.user)

    @property
    def obstacle_to_begin(self) -> Obstacle | None:
        """The reason why the user cannot begin to enrol a phone; None if they can.

        A first phone requires a login in the last ``FIRST_PHONE_SECONDS``.  Otherwise an attacker
        with a stolen old session could add a phone, and lock out the owner.
        """
        if self.obstacle is not None or self.phones or self.is_parked:
            return self.obstacle
        is_recent = signed_in_lately(self.request.session, self.user, FIRST_PHONE_SECONDS)
        return None if is_recent else Obstacle.OLD_SIGN_IN

    @property
    def phone(self) -> Phone | None:
        """The phone of the newest challenge, if it is not confirmed yet; None otherwise."""
        phone = None if self.newest is None else self.newest.phone
        return phone if phone is not None and phone.confirmed_at is None else None

    @property
    def next_phone(self) -> Phone | None:
        return self.phone

    def add(self, number: str, channel: str | None, replaces: Phone | None = None) -> Challenge:
        """Run :meth:`add_steps` in this thread."""
        return run(self.add_steps(number, channel, replaces))

    def add_steps(
        self, number: str, channel: str | None, replaces: Phone | None = None
    ) -> Steps[Challenge]:
        """Begin the enrolment of a phone: send it a code.

        ``channel`` becomes the preferred channel of the phone: a landline, which needs a call now,
        cannot receive a text message later either.

        :param number: the number in E.164 form.
        :param channel: ``"sms"`` or ``"voice"``; None for the first channel of the site.
        :param replaces: the phone that the new one will replace; None for no phone.
        :raises NumberRefused: the user already has this phone.
        :raises MFAError: no code could be sent.
        """
        phone, made = Phone.objects.get_or_create(user=in_query(self.user), number=number)
        if phone.confirmed_at is not None:
            raise NumberRefused(_("This phone is on your account already."))
        try:
            Phone.objects.filter(pk=phone.pk).update(replaces=replaces, channel=channel or "")
        except IntegrityError as error:  # the replaced phone was deleted
            raise NoPhone from error
        phone.channel = channel or ""
        try:
            return (yield from self.send_steps(phone, channel))
        except (Busy, Limited, Locked, NumberRefused):
            # Delete the row that was just created: nothing was sent.
            if made:
                phone.delete()
            raise

    def _try_steps(self, authenticate: Callable[[Challenge], Steps[Any]]) -> Steps[str | None]:
        """Check a code.  After a first phone, the next page shows new recovery codes."""
        is_first = not self.phones
        destination = yield from super()._try_steps(authenticate)
        if destination is None or not is_first or not settings.RECOVERY_CODES:
            return destination
        return self._lead_to_recovery_codes(destination)

    def _lead_to_recovery_codes(self, destination: str) -> str:
        owe_recovery_codes(self.request.session, self.user)
        return with_next("recovery_codes", destination)

    def resend(self, channel: str | None) -> Challenge:
        """Run :meth:`resend_steps` in this thread."""
        return run(self.resend_steps(channel))

    def resend_steps(self, channel: str | None) -> Steps[Challenge]:
        """Send another code to the phone that is being enrolled.

        :param channel: ``"sms"`` or ``"voice"``; None for the preferred channel of the phone.
        :raises NoPhone: no phone is being enrolled.
        """
        if self.phone is None:
            raise NoPhone
        return (yield from self.send_steps(self.phone, channel))
