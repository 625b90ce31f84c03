"""Spending a right code: a challenge passes once, and a code passes once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import IntegrityError
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from ...exceptions import ChallengeUsed
from ...models import Challenge, Phone, Purpose, SpentCode
from .. import rows
from ..limits import rules, store
from ..notify import events
from ..phones import changes

# Bandwidth accepts a code for this long at most (``expirationTimeInMinutes``).  A code that passed
# is remembered for as long, whatever EXPIRATION_MINUTES is.
LONGEST_CODE_LIFE = timedelta(minutes=15)


class _KnownCode(Exception):
    """This code has passed for this number before, lately or long ago."""


def spend(challenge: Challenge, code: str, now: datetime, request: HttpRequest | None) -> bool:
    """Use up the challenge and its code.  Of concurrent right answers only one succeeds.

    A code for a new phone confirms the phone in the same transaction.

    :returns: False if the code has passed for this number before.
    :raises ChallengeUsed: the challenge has passed, or another code has confirmed its phone.
    """

    def spend_both(spend_code: Callable[[SpentCode], None]) -> Phone | None:
        # Counters before the challenge, as when a try is counted: in another order two
        # transactions would wait for each other.
        rules.clear(challenge.user)
        store.give_back(challenge.taken or [])
        is_open = {"id": challenge.pk, "passed_at": None}
        if not rows.update(Challenge, is_open, {"passed_at": now, "taken": None}):
            raise ChallengeUsed
        spend_code(SpentCode(digest=spent, expires_at=now + LONGEST_CODE_LIFE))
        return _confirm_phone(challenge, now) if challenge.purpose == Purpose.ENROL else None

    spent = digest(challenge.number, code)
    try:
        # An error ends the transaction, so a known code takes a second one.  A savepoint would cost
        # each sign-in two statements.
        try:
            replaced = store.counting(lambda: spend_both(_spend_new))
        except _KnownCode:
            replaced = store.counting(lambda: spend_both(_spend_again))
    except _KnownCode:
        events.code_replayed(challenge)
        return False
    challenge.passed_at, challenge.taken = now, None
    if replaced is not None:
        events.phone_removed(replaced, request)
    return True


def _spend_new(spent: SpentCode) -> None:
    try:
        spent.save(force_insert=True)
    except IntegrityError:
        raise _KnownCode from None


def _spend_again(spent: SpentCode) -> None:
    """Spend a code that passed so long ago that Bandwidth has sent it anew."""
    now = spent.expires_at - LONGEST_CODE_LIFE
    expired = SpentCode.objects.filter(digest=spent.digest, expires_at__lte=now)
    if not expired.update(expires_at=spent.expires_at):
        raise _KnownCode


def digest(number: str, code: str) -> str:
    """Return the key of ``code`` for ``number`` in :class:`.SpentCode`.

    It is keyed with ``SECRET_KEY``: six digits alone are no secret from somebody who can hash them
    all.
    """
    number_and_code = f"{number} {code}"
    return salted_hmac("bandwidth_mfa.spent_code", number_and_code, algorithm="sha256").hexdigest()


def _confirm_phone(challenge: Challenge, now: datetime) -> Phone | None:
    if challenge.phone is None:
        raise ChallengeUsed
    was_pending, replaced = changes.confirm(challenge.phone, now)
    if not was_pending:
        raise ChallengeUsed
    return replaced
