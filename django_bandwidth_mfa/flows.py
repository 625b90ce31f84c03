"""The process behind the code pages: whose code it is, what for, and what a right one does.

One class does the work; a purpose adds what is its own.  Nothing in the browser says who the user
is or which challenge is meant: the user is the session's, the challenge that user's newest for the
purpose.  So a new login goes on with the code that was just received, in any browser.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_login_failed
from django.db import IntegrityError
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from . import service
from .backends import BandwidthMFABackend
from .conf import settings
from .exceptions import ChallengeExpired, Limited, NoPhone, NumberRefused
from .internal.limits import rules
from .internal.login.mark import owe_recovery_codes
from .internal.login.parking import is_pending, parked, update_parked
from .internal.login.redirects import next_of, next_or_default, with_next
from .internal.login.second_factor import complete, is_signed_in
from .internal.phones.source import phone_source
from .models import Challenge, Phone, Purpose, RecoveryCode
from .verification import Verification


class Flow:
    """One visitor's way through a code page.

    ``user``: whose second factor it is; ``next``: where they go afterwards; ``has_passed``: a code
    was right.
    """

    purpose: str
    has_passed = False

    def __init__(self, request: HttpRequest, user: Any) -> None:
        self.request = request
        self.user = user
        self.began_parked = self.is_parked

    @cached_property
    def newest(self) -> Challenge | None:
        """The code that was sent last, whatever became of it."""
        return Challenge.objects.current(self.user, self.purpose)

    @property
    def challenge(self) -> Challenge | None:
        """The code that can be typed now; None where there is none."""
        return self.newest if self.newest is not None and self.newest.is_open else None

    @cached_property
    def phones(self) -> list[Phone]:
        """The user's confirmed phones, the primary one first."""
        return phone_source().confirmed(self.user)

    @cached_property
    def recovery_codes_left(self) -> int:
        """How many unused recovery codes the user has."""
        return RecoveryCode.objects.left(self.user)

    @property
    def is_parked(self) -> bool:
        return parked(self.request.session) is not None

    @property
    def next(self) -> str:
        return next_of(self.request)

    @property
    def seconds_until_send(self) -> int:
        return rules.seconds_until_send(self.user)

    def send(self, phone: Phone | None = None, channel: str | None = None) -> Challenge:
        """As :func:`.service.send_code`."""
        self.forget()
        return service.send_code(
            self.user, purpose=self.purpose, phone=phone, channel=channel, request=self.request
        )

    def forget(self) -> None:
        """Read the newest challenge again when it is next asked for."""
        self.__dict__.pop("newest", None)

    @sensitive_variables("code")
    def verify(self, code: str) -> str | None:
        """Try ``code``: where to go when it is right, None when it is wrong.

        A wrong code is told to ``user_login_failed``, so that lockout apps and audit logs hear it.

        :raises MFAError: the code could not be tried; the session is as it was.
        """
        if self.newest is None:
            raise ChallengeExpired
        try:
            user = BandwidthMFABackend().authenticate(
                self.request, challenge=self.newest, token=code
            )
        finally:
            self.forget()
        if user is None:
            self._tell_of_failure()
            return None
        return self._let_in(user, user.mfa_verification)

    @sensitive_variables("code")
    def recover(self, code: str) -> str | None:
        """Try a recovery code; as :meth:`verify`."""
        verification = service.use_recovery_code(self.user, code, request=self.request)
        if not verification:
            self._tell_of_failure()
            return None
        return self._let_in(self.user, verification)

    def _tell_of_failure(self) -> None:
        user_login_failed.send(
            sender=__name__,
            credentials={"username": self.user.get_username(), "token": "*" * 8},
            request=self.request,
        )

    def _let_in(self, user: Any, verification: Verification) -> str:
        # Whoever the answer names, only the session's own user is let in by it; and the password
        # that was given to park this login must still be the user's.
        # It may have ended while Bandwidth was asked: then there is no login to mark.
        session = self.request.session
        is_good = is_pending if self.began_parked else is_signed_in
        if user.pk != self.user.pk or not is_good(session, user):
            raise ChallengeExpired
        destination = self.destination()
        complete(self.request, user, verification)
        self.has_passed = True
        return destination

    def destination(self) -> str:
        """Where a right code leads."""
        record = parked(self.request.session)
        return (record.next if record else "") or next_or_default(self.request)


class LoginFlow(Flow):
    """A parked login pays the code that it owes."""

    purpose = Purpose.LOGIN.value

    def send_owed(self) -> None:
        """Send what the just-made login owes, once: the only code that a GET sends.

        A code that is still alive will do, so that logging in again sends nothing.
        """
        record = parked(self.request.session)
        if record is None or not record.owes_send:
            return
        update_parked(self.request.session, owes_send=False)
        if self.challenge is None:
            self.send()


class StepUpFlow(Flow):
    """A signed-in user shows once more that it is them."""

    purpose = Purpose.STEP_UP.value


class EnrolFlow(Flow):
    """A user proves that a new phone is theirs."""

    purpose = Purpose.ENROL.value

    @property
    def phone(self) -> Phone | None:
        """The phone whose code was asked for last, while it is unconfirmed."""
        phone = None if self.newest is None else self.newest.phone
        return phone if phone is not None and phone.confirmed_at is None else None

    def add(self, number: str, channel: str | None, replaces: Phone | None = None) -> Challenge:
        """Begin to enrol ``number`` (E.164), instead of ``replaces`` where one is given: send it a
        code.

        :raises NumberRefused: the user has it already.
        """
        phone, made = Phone.objects.get_or_create(user=self.user, number=number)
        if phone.confirmed_at is not None:
            raise NumberRefused(_("This phone is on your account already."))
        try:
            Phone.objects.filter(pk=phone.pk).update(replaces=replaces)
        except IntegrityError as error:  # that one has gone this moment
            raise NoPhone from error
        try:
            return self.send(phone, channel)
        except (Limited, NumberRefused):
            # Nothing was sent: whoever is refused leaves no row behind.
            if made:
                phone.delete()
            raise

    @sensitive_variables("code")
    def verify(self, code: str) -> str | None:
        """As for every flow; the first phone leads past a set of recovery codes."""
        is_first = not self.phones
        destination = super().verify(code)
        if destination is None or not is_first or not settings.RECOVERY_CODES:
            return destination
        owe_recovery_codes(self.request.session, self.user)
        return with_next("recovery_codes", destination)

    def resend(self, channel: str | None) -> Challenge:
        """Send the phone that is being enrolled another code."""
        if self.phone is None:
            raise NoPhone
        return self.send(self.phone, channel)
