"""The only way to Bandwidth: send a code, verify a code.

::

    challenge = service.send_code(user)
    if service.verify_code(challenge, "123456"):
        ...

Both count before they ask.  The count has a transaction of its own, which is over before the
request to Bandwidth begins.  Inside a transaction of the caller they raise ``RuntimeError`` and
send nothing.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.db import IntegrityError, transaction
from django.db.models import Exists, F
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from . import conf, receipts
from .bandwidth import BandwidthClient, BandwidthError, Breaker, TooManyRequests
from .conf import settings
from .exceptions import (
    ChallengeExpired,
    ChallengeUsed,
    Limited,
    MFAError,
    NoPhone,
    ProviderUnavailable,
)
from .internal import numbers
from .internal.codes.alarm import watch_conversion
from .internal.limits import rules, store
from .internal.notify import events
from .internal.phones import changes
from .internal.phones.source import phone_source
from .models import Challenge, Phone, Purpose, SecondFactor, SpentCode, spent_digest
from .verification import Verification

# Bandwidth takes a code for this long at most (`expirationTimeInMinutes`): what passed is
# remembered for as long, whatever EXPIRATION_MINUTES becomes meanwhile.
LONGEST_CODE_LIFE = timedelta(minutes=15)

# What Bandwidth's own 429 asks for ("please wait 2 minutes"), where it gives no other figure.
THROTTLE_SECONDS = 120

# Bandwidth's longest scope, and the random end that BIND_CODES gives to one: 40 bits.
LONGEST_SCOPE = 25
BOUND_LETTERS = "abcdefghjkmnpqrstvwxyz0123456789"
BOUND_LENGTH = 8


# Django masks these names in the frames of all that is called from here, too.
@sensitive_variables("phone", "number", "subject")
def send_code(
    user: Any,
    *,
    purpose: str = "login",
    phone: Phone | str | None = None,
    channel: str | None = None,
    request: HttpRequest | None = None,
) -> Challenge:
    """Have Bandwidth send ``user`` a code.

    :param purpose: ``"login"``, ``"step-up"`` or ``"enrol"``.
    :param phone: one of the user's confirmed phones, or its number; None: the primary one.  For
        ``"enrol"``, the phone that is to be confirmed.
    :param channel: ``"sms"`` or ``"voice"``; None: the first that is set up.
    :param request: whose client address counts towards the limits; None counts none.
    :raises NoPhone: there is no such phone.
    :raises NumberRefused: codes may not go to this number.
    :raises Limited: too many codes were sent lately.
    :raises ProviderUnavailable: Bandwidth failed.  With ``may_have_arrived`` the challenge stands
        all the same, and the code can be typed if it comes.
    :raises ValueError: there is no such purpose, or the channel is not set up.
    :raises RuntimeError: a transaction is open.
    """
    if purpose not in Purpose.values:
        raise ValueError(f"purpose must be one of {Purpose.values}, not {purpose!r}")
    channels = conf.channels()
    if not channels:
        raise ImproperlyConfigured("BANDWIDTH_MFA names no application for messages or calls.")
    channel = channel or channels[0]
    if channel not in channels:
        raise ValueError(f"channel must be one of {channels}, not {channel!r}")
    chosen = _choose(user, purpose, phone)
    numbers.check(chosen.number)
    scope, message = _scope_and_message(purpose)

    now = timezone.now()
    challenge = Challenge(
        user=user,
        phone=chosen if chosen.pk is not None else None,
        purpose=purpose,
        channel=channel,
        number=chosen.number,
        from_number=settings.FROM_NUMBER,
        application_id=application(channel),
        scope=scope,
        digits=settings.DIGITS,
        sent_at=now,
        expires_at=now + timedelta(minutes=settings.EXPIRATION_MINUTES),
    )

    def count() -> list[store.Taken]:
        taken = rules.take_send(
            user,
            chosen.number,
            purpose=purpose,
            channel=channel,
            is_proven=purpose != Purpose.ENROL and phone_source().is_proven,
            request=request,
        )
        challenge.save(force_insert=True)
        return taken

    try:
        taken = store.counting(count)
    except Limited as refusal:
        events.send_refused(challenge, refusal)
        raise
    except IntegrityError as error:  # the phone, or the user, has gone this moment
        raise NoPhone from error
    # The row may go, with its phone, while Bandwidth is being asked.
    sent = Challenge.objects.filter(pk=challenge.pk)
    try:
        with breaker().guard():
            challenge.provider_id = _send(challenge, message, request)
    except BandwidthError as error:
        if not error.may_have_arrived:
            challenge.failure = type(error).__name__
            sent.update(failure=challenge.failure)
            _give_back(taken)
        events.code_send_failed(challenge, error, request)
        raise _as_mfa_error(error, challenge) from error
    is_there = sent.update(provider_id=challenge.provider_id)
    events.code_sent(challenge, request)
    if not is_there:
        raise NoPhone
    watch_conversion()
    return challenge


@sensitive_variables("code", "number", "subject", "spent")
def verify_code(
    challenge: Challenge, code: str, *, request: HttpRequest | None = None
) -> Verification:
    """Ask Bandwidth whether ``code`` is right; the answer is true once, and then never again.

    The try is counted first.  What cannot be a code (not as many ASCII digits as were sent, spaces
    and hyphens aside) is wrong without being counted, for Bandwidth is never asked.

    A right code for ``"enrol"`` confirms the phone in the same transaction.

    :returns: falsy when the code is wrong, or was used before.
    :raises ChallengeExpired: its time is over, or its phone is gone.
    :raises ChallengeUsed: it passed already, or has no tries left.
    :raises Limited: too many wrong codes in a row.
    :raises Locked: far too many.
    :raises ProviderUnavailable: Bandwidth failed; the try counts only if it may have arrived.
    :raises RuntimeError: a transaction is open.
    """
    code = normalise(code)
    wrong = Verification(challenge.user, challenge.channel, challenge)
    if not re.fullmatch(r"[0-9]+", code) or len(code) != challenge.digits:
        return wrong

    # A phone of ours takes its challenges along when it goes; a number that the site keeps cannot.
    if challenge.phone_id is None and not any(
        phone.number == challenge.number for phone in phone_source().confirmed(challenge.user)
    ):
        raise ChallengeExpired
    taken = store.counting(lambda: _take_try(challenge))
    try:
        with breaker().guard():
            valid = client().verify(
                to=challenge.number,
                from_=challenge.from_number,
                application_id=challenge.application_id,
                code=code,
                digits=challenge.digits,
                expiration_minutes=settings.EXPIRATION_MINUTES,
                scope=challenge.scope,
            )
    except BandwidthError as error:
        if not error.may_have_arrived:
            _give_back(taken, try_of=challenge)
        events.verify_failed(challenge, error, request)
        raise _as_mfa_error(error, challenge) from error

    passed_at = timezone.now()
    # Nothing but the literal True: a lying or broken answer must never log anybody in.
    if valid is True and _spend(challenge, code, passed_at, request):
        events.code_verified(challenge, request)
        return replace(wrong, verified_at=passed_at)

    events.code_rejected(challenge, request)
    failures = rules.failures(challenge.user)
    if failures >= settings.FAILURES_BEFORE_LOCK:
        events.locked_out(challenge.user, request)
    if rules.look_like_guesses(challenge.user, failures):
        events.wrong_codes(challenge.user, request)
    return wrong


def end_sessions(user: Any, *, keep: HttpRequest | None = None) -> None:
    """Sign ``user`` out everywhere within ``RECHECK_SECONDS``, and trust none of their browsers.

    :param keep: a request whose session stays signed in, as "sign out everywhere else" needs.
    """
    from . import sessions

    before = SecondFactor.objects.end_sessions(user)
    if keep is not None:
        sessions.outlive(keep.session, user, before)
    events.signed_out_others(user, keep)


def require_new_code(user: Any, *, keep: HttpRequest | None = None) -> None:
    """Have the sessions of ``user`` owe a code again, and trust none of their browsers.

    It takes up to ``RECHECK_SECONDS``.  Call it when a number of ``GET_PHONES`` has changed, for
    instance.

    :param keep: a request whose session stays verified.
    """
    from . import sessions

    before = SecondFactor.objects.require_new_code(user)
    if keep is not None:
        sessions.outlive(keep.session, user, before)


def normalise(code: str) -> str:
    """``code`` without the spaces and hyphens that people type, so that none of its spellings
    is counted, compared or sent as another code."""
    return re.sub(r"[\s-]+", "", code)


def client() -> BandwidthClient:
    """The client for the settings in force; one is kept per configuration, with its connections."""
    return _client(
        account_id=settings.ACCOUNT_ID,
        username=settings.USERNAME,
        password=settings.PASSWORD,
        client_id=settings.CLIENT_ID,
        client_secret=settings.CLIENT_SECRET,
        base_url=settings.BASE_URL,
        token_url=settings.TOKEN_URL,
        connect_timeout=settings.CONNECT_TIMEOUT,
        read_timeout=settings.READ_TIMEOUT,
        total_timeout=settings.TOTAL_TIMEOUT,
    )


@lru_cache(maxsize=8)
def _client(**configuration: Any) -> BandwidthClient:
    return BandwidthClient(**configuration)


def breaker() -> Breaker:
    """What stands between this process and a Bandwidth that hangs."""
    return _breaker(
        settings.BASE_URL,
        failures=settings.BREAKER_FAILURES,
        seconds=settings.BREAKER_SECONDS,
        concurrent=settings.MAX_CONCURRENT_CALLS,
    )


@lru_cache(maxsize=8)
def _breaker(base_url: str, **configuration: Any) -> Breaker:
    return Breaker(**configuration)


@receiver(setting_changed)
def _forget_failures(*, setting: str, **kwargs: object) -> None:
    """Tests change settings: an outage of one of them is not the next one's."""
    if setting == "BANDWIDTH_MFA":
        _breaker.cache_clear()


