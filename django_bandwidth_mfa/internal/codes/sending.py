"""Sending a code: prepare it, count it, ask Bandwidth to send it, record that it was sent."""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError
from django.http import HttpRequest
from django.utils import timezone

from ...bandwidth import BandwidthError
from ...conf import channels, settings
from ...exceptions import Limited, NoPhone
from ...models import Challenge, ChallengeQuerySet, Phone, Purpose
from ...types import User, in_query
from .. import numbers
from ..limits import rules, store
from ..notify import events
from ..phones.source import phone_source
from . import alarm, provider

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
    scope, message = _scope_and_message(purpose)
    now = timezone.now()
    challenge = Challenge(
        user=in_query(user),
        phone=chosen if chosen.pk is not None else None,
        purpose=purpose,
        channel=channel,
        number=chosen.number,
        from_number=settings.FROM_NUMBER,
        application_id=provider.application(channel),
        scope=scope,
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
    number = phone.number if isinstance(phone, Phone) else phone
    for candidate in phone_source().confirmed(user):
        if number in (None, candidate.number):
            return candidate
    raise NoPhone


def _scope_and_message(purpose: str) -> tuple[str, str]:
    """Return Bandwidth's scope, and the text.

    With ``BIND_CODES`` the scope ends in letters that no other challenge has.  Bandwidth then takes
    the code for this challenge only.  People read the purpose without those letters.
    """
    scope, message = settings.SCOPES[purpose], settings.MESSAGE
    if not settings.BIND_CODES:
        return scope, message
    ending = "".join(secrets.choice(BOUND_LETTERS) for _ in range(BOUND_LENGTH))
    bound = f"{scope[: LONGEST_SCOPE - 1 - BOUND_LENGTH]}-{ending}"
    return bound, message.replace("{SCOPE}", scope)


def count_and_save(challenge: Challenge, request: HttpRequest | None) -> list[store.Taken]:
    """Count the send under every limit, and save ``challenge``; both or neither.

    :raises Limited: a limit is reached.
    :raises NoPhone: the phone, or the user, has gone this moment.
    :raises RuntimeError: a transaction is open.
    """

    def take() -> list[store.Taken]:
        taken = rules.take_send(
            challenge.user,
            challenge.number,
            purpose=challenge.purpose,
            channel=challenge.channel,
            is_proven=_is_proven(challenge.purpose),
            request=request,
        )
        challenge.save(force_insert=True)
        return taken

    try:
        return store.counting(take)
    except Limited as refusal:
        events.send_refused(challenge, refusal)
        raise
    except IntegrityError as error:
        raise NoPhone from error


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
    return rules.seconds_until_send(
        user,
        number,
        purpose=purpose,
        channel=channel or next(iter(channels()), "sms"),
        is_proven=_is_proven(purpose),
        request=request,
    )


def _is_proven(purpose: str) -> bool:
    """Whether a code that the app sent has confirmed the number that the next code goes to."""
    return purpose != Purpose.ENROL and phone_source().proves_numbers


def ask_bandwidth(
    challenge: Challenge, message: str, taken: list[store.Taken], request: HttpRequest | None
) -> None:
    """Have Bandwidth send the code.  What cannot have arrived is given back to the limits.

    :raises MFAError: Bandwidth failed, or asks to wait.
    """
    try:
        challenge.provider_id = provider.send(challenge, message, request)
    except BandwidthError as error:
        if not error.may_have_arrived:
            challenge.failure = type(error).__name__
            _rows(challenge).update(failure=challenge.failure)
            store.counting(lambda: store.give_back(taken))
        events.code_send_failed(challenge, error, request)
        raise provider.hold_and_translate(error, challenge) from error


def record_sent(challenge: Challenge, request: HttpRequest | None) -> None:
    """Note that Bandwidth took the code, and tell of it.

    :raises NoPhone: the phone was removed while Bandwidth was asked, and the challenge with it.
    """
    is_there = _rows(challenge).update(provider_id=challenge.provider_id)
    events.code_sent(challenge, request)
    if not is_there:
        raise NoPhone
    alarm.watch_conversion()


def _rows(challenge: Challenge) -> ChallengeQuerySet:
    # An UPDATE by key: the row may have gone, with its phone, while Bandwidth was asked.
    return Challenge.objects.filter(pk=challenge.pk)
