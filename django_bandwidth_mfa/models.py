"""The tables: phones, codes that were sent, recovery codes, trusted browsers, the moments since
which sessions count, and the counters.

No table holds a code that somebody could type.  Full numbers are in :class:`Phone` and
:class:`Challenge` only, which need them to send and to verify.  The text form of a row masks them.
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
    """How a code travels, as Bandwidth names it."""

    # Translators: Users see this: a way to get a code, beside "phone call".
    SMS = "sms", _("text message")
    # Translators: Users see this: a way to get a code, beside "text message".
    VOICE = "voice", _("phone call")


class Purpose(models.TextChoices):
    """What a code is for; each has a Bandwidth scope of its own (``SCOPES``)."""

    LOGIN = "login", _("sign in")
    STEP_UP = "step-up", _("confirm a sensitive action")
    ENROL = "enrol", _("confirm a new phone")


class PrimaryManager(models.Manager[Row]):
    """Reads where it writes, whatever the site's router says of reading.

    A replica may be behind: a phone that was just added would not be asked for.
    """

    def get_queryset(self) -> models.QuerySet[Row]:
        found = super().get_queryset()
        # `_db` is set by `db_manager()`, which chooses a database by name.  The new queryset is
        # nobody else's yet, so that it need not be copied, as `using()` does.
        found._db = self._db or router.db_for_write(self.model)  # type: ignore[attr-defined]
        return found


class PhoneQuerySet(models.QuerySet["Phone"]):
    def confirmed(self) -> PhoneQuerySet:
        """Those whose owner has typed a code that was sent to them."""
        return self.filter(confirmed_at__isnull=False)


class Phone(models.Model):
    """A number of a user's.

    It receives login codes once it is confirmed, that is, once its owner has typed a code that was
    sent to it.

    .. attribute:: number

        E.164, such as ``+12025550123``.

    .. attribute:: is_primary

        Whether codes go here unless the user chooses another; true for one phone of a user at most.

    .. attribute:: confirmed_at

        When the number was proven; None before.

    .. attribute:: name

        What its owner calls it, if anything.

    .. attribute:: replaces

        While it is unconfirmed: the phone whose place it takes once it is.

    .. attribute:: channel

        How its owner wants to get codes there, ``"sms"`` or ``"voice"``; empty if they never said.
        :attr:`default_channel` is what happens.
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
        # In the database, too: while a new version is rolled out, the old one still adds phones.
        db_default="",
        help_text=_("How codes go to it; empty for the first way that the site has set up."),
    )
    created_at = models.DateTimeField(_("added at"), default=timezone.now, editable=False)
    # "One primary phone a user" as a constraint that every database can hold: MariaDB has no
    # conditional indexes, but all ignore NULL in a unique one.
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
        """The number as it may be shown in a list: all but its last two digits hidden."""
        return numbers.mask(self.number)

    @property
    def ending(self) -> str:
        """The last two digits, for a sentence that says "the phone ending in 42"."""
        return numbers.ending(self.number)

    @property
    def label(self) -> str:
        """How a sentence calls this phone, after the words "the phone".

        Such as "ending in 42", and with a name "“Work” (ending in 42)".
        """
        return numbers.label(self.number, self.name)

    @property
    def choice(self) -> str:
        """What a form sends, and a session keeps, to name this phone: never the number itself."""
        return _choice(self.pk, self.number)

    @property
    def default_channel(self) -> str:
        """How a code goes to this phone if nobody chooses, ``"sms"`` or ``"voice"``.

        It is the preferred channel.  If none is preferred, or the site has not set it up, it is the
        site's first channel.
        """
        offered = conf.channels()
        return self.channel if self.channel in offered else next(iter(offered), Channel.SMS.value)


class Delivery(models.TextChoices):
    """What is known of a code on its way; delivered means to the carrier, not read.

    A receipt says ``DELIVERED`` or ``FAILED``.  ``UNKNOWN``: Bandwidth did not answer, so nobody
    knows whether it sent the code.
    """

    DELIVERED = "delivered", _("delivered")
    FAILED = "failed", _("failed")
    UNKNOWN = "unknown", _("unknown")


class ChallengeQuerySet(models.QuerySet["Challenge"]):
    def current(self, user: User, purpose: str) -> Challenge | None:
        """The code that ``user`` would be typing now: the newest that went out for ``purpose``."""
        of_user = {"user": user, "purpose": purpose, "failure": ""}
        found: Iterable[Challenge]
        if purpose == Purpose.ENROL:
            # The page shows which phone is being enrolled.  Others need its key only.
            found = self.filter(**of_user).select_related("phone").order_by("-sent_at")[:1]
        else:
            found = rows.find(Challenge, of_user, newest_by="sent_at")
        for challenge in found:
            challenge.user = cast(Any, user)
            return challenge
        return None


