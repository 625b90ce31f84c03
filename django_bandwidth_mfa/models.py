"""The database tables of the app.

No table contains a code that somebody could type.  Only :class:`Phone` and :class:`Challenge`
contain full phone numbers, which they need to send and to verify codes.  ``str()`` and ``repr()``
of a row mask the number.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models, router, transaction
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from . import conf
from .internal import numbers, rows
from .types import User, in_query

__all__ = [
    "Challenge",
    "Channel",
    "Counter",
    "Delivery",
    "Phone",
    "Purpose",
    "RecoveryCode",
    "SecondFactor",
    "SpentCode",
    "TrustedBrowser",
]


Row = TypeVar("Row", bound=models.Model)


class Channel(models.TextChoices):
    """The ways to send a code, by Bandwidth's names."""

    # Translators: Users see this: one way to get a code. The other way is "phone call".
    SMS = "sms", _("text message")
    # Translators: Users see this: one way to get a code. The other way is "text message".
    VOICE = "voice", _("phone call")


class Purpose(models.TextChoices):
    """The purpose of a code.  Each purpose has a Bandwidth scope of its own (``SCOPES``)."""

    LOGIN = "login", _("sign in")
    STEP_UP = "step-up", _("confirm a sensitive action")
    ENROL = "enrol", _("confirm a new phone")


class PrimaryManager(models.Manager[Row]):
    """A manager that reads from the database to which it writes, whatever the site's router says.

    A read replica may be some seconds behind.  With one, a login right after a phone was added
    would not ask for a code.
    """

    def get_queryset(self) -> models.QuerySet[Row]:
        queryset = super().get_queryset()
        # `db_manager()` sets `_db`, to choose a database by name.  The queryset is new, so it is
        # changed in place: `using()` would copy it.
        queryset._db = self._db or router.db_for_write(self.model)  # type: ignore[attr-defined]
        return queryset


class PhoneQuerySet(models.QuerySet["Phone"]):
    def confirmed(self) -> PhoneQuerySet:
        """Return the phones whose owner has typed a code that was sent to them."""
        return self.filter(confirmed_at__isnull=False)


