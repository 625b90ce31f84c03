"""The device: a phone of a user.  Bandwidth sends and checks its codes."""

from __future__ import annotations

from typing import Any, cast

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables
from django_otp import devices_for_user
from django_otp.models import (
    CooldownMixin,
    DeviceManager,
    SideChannelDevice,
    ThrottlingMixin,
)

from ... import service
from ...conf import settings
from ...exceptions import (
    Busy,
    ChallengeExpired,
    ChallengeUsed,
    Limited,
    MFAError,
    ProviderUnavailable,
)
from ...models import Challenge, Phone, Purpose
from ...verification import Verification
from .transactions import TookTooLong, counted

__all__ = ["BandwidthDevice"]

# django-two-factor-auth uses the device with this name at each login.
DEFAULT = "default"


class BandwidthDeviceManager(DeviceManager):
    def add_missing(self) -> int:
        """Create the missing devices of confirmed phones, and return how many were created."""
        taken = self.filter(phone__isnull=False).values("phone")
        phones = Phone.objects.confirmed().exclude(pk__in=taken)
        return sum(self.add(phone) for phone in phones.select_related("user"))

    def add(self, phone: Phone) -> bool:
        """Create a device for ``phone`` if it has none, and return whether it was created."""
        name = phone.name or phone.masked
        if apps.is_installed("two_factor") and not _has_default(phone.user):
            name = DEFAULT
        fields = {"name": name, "user_id": phone.user_id}
        return bool(self.get_or_create(phone=phone, defaults=fields)[1])


def _has_default(user: Any) -> bool:
    return any(device.name == DEFAULT for device in devices_for_user(user, confirmed=None))


