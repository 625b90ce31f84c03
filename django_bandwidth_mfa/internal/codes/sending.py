"""Send a code: prepare it, count it, ask Bandwidth to send it, and record that it was sent."""

from __future__ import annotations

import math
import secrets
from asyncio import CancelledError
from collections.abc import Callable
from datetime import timedelta

from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError
from django.http import HttpRequest
from django.utils import timezone

from ...bandwidth import BandwidthError
from ...conf import channels, settings
from ...exceptions import Limited, Locked, MFAError, NoPhone
from ...models import Challenge, ChallengeQuerySet, Delivery, Phone, Purpose
from ...types import User, in_query
from .. import numbers
from ..databases import give_back_idle_connections
from ..limits import rules, store
from ..limits.addresses import client_address
from ..notify import events
from ..phones.source import phone_source
from . import alarm, provider, texts
from .steps import Steps, masked

# The longest scope that Bandwidth accepts; and the random suffix of BIND_CODES, with 40 bits.
LONGEST_SCOPE = 25
BOUND_LETTERS = "abcdefghjkmnpqrstvwxyz0123456789"
BOUND_LENGTH = 8


def prepare(
    user: User, *, purpose: str, phone: Phone | str | None, channel: str | None
) -> tuple[Challenge, str]:
    """Return the unsaved challenge for a code, and the text of the message.

    :param channel: ``"sms"`` or ``"voice"``; None for the channel that the owner prefers.
    :raises NoPhone: the user does not have this phone.
    :raises NumberRefused: codes must not be sent to this number.
    :raises ValueError: the purpose is unknown, or the channel is not set up.
    :raises ImproperlyConfigured: no channel is set up, or ``MESSAGE`` contains no ``{CODE}``.
    """
    if purpose not in Purpose.values:
        raise ValueError(f"purpose must be one of {Purpose.values}, not {purpose!r}")
    offered = channels()
    if not offered:
        raise ImproperlyConfigured(
            "BANDWIDTH_MFA needs MESSAGING_APPLICATION_ID, VOICE_APPLICATION_ID, or both."
        )
    if channel and channel not in offered:
        raise ValueError(f"channel must be one of {offered}, not {channel!r}")
    chosen = _phone(user, purpose, phone)
    channel = channel or chosen.default_channel
    numbers.check(chosen.number)
    message = texts.write(user, purpose=purpose, channel=channel)
    now = timezone.now()
    challenge = Challenge(
        user=in_query(user),
        phone=chosen if chosen.pk is not None else None,
        purpose=purpose,
        channel=channel,
        number=chosen.number,
        from_number=settings.FROM_NUMBER,
        application_id=provider.application(channel),
        scope=_scope(purpose),
        digits=settings.DIGITS,
        sent_at=now,
        expires_at=now + timedelta(minutes=settings.EXPIRATION_MINUTES),
    )
    return challenge, message


def _phone(user: User, purpose: str, phone: Phone | str | None) -> Phone:
    """Return the requested phone.

    :raises NoPhone: it is not one of the user's, or not in the right state for ``purpose``.
    """
    if purpose == Purpose.ENROL:
        if isinstance(phone, Phone) and phone.user_id == user.pk and phone.confirmed_at is None:
            return phone
        raise NoPhone
    source = phone_source()
    if isinstance(phone, Phone):
        is_confirmed = phone.user_id == user.pk and phone.confirmed_at is not None
        if is_confirmed and phone.pk is not None and source.proves_numbers:
            # It was read just now, so it is not read again.  If it is deleted in this moment, the
            # challenge cannot be saved.
            return phone
    number = phone.number if isinstance(phone, Phone) else phone
    for candidate in source.confirmed(user):
        if number in (None, candidate.number):
            return candidate
    raise NoPhone


def _scope(purpose: str) -> str:
    """Return the scope of the code at Bandwidth.

    With ``BIND_CODES`` it ends with random letters, so Bandwidth accepts the code only for this
    challenge.
    """
    scope = settings.SCOPES[purpose]
    if not settings.BIND_CODES:
        return scope
    ending = "".join(secrets.choice(BOUND_LETTERS) for _ in range(BOUND_LENGTH))
    return f"{scope[: LONGEST_SCOPE - 1 - BOUND_LENGTH]}-{ending}"


def count_and_save(challenge: Challenge, request: HttpRequest | None) -> rules.TakenSend:
    """Count the send under every limit, and save ``challenge``, in one transaction.

    :raises Limited: a limit is reached.
    :raises Locked: the user is locked.
    :raises NoPhone: the phone or the user was deleted in this moment.
    :raises RuntimeError: a transaction is open.
    """
    send = _send(
        challenge.user,
        challenge.number,
        purpose=challenge.purpose,
        channel=challenge.channel,
        request=request,
    )

    def take() -> rules.TakenSend:
        taken = rules.take_send(send)
        challenge.taken = taken.returnable
        challenge.save(force_insert=True)
        return taken

    try:
        taken = store.counting(take)
    except (Limited, Locked) as refusal:
        events.send_refused(challenge, refusal, request)
        raise
    except IntegrityError as error:
        raise NoPhone from error
    challenge.next_sends = taken.next_sends
    challenge.failures_when_sent = taken.step.failures
    return taken


