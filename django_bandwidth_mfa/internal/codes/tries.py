"""Trying a code: read what was typed, count the try, ask Bandwidth."""

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

# Digits, which spaces and hyphens may divide into groups.
_RUN = re.compile(r"[0-9](?:[ -]*[0-9])*")


def read_codes(text: str, digits: int) -> list[str]:
    """Return the codes of ``digits`` digits that ``text`` can mean.  A clear text means one.

    It is the one reader of typed codes.  So every way of typing a code is counted, compared and
    sent as the same ASCII digits.  ``text`` may hold all that :func:`.plain_text.plain` reads.

    ``text`` may also be a whole message, such as "Your Harbour sign-in code is 767053".  A code is
    a run of exactly so many digits.  A run ends at the first character that is neither a digit nor
    a space nor a hyphen.  Runs of other lengths are no codes, and the same code twice is one code.

    If several codes are found, nobody knows which one is meant.  None of them may be tried: to try
    them all would give several guesses for the price of one.
    """
    runs = (re.sub("[ -]", "", run) for run in _RUN.findall(plain(text)))
    return list(dict.fromkeys(run for run in runs if len(run) == digits))


@dataclass(frozen=True)
class Try:
    """What a try has taken: a step of the user, and for an enrolment a try of its number."""

    step: Step
    of_number: list[store.Taken]


def count(challenge: Challenge, request: HttpRequest | None) -> Try:
    """Count one try, for the user and for the challenge; both or neither.  Tell of a refusal.

    :raises ChallengeExpired: its time is over, or its phone is gone.
    :raises ChallengeUsed: it passed already, or has no tries left.
    :raises Limited: the user has to wait, or Bandwidth asked to check no code for the number.
    :raises Locked: the user is locked.
    :raises RuntimeError: a transaction is open.
    """
    try:
        return _count(challenge)
    except MFAError as refusal:
        events.try_refused(challenge, refusal, request)
        raise


def _count(challenge: Challenge) -> Try:
    # A phone in our table takes its challenges along when it goes.  A number that the site keeps
    # cannot, so the site is asked whether it is still one of the user's.
    if challenge.phone_id is None and not any(
        phone.number == challenge.number for phone in phone_source().confirmed(challenge.user)
    ):
        raise ChallengeExpired
    try:
        return store.counting(lambda: _take(challenge))
    except IntegrityError as error:  # the user is gone
        raise ChallengeExpired from error


def _take(challenge: Challenge) -> Try:
    step = rules.take_failure(challenge.user)
    is_enrolment = challenge.purpose == Purpose.ENROL
    of_number = rules.take_enrol_try(challenge.number) if is_enrolment else []
    if rules.count_try(challenge):
        return Try(step, of_number)
    rules.refuse_held(challenge.number, rules.HeldAction.VERIFY, challenge.purpose)
    found = Challenge.objects.filter(pk=challenge.pk).first()
    if found is None or (found.passed_at is None and found.expires_at <= timezone.now()):
        raise ChallengeExpired
    raise ChallengeUsed


def ask_bandwidth(
    challenge: Challenge, call: Callable[[], bool], taken: Try, request: HttpRequest | None
) -> Steps[bool]:
    """Ask Bandwidth whether a code is right.  A try that cannot have arrived is given back.

    Database connections that other requests could use are given back first.

    :param call: asks Bandwidth.
    :raises MFAError: Bandwidth failed, or asks to wait.
    """
    give_back_idle_connections()
    try:
        answer: bool = yield call
        return answer
    except CancelledError:
        # Whoever typed it has gone, and the call was not made.
        masked(_give_back, challenge, taken)
        raise
    except BandwidthError as error:
        raise masked(_settle_failure, challenge, taken, error, request) from error


def _settle_failure(
    challenge: Challenge, taken: Try, error: BandwidthError, request: HttpRequest | None
) -> MFAError:
    """Record that a code could not be verified; the error for the caller."""
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
    """Tell that a code was wrong, and of the lock or the warning that follows from it."""
    user = challenge.user
    events.code_rejected(challenge, request)
    failures = rules.count_failures(user)
    if failures >= settings.FAILURES_BEFORE_LOCK:
        events.locked_out(user, request)
    if rules.claim_warning(user, failures):
        events.wrong_codes(user, request)
