"""Check a code: read the typed text, count the try, and ask Bandwidth."""

from __future__ import annotations

import re
from asyncio import CancelledError
from collections.abc import Callable
from dataclasses import dataclass

from django.db import IntegrityError
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone

from ...bandwidth import BandwidthError
from ...conf import settings
from ...exceptions import ChallengeExpired, ChallengeUsed, MFAError
from ...models import Challenge, Purpose
from ..databases import give_back_idle_connections
from ..limits import rules, store
from ..limits.ladders import Step
from ..notify import events
from ..phones.source import phone_source
from ..plain_text import plain
from . import provider
from .steps import Steps, masked

# A run of digits, possibly divided into groups by spaces and hyphens.
_RUN = re.compile(r"[0-9](?:[ -]*[0-9])*")


def read_codes(text: str, digits: int) -> list[str]:
    """Return the different codes of ``digits`` digits in ``text``.

    All typed codes are read here, so every way to type a code leads to the same ASCII digits.
    ``text`` may contain all characters that :func:`.plain_text.plain` accepts.  It may also be a
    whole message, such as "Your Harbour sign-in code is 767053".

    A code is a run of exactly ``digits`` digits.  A run ends at the first character that is not a
    digit, a space or a hyphen.  Runs of other lengths are ignored.

    If the result has several codes, the caller must check none of them: otherwise one text would
    give an attacker several guesses.
    """
    runs = (re.sub("[ -]", "", run) for run in _RUN.findall(plain(text)))
    return list(dict.fromkeys(run for run in runs if len(run) == digits))


@dataclass(frozen=True)
class Try:
    """What a try was counted as: a step of the user and, for an enrolment, a try of the number."""

    step: Step
    of_number: list[store.Taken]


def count(challenge: Challenge, request: HttpRequest | None) -> Try:
    """Count one try for the user and for the challenge, in one transaction.

    :raises ChallengeExpired: the challenge has expired, or its phone was removed.
    :raises ChallengeUsed: the challenge has already passed, or has no tries left.
    :raises Limited: the user must wait, or Bandwidth asked for a wait for this number.
    :raises Locked: the user is locked.
    :raises RuntimeError: a transaction is open.
    """
    try:
        return _count(challenge)
    except MFAError as refusal:
        events.try_refused(challenge, refusal, request)
        raise


def _count(challenge: Challenge) -> Try:
    # Deleting a phone of our table also deletes its challenges.  For a number that the site keeps,
    # ask the site whether the user still has it.
    if challenge.phone_id is None and not any(
        phone.number == challenge.number for phone in phone_source().confirmed(challenge.user)
    ):
        raise ChallengeExpired
    try:
        return store.counting(lambda: _take(challenge))
    except IntegrityError as error:  # the user was deleted
        raise ChallengeExpired from error


def _take(challenge: Challenge) -> Try:
    step = rules.take_failure(challenge.user)
    is_enrolment = challenge.purpose == Purpose.ENROL
    of_number = rules.take_enrol_try(challenge.number) if is_enrolment else []
    if rules.count_try(challenge):
        return Try(step, of_number)
    rules.refuse_held(challenge.number, rules.HeldAction.VERIFY, challenge.purpose)
    stored = Challenge.objects.filter(pk=challenge.pk).first()
    if stored is None or (stored.passed_at is None and stored.expires_at <= timezone.now()):
        raise ChallengeExpired
    raise ChallengeUsed


def ask_bandwidth(
    challenge: Challenge, call: Callable[[], bool], taken: Try, request: HttpRequest | None
) -> Steps[bool]:
    """Ask Bandwidth whether a code is right.  If the request cannot have arrived, undo the count.

    Idle database connections are released first, for other requests.

    :param call: a function that calls Bandwidth.
    :raises MFAError: Bandwidth failed, or asked for a wait.
    """
    give_back_idle_connections()
    try:
        answer: bool = yield call
        return answer
    except CancelledError:
        # The caller was cancelled before the call was made.
        masked(_give_back, challenge, taken)
        raise
    except BandwidthError as error:
        raise masked(_settle_failure, challenge, taken, error, request) from error


def _settle_failure(
    challenge: Challenge, taken: Try, error: BandwidthError, request: HttpRequest | None
) -> MFAError:
    """Record that a code could not be verified, and return the error for the caller."""
    if not error.may_have_arrived:
        _give_back(challenge, taken)
    events.verify_failed(challenge, error, request)
    return provider.hold_and_translate(error, challenge)


def _give_back(challenge: Challenge, taken: Try) -> None:
    def give_back() -> None:
        rules.give_back_tries(taken.step, taken.of_number)
        Challenge.objects.filter(pk=challenge.pk, tries__gt=0).update(tries=F("tries") - 1)

    store.counting(give_back)


def tell_of_wrong_code(challenge: Challenge, request: HttpRequest | None) -> None:
    """Report a wrong code, and the lock or the warning that follows from it."""
    user = challenge.user
    events.code_rejected(challenge, request)
    failures = rules.count_failures(user)
    if failures >= settings.FAILURES_BEFORE_LOCK:
        events.locked_out(user, request)
    if rules.claim_warning(user, failures):
        events.wrong_codes(user, request)