def _send(challenge: Challenge, message: str, request: HttpRequest | None) -> str:
    """Hand the code over to Bandwidth, which answers with its id."""
    if challenge.channel == "voice":
        return client().send_call(
            to=challenge.number,
            from_=challenge.from_number,
            application_id=challenge.application_id,
            message=message,
            digits=challenge.digits,
            scope=challenge.scope,
        )
    return client().send_message(
        to=challenge.number,
        from_=challenge.from_number,
        application_id=challenge.application_id,
        message=message,
        digits=challenge.digits,
        scope=challenge.scope,
        callback_url=receipts.callback_url(request),
    )


def _scope_and_message(purpose: str) -> tuple[str, str]:
    """Bandwidth's scope, and the text.

    With ``BIND_CODES`` the scope ends in letters that no other challenge has, so Bandwidth takes
    the code for this one only; the person reads the purpose, without them.
    """
    scope, message = settings.SCOPES[purpose], settings.MESSAGE
    if not settings.BIND_CODES:
        return scope, message
    ending = "".join(secrets.choice(BOUND_LETTERS) for _ in range(BOUND_LENGTH))
    bound = f"{scope[: LONGEST_SCOPE - 1 - BOUND_LENGTH]}-{ending}"
    return bound, message.replace("{SCOPE}", scope)


