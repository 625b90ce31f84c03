"""Sending a code: prepare it, count it, ask Bandwidth to send it, record that it was sent."""

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

# Bandwidth's longest scope, and the random end that BIND_CODES gives to a scope: 40 bits.
LONGEST_SCOPE = 25
BOUND_LETTERS = "abcdefghjkmnpqrstvwxyz0123456789"
BOUND_LENGTH = 8


def prepare(
    user: User, *, purpose: str, phone: Phone | str | None, channel: str | None
) -> tuple[Challenge, str]:
    """Return the challenge that the code will belong to, unsaved, and the text that carries it.

    :param channel: None for the one that its owner prefers for the phone.
    :raises NoPhone: the user has no such phone.
    :raises NumberRefused: no code may go to the number.
    :raises ValueError: there is no such purpose, or the channel is not set up.
    :raises ImproperlyConfigured: no channel is set up, or ``MESSAGE`` is no text with ``{CODE}``.
    """
    if purpose not in Purpose.values:
        raise ValueError(f"purpose must be one of {Purpose.values}, not {purpose!r}")
    offered = channels()
    if not offered:
        raise ImproperlyConfigured("BANDWIDTH_MFA names no application for messages or calls.")
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
    """Return the phone that was asked for, if the user may ask for it."""
    if purpose == Purpose.ENROL:
        if isinstance(phone, Phone) and phone.user_id == user.pk and phone.confirmed_at is None:
            return phone
        raise NoPhone
    source = phone_source()
    if isinstance(phone, Phone):
        is_confirmed = phone.user_id == user.pk and phone.confirmed_at is not None
        if is_confirmed and phone.pk is not None and source.proves_numbers:
            # The page has just read it.  If it goes this moment, its challenge cannot be saved.
            return phone
    number = phone.number if isinstance(phone, Phone) else phone
    for candidate in source.confirmed(user):
        if number in (None, candidate.number):
            return candidate
    raise NoPhone


def _scope(purpose: str) -> str:
    """Return the scope that Bandwidth keeps the code under.

    With ``BIND_CODES`` it ends in letters that no other challenge has.  Bandwidth then takes the
    code for this challenge only.
    """
    scope = settings.SCOPES[purpose]
    if not settings.BIND_CODES:
        return scope
    ending = "".join(secrets.choice(BOUND_LETTERS) for _ in range(BOUND_LENGTH))
    return f"{scope[: LONGEST_SCOPE - 1 - BOUND_LENGTH]}-{ending}"


def count_and_save(challenge: Challenge, request: HttpRequest | None) -> rules.TakenSend:
    """Count the send under every limit, and save ``challenge``; both or neither.

    :raises Limited: a limit is reached.
    :raises Locked: the user is locked.
    :raises NoPhone: the phone, or the user, has gone this moment.
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
    """Return, by each channel, how long :func:`count_and_save` would refuse a send to ``user``.

    It counts nothing.

    :param number: where the code would go; None if that is not known yet.
    :param standing: that of ``user`` (:func:`.rules.standing`).
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

    It is 0 if the limits let a code go now.  It counts nothing.

    :param number: where the code would go; None if that is not known yet.
    :param channel: how it would go; None if that is not known yet: then the site's first one.
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
    """Return the send as the limits see it."""
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
    """Do what :func:`.service.send_code` does."""

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
    """Have Bandwidth send the code.  What cannot have arrived is given back to the limits.

    Database connections that other requests could use are given back first.

    :raises MFAError: Bandwidth failed, or asks to wait.
    """
    give_back_idle_connections()
    try:
        challenge.provider_id = yield call
    except CancelledError as error:
        # Whoever asked for it has gone, and the call was not made.
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
    """Record that a send failed; the error for the caller."""
    if error.may_have_arrived:
        # The page goes on saying so, also after a reload.
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
    """Tell that Bandwidth took the code.  Store its id if a receipt will name it.

    The phone, and the challenge with it, may have been removed while Bandwidth was asked.  Then the
    code passes for nothing.
    """
    if challenge.is_followed:
        _rows(challenge).update(provider_id=challenge.provider_id)
    events.code_sent(challenge, request)
    alarm.watch_conversion()


def _rows(challenge: Challenge) -> ChallengeQuerySet:
    # An UPDATE by key: the row may have gone, with its phone, while Bandwidth was asked.
    return Challenge.objects.filter(pk=challenge.pk)