class Phone(models.Model):
    """A phone number of a user.

    It is confirmed when its owner types a code that was sent to it.  Only a confirmed phone
    receives login codes.

    .. attribute:: number

        The number in E.164 form, such as ``+12025550123``.

    .. attribute:: is_primary

        Whether codes go to this phone unless the user chooses another one.  It is true for at most
        one phone of a user.

    .. attribute:: confirmed_at

        When the phone was confirmed; None if it is not confirmed.

    .. attribute:: name

        The name that the owner gave to the phone; may be empty.

    .. attribute:: replaces

        For an unconfirmed phone: the phone that it will replace when it is confirmed.

    .. attribute:: channel

        The channel that the owner prefers, ``"sms"`` or ``"voice"``; empty if they have not chosen
        one.  Codes are sent by :attr:`default_channel`.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="bandwidth_mfa_phones",
        verbose_name=_("user"),
    )
    number = models.CharField(_("number"), max_length=16)
    is_primary = models.BooleanField(_("primary"), default=False)
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True, blank=True)
    name = models.CharField(_("name"), max_length=40, blank=True)
    replaces = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        related_name="+",
        null=True,
        blank=True,
        verbose_name=_("replaces"),
    )
    channel = models.CharField(
        _("preferred channel"),
        max_length=5,
        choices=Channel,
        blank=True,
        default="",
        # The database needs the default, too: during a deployment the old version still adds
        # phones.
        db_default="",
        help_text=_("How codes go to it; empty for the first way that the site has set up."),
    )
    created_at = models.DateTimeField(_("added at"), default=timezone.now, editable=False)
    # For the constraint "one primary phone per user".  MariaDB has no conditional unique indexes,
    # but all databases ignore NULL in a unique index.
    primary_slot = models.GeneratedField(
        expression=Case(When(is_primary=True, then=Value(1)), default=None),
        output_field=models.SmallIntegerField(null=True),
        db_persist=True,
    )

    objects = PrimaryManager.from_queryset(PhoneQuerySet)()

    class Meta:
        verbose_name = _("phone")
        verbose_name_plural = _("phones")
        ordering = ("-is_primary", "confirmed_at", "pk")
        constraints = (
            models.UniqueConstraint(fields=["user", "number"], name="bandwidth_mfa_phone_once"),
            models.UniqueConstraint(
                fields=["user", "primary_slot"], name="bandwidth_mfa_one_primary_phone"
            ),
            models.CheckConstraint(
                condition=Q(is_primary=False) | Q(confirmed_at__isnull=False),
                name="bandwidth_mfa_primary_is_confirmed",
            ),
        )

    def __str__(self) -> str:
        return self.masked

    def __repr__(self) -> str:
        return f"<Phone {self.pk}: {self.masked}>"

    @property
    def masked(self) -> str:
        """The number with all digits hidden but the last two."""
        return numbers.mask(self.number)

    @property
    def ending(self) -> str:
        """The last two digits, for a sentence such as "the phone ending in 42"."""
        return numbers.ending(self.number)

    @property
    def label(self) -> str:
        """The text for this phone after the words "the phone" in a sentence.

        It is "ending in 42", or "“Work” (ending in 42)" if the phone has a name.
        """
        return numbers.label(self.number, self.name)

    @property
    def choice(self) -> str:
        """The identifier of this phone in forms and sessions.  It is never the number itself."""
        return _choice(self.pk, self.number)

    @property
    def default_channel(self) -> str:
        """The channel for codes if the user does not choose one, ``"sms"`` or ``"voice"``.

        It is the preferred channel (:attr:`channel`).  If there is none, or the site has not set it
        up, it is the first channel of the site.
        """
        offered = conf.channels()
        return self.channel if self.channel in offered else next(iter(offered), Channel.SMS.value)


class Delivery(models.TextChoices):
    """What is known about the delivery of a code.

    A receipt reports ``DELIVERED`` (to the carrier; whether it was read is not known) or
    ``FAILED``.  ``UNKNOWN`` means that Bandwidth did not answer, so it is not known whether the
    code was sent.
    """

    DELIVERED = "delivered", _("delivered")
    FAILED = "failed", _("failed")
    UNKNOWN = "unknown", _("unknown")


class ChallengeQuerySet(models.QuerySet["Challenge"]):
    def current(self, user: User, purpose: str) -> Challenge | None:
        """Return the newest challenge of ``user`` for ``purpose``; None if there is none."""
        of_user = {"user": user, "purpose": purpose, "failure": ""}
        challenges: Iterable[Challenge]
        if purpose == Purpose.ENROL:
            # The enrolment page shows the phone.  The other pages need only its primary key.
            challenges = self.filter(**of_user).select_related("phone").order_by("-sent_at")[:1]
        else:
            challenges = rows.find(Challenge, of_user, newest_by="sent_at")
        for challenge in challenges:
            challenge.user = cast(Any, user)
            return challenge
        return None


class Challenge(models.Model):
    """A code that was sent: its user, its purpose and its result.

    When a code is verified, Bandwidth needs the same values of ``number`` to ``digits`` as when it
    was sent.  The row keeps them, so a change of the settings in between does no harm.  Only the
    lifetime is read from the settings when the code is verified (``EXPIRATION_MINUTES``).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        # The index bandwidth_mfa_newest begins with the user.
        db_index=False,
        related_name="bandwidth_mfa_challenges",
        verbose_name=_("user"),
    )
    # Deleting a phone deletes its challenges, so that no code that was sent to it passes any more.
    phone = models.ForeignKey(
        Phone,
        on_delete=models.CASCADE,
        related_name="challenges",
        null=True,
        blank=True,
        verbose_name=_("phone"),
        help_text=_("Empty where the numbers are kept by the site itself."),
    )
    purpose = models.CharField(_("purpose"), max_length=10, choices=Purpose)
    channel = models.CharField(_("channel"), max_length=5, choices=Channel)
    number = models.CharField(_("number"), max_length=16)
    from_number = models.CharField(_("sent from"), max_length=32)
    application_id = models.CharField(_("application"), max_length=50)
    scope = models.CharField(_("scope"), max_length=25)
    digits = models.PositiveSmallIntegerField(_("digits"))
    provider_id = models.CharField(
        _("Bandwidth's id"),
        max_length=200,
        blank=True,
        help_text=_("The messageId of a text message; empty where no receipt will name it."),
    )
    delivery = models.CharField(
        _("delivery"),
        max_length=10,
        choices=Delivery,
        blank=True,
        help_text=_(
            "What Bandwidth's receipt said, or that Bandwidth did not answer; "
            "empty where none has come."
        ),
    )
    delivery_error = models.PositiveIntegerField(_("delivery error code"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent at"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires at"))
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    passed_at = models.DateTimeField(_("passed at"), null=True, blank=True)
    failure = models.CharField(
        _("failure"),
        max_length=40,
        blank=True,
        help_text=_("Why the code cannot have gone out; empty where it did, or may have."),
    )
    # What this send has added to the counters of SEND_LIMITS.  A right code subtracts it again.  It
    # is a list of [key, amount, moment], both in microseconds; null after the subtraction.
    taken = models.JSONField(null=True, blank=True, editable=False)

    # These two are not in the database, and are set on a challenge that was just sent: for each
    # channel, the earliest next send and the limit that causes the wait; and the number of wrong
    # codes in a row.
    next_sends: Mapping[str, tuple[datetime, str]] | None = None
    failures_when_sent: int | None = None

    objects = PrimaryManager.from_queryset(ChallengeQuerySet)()

    class Meta:
        verbose_name = _("challenge")
        verbose_name_plural = _("challenges")
        ordering = ("-sent_at",)
        # tests/test_indexes.py tests which query uses which index.
        indexes = (
            models.Index(fields=["user", "purpose", "sent_at"], name="bandwidth_mfa_newest"),
            models.Index(fields=["provider_id"], name="bandwidth_mfa_receipt"),
            models.Index(fields=["sent_at"], name="bandwidth_mfa_sent"),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("sent_at")), name="bandwidth_mfa_expires_after_sent"
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_purpose_display()}, {self.masked}"

    def __repr__(self) -> str:
        return f"<Challenge {self.pk}: {self.purpose}, {self.channel}, {self.masked}>"

    @property
    def masked(self) -> str:
        """The number with all digits hidden but the last two."""
        return numbers.mask(self.number)

    @property
    def ending(self) -> str:
        """The last two digits, for a sentence such as "the phone ending in 42"."""
        return numbers.ending(self.number)

    @property
    def phone_choice(self) -> str:
        """The :attr:`Phone.choice` of the phone to which the code was sent."""
        return _choice(self.phone_id, self.number)

    @property
    def is_open(self) -> bool:
        """Whether the code can still be typed."""
        return (
            self.passed_at is None
            and not self.failure
            and self.expires_at > timezone.now()
            and self.tries < conf.settings.TRIES_PER_CHALLENGE
        )

    @property
    def is_followed(self) -> bool:
        """Whether a delivery receipt for the text message is still expected."""
        receipts_are_on = conf.settings.RECEIPT_SECRET is not None
        return receipts_are_on and self.channel == Channel.SMS and not self.delivery