def application(channel: str) -> str:
    """The id of the application that codes of ``channel`` go through."""
    found = settings.MESSAGING_APPLICATION_ID if channel == "sms" else settings.VOICE_APPLICATION_ID
    return found or ""


def _choose(user: Any, purpose: str, phone: Phone | str | None) -> Phone:
    """The phone that was asked for, if it is this user's to ask for."""
    if purpose == Purpose.ENROL:
        if isinstance(phone, Phone) and phone.user_id == user.pk and phone.confirmed_at is None:
            return phone
        raise NoPhone
    number = phone.number if isinstance(phone, Phone) else phone
    for candidate in phone_source().confirmed(user):
        if number in (None, candidate.number):
            return candidate
    raise NoPhone


def _take_try(challenge: Challenge) -> list[store.Taken]:
    """Count one try, of the user's and of the challenge's; the last refuses and undoes all."""
    taken = [rules.take_failure(challenge.user)]
    if challenge.purpose == Purpose.ENROL:
        taken.append(rules.take_enrol_try(challenge.number))
    now = timezone.now()
    row = Challenge.objects.filter(pk=challenge.pk)
    open_ = row.filter(
        ~Exists(rules.held(challenge.number)),
        passed_at=None,
        failure="",
        expires_at__gt=now,
        tries__lt=settings.TRIES_PER_CHALLENGE,
    )
    if not open_.update(tries=F("tries") + 1):
        rules.refuse_held(challenge.number)
        found = row.first()
        if found is None or (found.passed_at is None and found.expires_at <= now):
            raise ChallengeExpired
        raise ChallengeUsed
    return taken