class Challenge(models.Model):
    """A code that was sent: to whom, what for, and what has become of it.

    Bandwidth must be told the fields from ``number`` to ``digits`` again when the code is verified.
    They are kept as they were sent, so that a change of settings in between does no harm.  Only the
    lifetime is the one of the settings at that moment (``EXPIRATION_MINUTES``).
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
    # Removing a phone takes its challenges along: no code sent to it passes any more.
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
    # What this send has taken from SEND_LIMITS, for a right code to give back: lists of a key, an
    # amount and a moment, both in microseconds.  Null once it is given back.
    taken = models.JSONField(null=True, blank=True, editable=False)

    # Only who has just sent this one knows these: by each channel, when another code may be sent
    # there and which limit says so; and how many wrong codes in a row the user had typed.
    next_sends: Mapping[str, tuple[datetime, str]] | None = None
    failures_when_sent: int | None = None

    objects = PrimaryManager.from_queryset(ChallengeQuerySet)()

    class Meta:
        verbose_name = _("challenge")
        verbose_name_plural = _("challenges")
        ordering = ("-sent_at",)
        # tests/test_indexes.py says which query uses which one.
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
        """The number as it may be shown in a list."""
        return numbers.mask(self.number)

    @property
    def ending(self) -> str:
        """The last two digits, for a sentence that says "the phone ending in 42"."""
        return numbers.ending(self.number)

    @property
    def phone_choice(self) -> str:
        """The :attr:`Phone.choice` of the phone that the code went to."""
        return _choice(self.phone_id, self.number)

    @property
    def is_open(self) -> bool:
        """Whether its code can still be typed."""
        return (
            self.passed_at is None
            and not self.failure
            and self.expires_at > timezone.now()
            and self.tries < conf.settings.TRIES_PER_CHALLENGE
        )

    @property
    def is_followed(self) -> bool:
        """Whether a receipt may still tell what becomes of the message."""
        receipts_are_on = conf.settings.RECEIPT_SECRET is not None
        return receipts_are_on and self.channel == Channel.SMS and not self.delivery


class SpentCode(models.Model):
    """A code that passed, so that it does not pass again while Bandwidth would still take it.

    The ids of login tickets that were used up are here, too: each is used once.

    Bandwidth accepts any code of the last minutes, as often as it is typed, and a resend leaves the
    earlier one alive: one use per code and number is this table's unique key.  The digest is keyed:
    six digits are no secret from somebody who can hash them all.
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
        """How many unused codes ``user`` has."""
        return rows.count(RecoveryCode, {"user": user, "used_at": None})


class RecoveryCode(models.Model):
    """A code that its owner keeps on paper, for the day when the phone is gone.

    Only its digest is here.

    .. attribute:: selector

        The first two characters of the code.  They say which row of the user's is the code's own.
        None for a code of 24 characters, as an earlier version made them.

    .. attribute:: digest

        Scrypt (RFC 7914) of the other characters.  For a code of 24 characters, the SHA-256 of all
        of them.

    .. attribute:: salt

        The salt of scrypt, in hexadecimal digits.

    .. attribute:: scrypt_n

        With ``scrypt_r`` and ``scrypt_p`` the parameters of scrypt.  They are the row's own.  So a
        later version can raise them, and the codes that are there still pass.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="bandwidth_mfa_recovery_codes",
        verbose_name=_("user"),
    )
    digest = models.CharField(max_length=64, unique=True)
    # The defaults of the database are for the version before: while a new version is rolled out, it
    # still makes codes of 24 characters.
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
        # For mfa_status, which counts those that were used in the last hours.
        indexes = (models.Index(fields=["used_at"], name="bandwidth_mfa_used"),)
        # A selector names one row.  All databases ignore NULL here: old codes have no selector.
        constraints = (
            models.UniqueConstraint(
                fields=["user", "selector"], name="bandwidth_mfa_selector_once"
            ),
        )

    def __str__(self) -> str:
        return self.digest[:8]


class TrustedBrowserQuerySet(models.QuerySet["TrustedBrowser"]):
    def over(self) -> TrustedBrowserQuerySet:
        """Those older than ``TRUST_DAYS``."""
        return self.filter(created_at__lte=_trusted_since())

    def valid(self, user: User) -> TrustedBrowserQuerySet:
        """Those that ``user`` may sign in with, without a code: neither older than ``TRUST_DAYS``
        nor from before a change of password."""
        return self.filter(
            user=in_query(user),
            created_at__gt=_trusted_since(),
            auth_hash__in=auth_hashes(user),
        )


def _trusted_since() -> datetime:
    return timezone.now() - timedelta(days=conf.settings.TRUST_DAYS)


class TrustedBrowser(models.Model):
    """A browser in which its user is not asked for a code.

    .. attribute:: digest

        The SHA-256 of the random token in its cookie.  So a reader of this table has no cookie.

    .. attribute:: auth_hash

        The user's ``get_session_auth_hash()`` when it was trusted: another password voids it.

    .. attribute:: name

        What it calls itself, such as ``Firefox on Android``.
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
        # Translators: Users see this, in the list of the browsers that they trust.
        return self.name or str(_("Unknown browser"))