class SpentCode(models.Model):
    """A code that has passed, so that it does not pass again while Bandwidth still accepts it.

    Bandwidth accepts a code as often as it is typed until it expires, and a resend does not end the
    earlier code.  The unique key of this table allows each code of a number only once.  The digest
    is keyed (HMAC), because an attacker who reads the table could hash all six-digit codes.

    The ids of used login tickets are in this table, too, since each ticket works once.
    """

    digest = models.CharField(max_length=64, primary_key=True)
    expires_at = models.DateTimeField(db_index=True)

    objects = PrimaryManager["SpentCode"]()

    class Meta:
        verbose_name = _("spent code")
        verbose_name_plural = _("spent codes")

    def __str__(self) -> str:
        return self.digest[:8]


class RecoveryCodeManager(PrimaryManager["RecoveryCode"]):
    def left(self, user: User) -> int:
        """Return the number of unused recovery codes of ``user``."""
        return rows.count(RecoveryCode, {"user": user, "used_at": None})


class RecoveryCode(models.Model):
    """A recovery code, which replaces a code by phone if the phone is lost.

    The table contains only a digest of it.

    .. attribute:: selector

        The first two characters of the code, which select the row among those of the user.  None
        for a code of 24 characters, which an earlier version created.

    .. attribute:: digest

        The scrypt hash (RFC 7914) of the other characters.  For a code of 24 characters, the
        SHA-256 of the whole code.

    .. attribute:: salt

        The salt for scrypt, in hexadecimal digits.

    .. attribute:: scrypt_n

        Together with ``scrypt_r`` and ``scrypt_p``, the parameters of scrypt.  Each row keeps its
        own, so a later version can raise them and existing codes still pass.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="bandwidth_mfa_recovery_codes",
        verbose_name=_("user"),
    )
    digest = models.CharField(max_length=64, unique=True)
    # The database needs the defaults: during a deployment the version before still creates codes of
    # 24 characters, without these columns.
    selector = models.CharField(max_length=2, null=True, editable=False)  # noqa: DJ001  see Meta
    salt = models.CharField(max_length=32, default="", db_default="", editable=False)
    scrypt_n = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    scrypt_r = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    scrypt_p = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    created_at = models.DateTimeField(_("made at"), default=timezone.now, editable=False)
    used_at = models.DateTimeField(_("used at"), null=True, blank=True)

    objects = RecoveryCodeManager()

    class Meta:
        verbose_name = _("recovery code")
        verbose_name_plural = _("recovery codes")
        # For mfa_status, which counts the codes that were used in the last hours.
        indexes = (models.Index(fields=["used_at"], name="bandwidth_mfa_used"),)
        # A selector is unique for each user.  Old codes have NULL there, which all databases
        # ignore.
        constraints = (
            models.UniqueConstraint(
                fields=["user", "selector"], name="bandwidth_mfa_selector_once"
            ),
        )

    def __str__(self) -> str:
        return self.digest[:8]


class TrustedBrowserQuerySet(models.QuerySet["TrustedBrowser"]):
    def over(self) -> TrustedBrowserQuerySet:
        """Return the browsers that were trusted more than ``TRUST_DAYS`` ago."""
        return self.filter(created_at__lte=_trusted_since())

    def valid(self, user: User) -> TrustedBrowserQuerySet:
        """Return the browsers in which ``user`` may sign in without a code.

        They were trusted at most ``TRUST_DAYS`` ago, and with the user's present password.
        """
        return self.filter(
            user=in_query(user),
            created_at__gt=_trusted_since(),
            auth_hash__in=auth_hashes(user),
        )


def _trusted_since() -> datetime:
    return timezone.now() - timedelta(days=conf.settings.TRUST_DAYS)


class TrustedBrowser(models.Model):
    """A browser in which the user signs in without a code.

    .. attribute:: digest

        The SHA-256 of the random token in the browser's cookie.  Somebody who reads this table does
        not get a valid cookie.

    .. attribute:: auth_hash

        The user's ``get_session_auth_hash()`` when the browser was trusted.  A change of password
        makes the row invalid.

    .. attribute:: name

        A description from the User-Agent header, such as ``Firefox on Android``.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="bandwidth_mfa_trusted_browsers",
        verbose_name=_("user"),
    )
    digest = models.CharField(max_length=64, unique=True)
    auth_hash = models.CharField(max_length=128, blank=True)
    name = models.CharField(_("name"), max_length=100, blank=True)
    created_at = models.DateTimeField(_("trusted at"), default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(_("last used at"), default=timezone.now, editable=False)

    objects = PrimaryManager.from_queryset(TrustedBrowserQuerySet)()

    class Meta:
        verbose_name = _("trusted browser")
        verbose_name_plural = _("trusted browsers")
        ordering = ("-last_used_at",)

    def __str__(self) -> str:
        # Translators: Users see this in the list of the browsers that they trust.
        return self.name or str(_("Unknown browser"))


class SecondFactorManager(PrimaryManager["SecondFactor"]):
    """The manager that ends sessions.  Sessions from before a stored moment are not valid.

    :meth:`require_new_code` and :meth:`end_sessions` set this moment to now, delete the user's
    trusted browsers, and return the row as it was before.  The row is read under a lock: if two
    sessions end each other at the same time, only the first one stays.
    """

    def of(self, user: User) -> SecondFactor:
        """Return the row of ``user``; a new, unsaved one if there is none."""
        return next(iter(rows.find(self.model, {"user": user})), SecondFactor())

    def make(self, user: User) -> None:
        """Create the row of ``user`` if it does not exist.

        Call it before the transaction that locks the row.  On MariaDB, an ``INSERT`` of an existing
        row keeps a shared lock on it, so two transactions would wait for each other (a deadlock).
        """
        self.get_or_create(user=in_query(user))

    def lock(self, user: User) -> SecondFactor:
        """Return the row of ``user``, locked until the transaction ends.

        :raises SecondFactor.DoesNotExist: the row does not exist; call :meth:`make` first.
        """
        return self.select_for_update().get(user=in_query(user))

    def require_new_code(self, user: User) -> SecondFactor:
        """Make all sessions of ``user`` owe a code again within ``RECHECK_SECONDS``."""
        return self._move(user, "verified_since")

    def end_sessions(self, user: User) -> SecondFactor:
        """End all sessions of ``user`` within ``RECHECK_SECONDS``."""
        return self._move(user, "signed_in_since")

    def _move(self, user: User, field: str) -> SecondFactor:
        self.make(user)
        with transaction.atomic(using=router.db_for_write(self.model)):
            before = self.lock(user)
            self.filter(user=in_query(user)).update(**{field: timezone.now()})
            TrustedBrowser.objects.filter(user=in_query(user)).delete()
        return before


class SecondFactor(models.Model):
    """Other data about the second factor of a user.  The row is created when it is needed.

    The row contains three ladders.  A ladder counts steps, and each step makes the wait for the
    next one longer.  It consists of the number of steps, and of the moment when the wait ends, in
    microseconds since the epoch; 0 means no wait.  Only ``internal/limits`` writes the ladders.

    .. attribute:: verified_since

        A session that was verified before this moment owes a code again, because a phone was
        removed or staff reset the second factor.

    .. attribute:: signed_in_since

        A session that began before this moment is signed out.

    .. attribute:: language

        The language of the user's last change.  Mail that somebody else causes is written in it.

    .. attribute:: declined_at

        When the user last answered "not now" to the suggestion to add a phone.

    .. attribute:: sends, send_after

        The number of codes sent since the last right code, and the earliest moment for the next one
        (``RESEND_COOLDOWN``).

    .. attribute:: failures, try_after

        The number of wrong codes in a row, and the earliest moment for the next try.

    .. attribute:: recovery_failures, recovery_after

        The same for recovery codes.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="bandwidth_mfa_second_factor",
        verbose_name=_("user"),
    )
    verified_since = models.DateTimeField(_("sessions verified since"), null=True, blank=True)
    signed_in_since = models.DateTimeField(_("sessions begun since"), null=True, blank=True)
    language = models.CharField(_("language"), max_length=20, blank=True)
    declined_at = models.DateTimeField(_("phone declined at"), null=True, blank=True)
    # The database needs the defaults, too: the version before creates rows without these columns.
    sends = models.PositiveIntegerField(_("codes sent in a row"), default=0, db_default=0)
    send_after = models.BigIntegerField(_("next code after"), default=0, db_default=0)
    failures = models.PositiveIntegerField(_("wrong codes in a row"), default=0, db_default=0)
    try_after = models.BigIntegerField(_("next try after"), default=0, db_default=0)
    recovery_failures = models.PositiveIntegerField(
        _("wrong recovery codes in a row"), default=0, db_default=0
    )
    recovery_after = models.BigIntegerField(_("next recovery code after"), default=0, db_default=0)

    objects = SecondFactorManager()

    class Meta:
        verbose_name = _("second factor")
        verbose_name_plural = _("second factors")
        # For mfa_status, which counts the locked users.
        indexes = (models.Index(fields=["failures"], name="bandwidth_mfa_failures"),)
        permissions = (("reset_second_factor", "Can reset the second factor of users"),)

    def __str__(self) -> str:
        return str(self.user)


class Counter(models.Model):
    """The counter of one limit for one key: a leaky bucket.  Only ``internal/limits`` writes it.

    .. attribute:: key

        The key, such as ``1:user:3600:9f86d0…``: the place in the order of locks, the name of the
        limit, its period in seconds, and a digest of the user, number or address.

    .. attribute:: moment

        When the bucket will be empty, in microseconds since the epoch.  A row whose moment has
        passed limits nobody and can be deleted.

    .. attribute:: spare

        Always 0.  On some databases it is written to lock the row.
    """

    key = models.CharField(_("key"), max_length=100, primary_key=True)
    moment = models.BigIntegerField(_("empty at"), db_index=True)
    spare = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)

    objects = PrimaryManager["Counter"]()

    class Meta:
        # A new table: during a deployment the version before still counts in the old one.
        db_table = "bandwidth_mfa_bucket"
        verbose_name = _("counter")
        verbose_name_plural = _("counters")

    def __str__(self) -> str:
        return self.key


def _choice(pk: int | None, number: str) -> str:
    """Return the primary key of a phone as a text; for a phone of ``GET_PHONES``, a digest."""
    if pk is not None:
        return str(pk)
    return salted_hmac("bandwidth_mfa.phone", number, algorithm="sha256").hexdigest()[:16]


def auth_hashes(user: User) -> list[str]:
    """Return the hashes of the password to which Django binds the sessions of ``user``.

    There is one for ``SECRET_KEY``, which comes first, and one for each of
    ``SECRET_KEY_FALLBACKS``.
    """
    if not hasattr(user, "get_session_auth_hash"):
        return [""]
    of_django = cast(AbstractBaseUser, user)
    return [of_django.get_session_auth_hash(), *of_django.get_session_auth_fallback_hash()]
