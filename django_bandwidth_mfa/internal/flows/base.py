"""The base class of all flows: send a code, check a code, log the user in."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import cached_property
from django.views.decorators.debug import sensitive_variables

from ... import conf, service
from ...backends import BandwidthMFABackend, authenticate_steps
from ...conf import settings
from ...exceptions import ChallengeExpired, NoPhone, SessionEnded
from ...models import Challenge, Phone, RecoveryCode
from ...types import User
from ...verification import Verification
from ..codes import sending
from ..codes.steps import Steps, masked, run
from ..limits import rules
from ..limits.store import Wait
from ..login.parking import is_pending, parked
from ..login.recheck import has_ended
from ..login.redirects import next_of
from ..login.second_factor import complete, destination, is_signed_in
from ..phones.source import phone_of_choice, phone_source


class Flow:
    """The process behind one request to a code page.

    ``has_passed`` is True after a right code.

    :param request: the request, with a parked or signed-in session.
    :param user: the user of that session.
    """

    purpose: str
    has_passed = False

    def __init__(self, request: HttpRequest, user: User) -> None:
        self.request = request
        self.user = user
        self.began_parked = self.is_parked

    @cached_property
    def newest(self) -> Challenge | None:
        """The newest challenge, in any state; None if no code was sent."""
        return Challenge.objects.current(self.user, self.purpose)

    @property
    def challenge(self) -> Challenge | None:
        """The challenge whose code can be typed now; None if there is none."""
        return self.newest if self.newest is not None and self.newest.is_open else None

    @property
    def digits(self) -> int:
        """The number of digits of the code that can be typed now, or would be sent now."""
        return self.challenge.digits if self.challenge else settings.DIGITS

    @property
    def trust_days(self) -> int:
        """For how many days the browser can be trusted after the code; 0 for not at all."""
        return 0

    @cached_property
    def phones(self) -> list[Phone]:
        """The user's confirmed phones, the primary one first."""
        return phone_source().confirmed(self.user)

    @cached_property
    def recovery_codes_left(self) -> int:
        """The number of unused recovery codes of the user."""
        return RecoveryCode.objects.left(self.user)

    @property
    def takes_recovery_codes(self) -> bool:
        """Whether a recovery code is accepted in place of a code by phone."""
        return True

    @property
    def is_parked(self) -> bool:
        """Whether the login of this session is parked."""
        return parked(self.request.session) is not None

    @property
    def next(self) -> str:
        """The parameter ``next`` of the request, a URL on this site, or an empty text."""
        return next_of(self.request)

    @cached_property
    def standing(self) -> rules.Standing:
        """The lock and the waits of the user."""
        failures = None if self.newest is None else self.newest.failures_when_sent
        if failures is not None and failures < settings.FAILURES_BEFORE_WAIT:
            # The code was just sent, and with so few wrong codes there is no wait.
            return rules.Standing()
        return rules.standing(self.user)

    @property
    def seconds_until_send(self) -> int:
        """The seconds until another code can be sent by the channel of the last one."""
        if self.challenge is not None:
            channel = self.challenge.channel
        elif self.next_phone is not None:
            channel = self.next_phone.default_channel
        else:
            channel = next(iter(conf.channels()), "sms")
        return math.ceil(self.waits_until_send[channel].seconds)

    @property
    def waits_until_send(self) -> dict[str, Wait]:
        """For each channel, the wait until the buttons of the page can send another code."""
        challenge = self.challenge
        if challenge is not None and challenge.next_sends is not None:
            now = timezone.now()
            return {
                channel: Wait(max(0, (moment - now).total_seconds()), limit)
                for channel, (moment, limit) in challenge.next_sends.items()
            }
        phone = self.next_phone
        if challenge is not None:
            number: str | None = challenge.number
        else:
            number = None if phone is None else phone.number
        return sending.waits_until_send(
            self.user, number, purpose=self.purpose, standing=self.standing, request=self.request
        )

    @property
    def next_phone(self) -> Phone | None:
        """The phone for the next code if the user does not choose one; None if it is unknown."""
        return self.phones[0] if self.phones else None

    @property
    def phone_of_buttons(self) -> Phone | None:
        """The phone to which the buttons of the page send a code: the phone of the last code."""
        if self.challenge is None:
            return self.next_phone
        return phone_of_choice(self.phones, self.challenge.phone_choice) or self.next_phone

    def send(self, phone: Phone | None = None, channel: str | None = None) -> Challenge:
        """Send the user a code (:func:`~django_bandwidth_mfa.service.send_code`)."""
        return run(self.send_steps(phone, channel))

    def send_steps(
        self, phone: Phone | None = None, channel: str | None = None
    ) -> Steps[Challenge]:
        """Return :meth:`send` as steps."""
        self.forget()
        challenge = yield from service.send_steps(
            self.user,
            purpose=self.purpose,
            phone=phone or self.next_phone,
            channel=channel,
            request=self.request,
        )
        self.newest = challenge
        return challenge

    def send_to(self, choice: str | None, channel: str | None) -> Challenge:
        """Run :meth:`send_to_steps` in this thread."""
        return run(self.send_to_steps(choice, channel))

    def send_to_steps(self, choice: str | None, channel: str | None) -> Steps[Challenge]:
        """Send the user a code to the chosen phone, by the chosen channel.

        :param choice: a :attr:`~django_bandwidth_mfa.models.Phone.choice`; None or an empty text
            for the first phone.
        :param channel: ``"sms"`` or ``"voice"``; None or an empty text for the preferred channel of
            the phone.
        :raises NoPhone: the user does not have this phone, or the channel is not set up.
        :raises MFAError: no code could be sent.
        """
        # Only the user's own confirmed phones can be chosen.  If the browser could send a number,
        # an attacker who knows the password could have the code sent to their own phone.
        phone = phone_of_choice(self.phones, choice) if choice else next(iter(self.phones), None)
        if phone is None or (channel and channel not in conf.channels()):
            raise NoPhone
        return (yield from self.send_steps(phone, channel or None))

    def remember_browser(self, response: HttpResponse) -> None:
        """Trust the browser, if a right code has just completed a login.

        :param response: the response that sets the cookie.
        """

    def forget(self) -> None:
        """Forget the cached challenge and waits, so that they are read again."""
        self.__dict__.pop("newest", None)
        self.__dict__.pop("standing", None)

    @sensitive_variables("code")
    def verify(self, code: str) -> str | None:
        """Run :meth:`verify_steps` in this thread."""
        return run(self.verify_steps(code))

    def verify_steps(self, code: str) -> Steps[str | None]:
        """Check ``code``.  A right code completes the login, or the step-up.

        For a wrong code the signal ``user_login_failed`` is sent, for lockout apps and audit logs.

        :returns: the URL to redirect to after a right code; None after a wrong code.
        :raises MFAError: the code could not be checked.  The session is not changed.
        """
        return self._try_steps(
            lambda challenge: authenticate_steps(
                BandwidthMFABackend(), self.request, challenge, code
            )
        )

    def _try_steps(self, authenticate: Callable[[Challenge], Steps[Any]]) -> Steps[str | None]:
        """Do the work of :meth:`verify_steps`.  Only ``authenticate`` knows the code."""
        if self.newest is None:
            raise ChallengeExpired
        try:
            user = yield from authenticate(self.newest)
        finally:
            self.forget()
        if user is None:
            self._tell_of_failure()
            return None
        return masked(self._let_in, user, user.mfa_verification)

    @sensitive_variables("code")
    def recover(self, code: str) -> str | None:
        """Check a recovery code, with the same result as :meth:`verify`."""
        # Checked before the code is used up: it cannot sign anybody in to a login that is over.
        if self._has_ended():
            self.request.session.flush()
            raise SessionEnded
        verification = service.use_recovery_code(self.user, code, request=self.request)
        if not verification:
            self._tell_of_failure()
            return None
        return self._let_in(self.user, verification)

    def _tell_of_failure(self) -> None:
        user_login_failed.send(
            # A fixed name, because audit apps store it: it must not change if this module moves.
            sender="django_bandwidth_mfa.flows",
            credentials={"username": self.user.get_username(), "token": "*" * 8},
            request=self.request,
        )

    def _let_in(self, user: User, verification: Verification) -> str:
        # Only the user of the session is logged in, and only if their password has not changed.
        # The login may have ended while Bandwidth was called.
        if user.pk != self.user.pk or not self._stands(user):
            raise ChallengeExpired
        destination = self.destination()
        self._complete(user, verification)
        self.has_passed = True
        return destination

    def _stands(self, user: User) -> bool:
        """Return whether the login with which this flow began is still valid.

        :param user: the user, just read from the database.
        """
        is_good = is_pending if self.began_parked else is_signed_in
        return is_good(self.request.session, user)

    def _has_ended(self) -> bool:
        """Whether the user has signed this login out, as the database says at this moment."""
        return has_ended(self.request.session, self.user)

    def _complete(self, user: User, verification: Verification) -> None:
        """Complete the login or the step-up of ``user``."""
        complete(self.request, user, verification)

    def destination(self) -> str:
        """Return the URL to redirect to after a right code."""
        return destination(self.request)