class BandwidthDevice(CooldownMixin, ThrottlingMixin, SideChannelDevice):
    """A phone of a user, as a device of django-otp.

    Bandwidth creates and checks the codes, so ``token`` is always empty.  Each code counts for the
    limits of this app, and for django-otp's throttling and cooldown.

    .. attribute:: phone

        The phone for the codes; None for the primary phone of the user at the time of sending.

    .. attribute:: challenge_id

        The id of the last :class:`~django_bandwidth_mfa.models.Challenge`; None after a right code.
    """

    phone = models.ForeignKey(
        Phone,
        on_delete=models.CASCADE,
        related_name="bandwidth_mfa_otp_devices",
        null=True,
        blank=True,
        help_text="Where the codes go; empty for the primary phone of the user.",
    )
    challenge_id = models.UUIDField(null=True, editable=False)

    objects = BandwidthDeviceManager()

    # The verification of the last right code.  Only the object that has checked the code has it.
    verification: Verification | None = None

    # The message for the user about the code that this object has sent.
    message_for_user: str | None = None

    class Meta:
        verbose_name = "Bandwidth device"
        constraints = (
            models.UniqueConstraint(fields=["phone"], name="bandwidth_mfa_otp_device_once"),
        )

    # Sending ---------------------------------------------------------------------------------

    def generate_token(self, length: int = 6, valid_secs: int = 300, commit: bool = True) -> None:
        """Raise an error, because only Bandwidth knows the code.

        :raises NotImplementedError: always.
        """
        raise NotImplementedError(
            "Bandwidth creates the codes. Call generate_challenge() to send one."
        )

    def generate_challenge(self) -> str:
        """Ask Bandwidth to send a code, and return a message for the user.

        If no code could be sent, the message says why.  It raises no ``MFAError``, because
        django-two-factor-auth would return a 500 for it.
        """
        self.message_for_user = self._send_and_tell()
        return self.message_for_user

    def _send_and_tell(self) -> str:
        allowed, why = self.generate_is_allowed()
        if not allowed:
            left = (why["next_generation_at"] - timezone.now()).total_seconds()
            return str(Limited(left, "cooldown"))
        try:
            challenge, doubt = counted(self._send)
        except MFAError as error:
            return str(error)
        self.challenge_id, self.valid_until = challenge.pk, challenge.expires_at
        self.cooldown_set(commit=False)
        self._keep("challenge_id", "valid_until", "last_generated_timestamp")
        if doubt is not None:
            return str(doubt)
        values = {"digits": challenge.digits, "ending": challenge.ending}
        return _("We sent a %(digits)d-digit code to your phone ending in %(ending)s.") % values

    def _send(self) -> tuple[Challenge, MFAError | None]:
        """Return the challenge, and the error if it is not known whether the code was sent."""
        try:
            return service.send_code(self.user, phone=self.phone), None
        except ProviderUnavailable as error:
            challenge = None
            if error.may_have_arrived:
                challenge = Challenge.objects.current(self.user, Purpose.LOGIN)
            if challenge is None:
                raise
            return challenge, error

    def get_cooldown_duration(self) -> int:
        """Return the first wait of ``RESEND_COOLDOWN``, in seconds.  Later waits are longer."""
        return next(iter(settings.RESEND_COOLDOWN), 0)

    # Checking --------------------------------------------------------------------------------

    def verify_is_allowed(self) -> tuple[bool, dict[str, Any] | None]:
        """Return whether a code would be checked now, and otherwise a message for the form."""
        allowed, why = super().verify_is_allowed()
        if not allowed:
            return allowed, why
        refusal = service.refusal_of(self.user) or self._refusal_of_challenge()
        if refusal is None:
            return True, None
        return False, {"error_message": str(refusal)}

    def _refusal_of_challenge(self) -> MFAError | None:
        if self.challenge_id is None:
            return None
        challenge = self._challenge()
        if challenge is None or challenge.expires_at <= timezone.now():
            return ChallengeExpired()
        return None if challenge.is_open else ChallengeUsed()

    def _challenge(self) -> Challenge | None:
        """Return the challenge of the last code; None if there is no valid one."""
        if self.challenge_id is None:
            return None
        # Check the user, too: a device with a new owner must not accept a code of the former owner.
        mine = Challenge.objects.filter(pk=self.challenge_id, user_id=self.user_id)
        return mine.select_related("user", "phone").first()

    @sensitive_variables("token", "code")
    def verify_token(self, token: str | int | None) -> bool:
        """Ask Bandwidth whether ``token`` is the last sent code.  A right code passes once.

        :returns: False for a wrong code, and if :meth:`verify_is_allowed` refuses.
        :raises ValidationError: Bandwidth gave no answer.  A form shows its message.  The code may
            be right, so the result is not False.
        """
        self.verification = None
        if not self.verify_is_allowed()[0]:
            return False
        # django-two-factor-auth passes an integer, which has lost its leading zeros.
        code = str(token).zfill(settings.DIGITS) if isinstance(token, int) else token or ""

        # It may run in another thread, where the decorator of this method does not mask variables.
        @sensitive_variables()
        def check() -> Verification | None:
            return self._check(code)

        try:
            verification = counted(check)
        except (Busy, ProviderUnavailable, TookTooLong) as error:
            raise ValidationError(str(error), code="no_answer") from error
        except MFAError:
            # The state has changed since the check, for example because another request has used
            # the challenge.
            return False
        if verification is None or not verification.passed:
            self.throttle_increment(commit=False)
            self._keep("throttling_failure_timestamp", "throttling_failure_count")
            return False
        self.verification, self.challenge_id = verification, None
        self.throttle_reset(commit=False)
        self.cooldown_reset(commit=False)
        self._keep(
            "challenge_id",
            "throttling_failure_timestamp",
            "throttling_failure_count",
            "last_generated_timestamp",
        )
        return True

    @sensitive_variables("code")
    def _check(self, code: str) -> Verification | None:
        """Return Bandwidth's answer; None if no code was sent."""
        challenge = self._challenge()
        return None if challenge is None else service.verify_code(challenge, code)

    def get_throttle_factor(self) -> int:
        """Return 1, so that django-otp's waits after wrong codes are 1, 2, 4, 8 ... seconds."""
        return 1

    def _keep(self, *names: str) -> None:
        """Save these fields, unless the device was deleted meanwhile, with its phone."""
        if self.pk is None:
            self.save()
            return
        values = {name: getattr(self, name) for name in names}
        cast(Any, type(self)).objects.filter(pk=self.pk).update(**values)