class SecondFactorManager(PrimaryManager["SecondFactor"]):
    """Ends sessions: it moves the moment since which the sessions of a user count.

    :meth:`require_new_code` and :meth:`end_sessions` also forget the user's trusted browsers, and
    return the row as it was before.  The row is read under a lock: when two sessions end each
    other, only the first one stays.
    """

    def of(self, user: User) -> SecondFactor:
        """Return the row of ``user``; an empty one, unsaved, if there is none."""
        return next(iter(rows.find(self.model, {"user": user})), SecondFactor())

    def make(self, user: User) -> None:
        """Make the row of ``user`` if it is missing.

        Call it before the transaction that locks the row.  On MariaDB an ``INSERT`` that finds the
        row there keeps a shared lock on it, so two transactions would wait for each other.
        """
        self.get_or_create(user=in_query(user))

    def lock(self, user: User) -> SecondFactor:
        """Return the row of ``user``, locked until the transaction ends.

        :raises SecondFactor.DoesNotExist: the row is missing (:meth:`make`).
        """
        return self.select_for_update().get(user=in_query(user))

    def require_new_code(self, user: User) -> SecondFactor:
        """Have the sessions of ``user`` owe a code again within ``RECHECK_SECONDS``."""
        return self._move(user, "verified_since")

    def end_sessions(self, user: User) -> SecondFactor:
        """Sign ``user`` out of every session within ``RECHECK_SECONDS``."""
        return self._move(user, "signed_in_since")

    def _move(self, user: User, field: str) -> SecondFactor:
        self.make(user)
        with transaction.atomic(using=router.db_for_write(self.model)):
            before = self.lock(user)
            self.filter(user=in_query(user)).update(**{field: timezone.now()})
            TrustedBrowser.objects.filter(user=in_query(user)).delete()
        return before


class SecondFactor(models.Model):
    """What else is known of a user's second factor; a row is made when there is something to say.

    It holds three ladders: each step makes the next one wait for longer.  Only ``internal/limits``
    writes them.  A ladder is a number of steps and a moment, in microseconds since the epoch; 0 is
    no wait.

    .. attribute:: verified_since

        A session verified before this moment owes a code again: a phone went, or staff stepped in.

    .. attribute:: signed_in_since

        A session that is older than this is signed out.

    .. attribute:: language

        What its owner reads, as of the last time they changed something; for mail that somebody
        else causes.

    .. attribute:: declined_at

        When they last said "not now" to a suggested phone.

    .. attribute:: sends, send_after

        Codes that were sent since the last right code, and when the next one may be sent
        (``RESEND_COOLDOWN``).

    .. attribute:: failures, try_after

        Wrong codes in a row, and when the next code may be tried.

    .. attribute:: recovery_failures, recovery_after

        The same of recovery codes.
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
    # The defaults stand in the database, too: the version before makes rows without these columns.
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
        # For mfa_status, which counts those who are locked.
        indexes = (models.Index(fields=["failures"], name="bandwidth_mfa_failures"),)
        permissions = (("reset_second_factor", "Can reset the second factor of users"),)

    def __str__(self) -> str:
        return str(self.user)


class Counter(models.Model):
    """One limit for one key, as a leaky bucket.  Only ``internal/limits`` writes it.

    .. attribute:: key

        What is limited, such as ``1:user:3600:9f86d0…``: its place in the order of locks, the name
        of the limit, its period in seconds, and a digest of whom it is about.

    .. attribute:: moment

        When the bucket will be empty, in microseconds since the epoch.  A row whose moment is over
        limits nobody.

    .. attribute:: spare

        Always 0.  Where the database has no better way, it is written to lock the row.
    """

    key = models.CharField(_("key"), max_length=100, primary_key=True)
    moment = models.BigIntegerField(_("empty at"), db_index=True)
    spare = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)

    objects = PrimaryManager["Counter"]()

    class Meta:
        # Another table than that of the version before, which still counts while it is replaced.
        db_table = "bandwidth_mfa_bucket"
        verbose_name = _("counter")
        verbose_name_plural = _("counters")

    def __str__(self) -> str:
        return self.key


def _choice(pk: int | None, number: str) -> str:
    """Return the key of a phone, or a digest: a phone of ``GET_PHONES`` has no row and no key."""
    if pk is not None:
        return str(pk)
    return salted_hmac("bandwidth_mfa.phone", number, algorithm="sha256").hexdigest()[:16]


def auth_hashes(user: User) -> list[str]:
    """Return the hashes of the password that Django binds a session of ``user`` to.

    There is one for each ``SECRET_KEY`` that still counts.  The one in force comes first.
    """
    if not hasattr(user, "get_session_auth_hash"):
        return [""]
    of_django = cast(AbstractBaseUser, user)
    return [of_django.get_session_auth_hash(), *of_django.get_session_auth_fallback_hash()]