def waits_until_send(
    user: User,
    number: str | None,
    *,
    purpose: str,
    standing: rules.Standing,
    request: HttpRequest | None = None,
) -> dict[str, store.Wait]:
    """Return for each channel how long :func:`count_and_save` would refuse a send to ``user``.

    It counts nothing.

    :param number: the number of the phone; None if it is not known yet.
    :param standing: the waits of ``user`` (:func:`.rules.standing`).
    """
    send = _send(user, number, purpose=purpose, channel=None, request=request)
    return rules.waits_until_send(send, standing)


def seconds_until_send(
    user: User,
    number: str | None,
    *,
    purpose: str,
    channel: str | None = None,
    request: HttpRequest | None = None,
) -> int:
    """Return for how many seconds :func:`count_and_save` would refuse a send to ``user``.

    It is 0 if a code can be sent now.  It counts nothing.

    :param number: the number of the phone; None if it is not known yet.
    :param channel: ``"sms"`` or ``"voice"``; None for the first channel of the site.
    """
    waits = waits_until_send(
        user, number, purpose=purpose, standing=rules.standing(user), request=request
    )
    channel = channel or next(iter(channels()), "sms")
    return math.ceil(waits[channel].seconds)


def _send(
    user: User,
    number: str | None,
    *,
    purpose: str,
    channel: str | None,
    request: HttpRequest | None,
) -> rules.Send:
    """Return the data of the send that the limits need."""
    return rules.Send(
        user,
        number,
        purpose,
        channel or next(iter(channels()), "sms"),
        is_proven=purpose != Purpose.ENROL and phone_source().proves_numbers,
        address=client_address(request),
    )


def send_steps(
    user: User,
    *,
    purpose: str,
    phone: Phone | str | None,
    channel: str | None,
    request: HttpRequest | None,
) -> Steps[Challenge]:
    """Return :func:`.service.send_code` as steps."""

    def begin() -> tuple[Challenge, rules.TakenSend, Callable[[], str]]:
        challenge, message = prepare(user, purpose=purpose, phone=phone, channel=channel)
        taken = count_and_save(challenge, request)
        return challenge, taken, lambda: provider.send(challenge, message, request)

    return _steps(begin, request)


def _steps(
    begin: Callable[[], tuple[Challenge, rules.TakenSend, Callable[[], str]]],
    request: HttpRequest | None,
) -> Steps[Challenge]:
    challenge, taken, call = masked(begin)
    yield from _ask_bandwidth(challenge, call, taken, request)
    masked(record_sent, challenge, request)
    return challenge


def _ask_bandwidth(
    challenge: Challenge,
    call: Callable[[], str],
    taken: rules.TakenSend,
    request: HttpRequest | None,
) -> Steps[None]:
    """Ask Bandwidth to send the code.  If it cannot have been sent, undo the count.

    Idle database connections are released first, for other requests.

    :raises MFAError: Bandwidth failed, or asked for a wait.
    """
    give_back_idle_connections()
    try:
        challenge.provider_id = yield call
    except CancelledError as error:
        # The caller was cancelled before the call was made.
        masked(_give_back, challenge, taken, error)
        raise
    except BandwidthError as error:
        raise masked(_settle_failure, challenge, taken, error, request) from error


def _settle_failure(
    challenge: Challenge,
    taken: rules.TakenSend,
    error: BandwidthError,
    request: HttpRequest | None,
) -> MFAError:
    """Record that a send failed, and return the error for the caller."""
    if error.may_have_arrived:
        # Stored, so that the page still shows it after a reload.
        challenge.delivery = Delivery.UNKNOWN
        _rows(challenge).update(delivery=challenge.delivery)
    else:
        _give_back(challenge, taken, error)
    events.code_send_failed(challenge, error, request)
    return provider.hold_and_translate(error, challenge)


def _give_back(challenge: Challenge, taken: rules.TakenSend, error: BaseException) -> None:
    challenge.failure = type(error).__name__
    _rows(challenge).update(failure=challenge.failure)
    store.counting(lambda: rules.give_back_send(taken))


def record_sent(challenge: Challenge, request: HttpRequest | None) -> None:
    """Record that Bandwidth accepted the code, with its id if a receipt is expected.

    The phone, and the challenge with it, may have been deleted during the call.  Then the code
    cannot be used.
    """
    if challenge.is_followed:
        _rows(challenge).update(provider_id=challenge.provider_id)
    events.code_sent(challenge, request)
    alarm.watch_conversion()


def _rows(challenge: Challenge) -> ChallengeQuerySet:
    # An UPDATE, not save(): the row may have been deleted, with its phone, during the call.
    return Challenge.objects.filter(pk=challenge.pk)
