"""Use up a right code: each challenge passes once, and each code passes once."""

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

# The longest time for which Bandwidth accepts a code (``expirationTimeInMinutes``).  Used codes are
# remembered for this time, whatever EXPIRATION_MINUTES is.
LONGEST_CODE_LIFE = timedelta(minutes=15)


class _KnownCode(Exception):
    """This code has passed for this number before; its row may have expired."""


def spend(challenge: Challenge, code: str, now: datetime, request: HttpRequest | None) -> bool:
    """Use up the challenge and its code.  Of concurrent right codes, only one succeeds.

    A code for a new phone also confirms the phone, in the same transaction.

    :returns: False if the code has passed for this number before.
    :raises ChallengeUsed: the challenge has passed, or another code has confirmed its phone.
    """

    def spend_both(spend_code: Callable[[SpentCode], None]) -> Phone | None:
        # Lock the counters before the challenge, as when a try is counted: another order could lead
        # to deadlocks.
        rules.clear(challenge.user)
        store.give_back(challenge.taken or [])
        is_open = {"id": challenge.pk, "passed_at": None}
        if not rows.update(Challenge, is_open, {"passed_at": now, "taken": None}):
            raise ChallengeUsed
        spend_code(SpentCode(digest=spent, expires_at=now + LONGEST_CODE_LIFE))
        return _confirm_phone(challenge, now) if challenge.purpose == Purpose.ENROL else None

    spent = digest(challenge.number, code)
    try:
        # The error of a known code ends the transaction, so a second one is needed then.  A
        # savepoint instead would cost two statements in each login.
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
    """Use up a code that has passed before, if that row has expired.

    Bandwidth may by chance send the same digits again.
    """
    now = spent.expires_at - LONGEST_CODE_LIFE
    expired = SpentCode.objects.filter(digest=spent.digest, expires_at__lte=now)
    if not expired.update(expires_at=spent.expires_at):
        raise _KnownCode


def digest(number: str, code: str) -> str:
    """Return the primary key of ``code`` for ``number`` in :class:`.SpentCode`.

    The digest is keyed with ``SECRET_KEY``: an attacker who reads the table could hash all codes of
    six digits.
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