def _spend(challenge: Challenge, code: str, now: datetime, request: HttpRequest | None) -> bool:
    """Use the challenge and the code up; only one of concurrent right answers succeeds."""

    replaced: list[Phone] = []

    def spend() -> None:
        # Counters before the challenge, as in `_take_try`, or the two would wait for each other.
        rules.clear(challenge.user)
        if not Challenge.objects.filter(pk=challenge.pk, passed_at=None).update(passed_at=now):
            raise ChallengeUsed
        _spend_code(challenge.number, code, now)
        if challenge.purpose == Purpose.ENROL:
            replaced[:] = _confirm_phone(challenge, now)

    try:
        store.counting(spend)
    except _Replayed:
        events.code_replayed(challenge)
        return False
    challenge.passed_at = now
    for phone in replaced:
        events.phone_removed(phone, request)
    return True


def _confirm_phone(challenge: Challenge, now: datetime) -> list[Phone]:
    """Confirm the phone of ``challenge``; the phone whose place it has taken, if any."""
    if challenge.phone is None:
        raise ChallengeUsed
    was_pending, replaced = changes.confirm(challenge.phone, now)
    if not was_pending:
        raise ChallengeUsed
    return [replaced] if replaced else []


class _Replayed(Exception):
    """This code has passed for this number before."""


def _spend_code(number: str, code: str, now: datetime) -> None:
    spent = SpentCode(digest=spent_digest(number, code), expires_at=now + LONGEST_CODE_LIFE)
    try:
        with transaction.atomic():
            spent.save(force_insert=True)
    except IntegrityError:
        forgotten = SpentCode.objects.filter(digest=spent.digest, expires_at__lte=now)
        if not forgotten.update(expires_at=spent.expires_at):
            raise _Replayed from None


def _give_back(taken: list[store.Taken], *, try_of: Challenge | None = None) -> None:
    def give_back() -> None:
        store.give_back(taken)
        if try_of is not None:
            tried = Challenge.objects.filter(pk=try_of.pk, tries__gt=0)
            tried.update(tries=F("tries") - 1)

    store.counting(give_back)


def _as_mfa_error(error: BandwidthError, challenge: Challenge) -> MFAError:
    # A 429 from the token's address is about the account, not about this number.
    if isinstance(error, TooManyRequests) and error.endpoint != "token":
        wait = error.retry_after or THROTTLE_SECONDS
        rules.hold(challenge.number, wait)
        return Limited(wait)
    return ProviderUnavailable(may_have_arrived=error.may_have_arrived)
