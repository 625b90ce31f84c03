"""What is limited: codes sent, codes typed, and recovery codes typed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac

from ...conf import Rate, parse_rates, settings
from ...exceptions import Limited, Locked, MFAError
from ...models import Challenge, Counter, SecondFactor
from ...types import User
from .. import numbers
from . import ladders, statements, store
from .ladders import RECOVERY, SENDS, TRIES, Step
from .store import NO_WAIT, SECOND, Limit, Taken, Wait

# Telephone companies give numbers out in blocks of a thousand: only the last digits differ.
PREFIX_LESS = 3

# New sets of recovery codes for one user.
RECOVERY_SETS = Rate(5, 3600)

# Seconds in which TRIES_PER_CHALLENGE codes can be typed to enrol a number: five times as long as
# the wait that Bandwidth asks for.
ENROL_TRY_SECONDS = 600

# Enrolments have a budget of their own for the whole site: so much of the budget of logins.
ENROL_SHARE = 10

# The place of each limit in the order of locks.  The row that most requests share is locked last,
# and so for the shortest time.
_RANKS = {"user": 1, "number": 2, "prefix": 3, "address": 4, "country": 5, "site": 6}

# A limit that takes nothing: it is refused until its moment is over.
_HELD = Rate(1, 1)


class HeldAction(StrEnum):
    """What Bandwidth's 429 makes wait; neither stops the other."""

    SEND = "send"
    VERIFY = "verify"


@dataclass(frozen=True)
class Send:
    """A code that is to be sent, as the limits see it.

    ``number`` is None if it is not known yet: then the limits of no number are asked.
    ``is_proven`` says whether a code that the app sent has confirmed the number.
    ``address`` is the client address; None if nobody is to be limited by address.
    """

    user: User
    # Not in the text form: reports of errors print it.
    number: str | None = field(repr=False)
    purpose: str
    channel: str
    is_proven: bool
    address: str | None = field(repr=False)

    @property
    def limits(self) -> list[Limit]:
        """The limits of ``SEND_LIMITS``, which a right code gives its send back to."""
        names = ["user", "number", "address", "site"]
        # Toll fraud: somebody rents a block of numbers and earns money for each message to it.
        # Codes to unproven numbers of one block are limited together.  Proven numbers are not
        # counted, since the phones of one company often share a block.
        if not self.is_proven:
            names.append("prefix")
        return list(self._limits("limit", names, settings.SEND_LIMITS))

    @property
    def ceilings(self) -> list[Limit]:
        """The limits of ``SEND_CEILINGS``, which count every code."""
        names = ["user", "number", "address", "country", "site"]
        if self.purpose == "enrol":
            names.append("prefix")
        return list(self._limits("ceiling", names, settings.SEND_CEILINGS))

    @property
    def hold(self) -> list[Limit]:
        """The wait that Bandwidth has asked for, as a limit that takes nothing."""
        if self.number is None:
            return []
        return [_hold(self.number, HeldAction.SEND, self.purpose)]

    def _limits(self, kind: str, names: list[str], rates: dict[str, str]) -> Iterator[Limit]:
        weight = _weight(self.channel)
        for name in names:
            text = rates[name]
            # Each is asked for only where it is limited: a digest costs as much as a small query.
            subject = self._subjects(name) if text else None
            if subject is None:
                continue
            is_shared = name == "site" and self.purpose == "enrol"
            for rate in parse_rates(text):
                if is_shared:
                    rate = Rate(max(1, rate.limit // ENROL_SHARE), rate.seconds)
                yield Limit(_send_key(name, kind, rate, subject), name, rate, weight)

    def _subjects(self, name: str) -> str | None:
        """Return what stands for the subject of a limit in a key; None if it has none."""
        if name == "user":
            return self._user
        if name == "country":
            return self._region
        budget = _budget(self.purpose)
        if name == "site":
            return budget
        subject = {"number": self._number, "prefix": self._prefix, "address": self._address}[name]
        # Those who enrol the number of somebody else must not use up what its owner signs in with.
        return subject if subject is None or name == "prefix" else f"{budget}:{subject}"

    @cached_property
    def _user(self) -> str:
        return _user_digest(self.user)

    @cached_property
    def _number(self) -> str | None:
        return None if self.number is None else digest(self.number)

    @cached_property
    def _prefix(self) -> str | None:
        return None if self.number is None else digest(self.number[:-PREFIX_LESS])

    @cached_property
    def _address(self) -> str | None:
        return None if self.address is None else digest(self.address)

    @cached_property
    def _region(self) -> str | None:
        """The region of the number; None if it is the site's own."""
        if self.number is None:
            return None
        region = numbers.region_of(self.number)
        return None if region == numbers.home_region() else region


@dataclass(frozen=True)
class TakenSend:
    """What a send has taken from each kind of limit."""

    step: Step
    limits: list[Taken]
    rest: list[Taken]

    @property
    def next_sends(self) -> dict[str, tuple[datetime, str]]:
        """By each channel, when another code may be sent there, and which limit says so."""
        taken = [*self.limits, *self.rest]
        moments = {one.limit.key: one.moment for one in taken}
        of_ladder = Wait((self.step.after - store.now()) / SECOND, ladders.name_of(SENDS))
        now = timezone.now()
        return {
            channel: (now + timedelta(seconds=wait.seconds), wait.limit)
            for channel, wait in _waits((one.limit for one in taken), of_ladder, moments).items()
        }

    @property
    def returnable(self) -> list[tuple[str, int, int]]:
        """What a right code gives back, as :attr:`.Challenge.taken` keeps it."""
        return _for_return(self.limits)


def take_send(send: Send) -> TakenSend:
    """Count one code that is about to be sent: under each limit, or under none.

    Call it inside :func:`.store.counting`.

    :raises Limited: a limit is reached, or Bandwidth asked to send nothing to this number.
    :raises Locked: the user is locked: they could not use the code.
    """
    step = ladders.take_step(
        send.user, SENDS, settings.RESEND_COOLDOWN, lock_at=settings.FAILURES_BEFORE_LOCK
    )
    limits, rest = send.limits, send.ceilings + send.hold
    taken = store.take([*limits, *rest])
    return TakenSend(step, taken[: len(limits)], taken[len(limits) :])


def give_back_send(taken: TakenSend) -> None:
    """Give back the send of a code that cannot have arrived: an outage costs nobody."""
    ladders.give_back(taken.step)
    store.give_back(_for_return([*taken.limits, *taken.rest]))


def _for_return(taken: Iterable[Taken]) -> list[tuple[str, int, int]]:
    return [(one.limit.key, one.limit.amount, one.moment) for one in taken if one.limit.amount]


def waits_until_send(send: Send, standing: Standing) -> dict[str, Wait]:
    """Return, by each channel, how long :func:`take_send` would refuse ``send``, and why.

    It counts nothing.
    """
    limits = [*send.limits, *send.ceilings, *send.hold]
    return _waits(limits, standing.until_send, store.read(limits))


def _waits(limits: Iterable[Limit], of_ladder: Wait, moments: Mapping[str, int]) -> dict[str, Wait]:
    """Return the wait by each channel.

    :param limits: those of one channel.  The channels share their buckets, and differ in the weight
        of a send.
    :param of_ladder: the cooldown.
    :param moments: those of the buckets, by their keys.
    """
    wanted = list(limits)
    return {
        channel: max(NO_WAIT, of_ladder, store.longest_wait(_at_weight(wanted, channel), moments))
        for channel in ("sms", "voice")
    }


def _at_weight(limits: Iterable[Limit], channel: str) -> list[Limit]:
    weight = _weight(channel)
    return [replace(limit, weight=weight) if limit.weight else limit for limit in limits]


def _weight(channel: str) -> int:
    return settings.CALL_WEIGHT if channel == "voice" else 1


@dataclass(frozen=True)
class Standing:
    """What stops a user, whatever they type and wherever a code would go.

    :param is_locked: ``FAILURES_BEFORE_LOCK`` wrong codes in a row were typed.
    :param until_send: the cooldown after the last code.
    :param until_try: the wait after wrong codes.
    :param until_recovery: the wait after wrong recovery codes.
    """

    is_locked: bool = False
    until_send: Wait = NO_WAIT
    until_try: Wait = NO_WAIT
    until_recovery: Wait = NO_WAIT


def standing(user: User) -> Standing:
    """Return what stops ``user`` now."""
    row = SecondFactor.objects.of(user)

    def wait(ladder: statements.Ladder) -> Wait:
        seconds = ladders.seconds_left(row, ladder)
        return Wait(seconds, ladders.name_of(ladder)) if seconds else NO_WAIT

    is_locked = row.failures >= settings.FAILURES_BEFORE_LOCK
    return Standing(is_locked, wait(SENDS), wait(TRIES), wait(RECOVERY))


def refusal_of_try(user: User) -> MFAError | None:
    """Return the error with which :func:`take_failure` would refuse ``user`` now; None if none."""
    now = standing(user)
    if now.is_locked:
        return Locked()
    return Limited(*now.until_try) if now.until_try.seconds else None


def take_failure(user: User) -> Step:
    """Count one try of ``user`` as wrong, before Bandwidth is asked.

    A right code clears the count.

    :raises Limited: the wait after too many wrong codes in a row is not over.
    :raises Locked: the user has typed ``FAILURES_BEFORE_LOCK`` wrong codes in a row.
    """
    waits = _failure_waits()
    return ladders.take_step(user, TRIES, waits, lock_at=settings.FAILURES_BEFORE_LOCK)


def take_recovery_failure(user: User) -> Step:
    """Count one wrong recovery code of ``user``.  Recovery codes are never locked.

    :raises Limited: the wait after too many wrong recovery codes in a row is not over.
    """
    return ladders.take_step(user, RECOVERY, _failure_waits())


def take_recovery_set(user: User) -> None:
    """Count one new set of recovery codes of ``user``.

    Each set costs the site a password hash for each of its codes.

    :raises Limited: ``RECOVERY_SETS`` sets were made.
    """
    store.take([Limit(_recovery_sets_key(user), "recovery_sets", RECOVERY_SETS)])


def take_enrol_try(number: str) -> list[Taken]:
    """Count one code that anybody typed to enrol ``number``.

    Bandwidth answers 429 for a number with many wrong codes.  Without this limit strangers who
    enrol the number of somebody else could keep its owner out.

    :raises Limited: ``TRIES_PER_CHALLENGE`` codes were typed in the last ten minutes.
    """
    rate = Rate(settings.TRIES_PER_CHALLENGE, ENROL_TRY_SECONDS)
    return store.take([Limit(_enrol_tries_key(number), "tries", rate)])


def give_back_tries(step: Step, taken: Iterable[Taken]) -> None:
    """Give back a try that cannot have reached Bandwidth."""
    ladders.give_back(step)
    store.give_back(_for_return(taken))


def count_try(challenge: Challenge) -> bool:
    """Count one try of ``challenge``, and return whether its code can still be typed.

    The condition and the count are one statement: of guesses at the same moment, no more than
    ``TRIES_PER_CHALLENGE`` reach Bandwidth.
    """
    hold = _hold(challenge.number, HeldAction.VERIFY, challenge.purpose)
    return statements.count_try(challenge, settings.TRIES_PER_CHALLENGE, hold.key)


def is_locked(user: User) -> bool:
    """Return whether ``user`` has typed ``FAILURES_BEFORE_LOCK`` wrong codes in a row."""
    return SecondFactor.objects.of(user).failures >= settings.FAILURES_BEFORE_LOCK


def locked() -> models.QuerySet[SecondFactor]:
    """Return the rows of the users who are locked."""
    return ladders.locked(settings.FAILURES_BEFORE_LOCK)


def count_failures(user: User) -> int:
    """Return how many wrong codes in a row ``user`` has typed."""
    return SecondFactor.objects.of(user).failures


def count_recovery_failures(user: User) -> int:
    """Return how many wrong recovery codes in a row ``user`` has typed."""
    return SecondFactor.objects.of(user).recovery_failures


def claim_warning(user: User, failures: int) -> bool:
    """Return whether ``user`` must be warned now of so many ``failures`` in a row.

    The first True counts as today's warning; later calls on the same day return False.
    """
    return failures >= settings.FAILURES_BEFORE_WAIT and store.claim_turn(
        f"warning:{_user_digest(user)}", 86_400
    )


def clear(user: User) -> None:
    """End the waits and the cooldown of ``user``, as a right code does.  No other limit changes."""
    ladders.clear(user)


def clear_all(user: User, users_numbers: Iterable[str]) -> None:
    """End every limit of ``user`` and of the user's numbers, as staff do for them.

    What is not theirs stays: the limits of an address, of a prefix, of a country and of the whole
    site, and the wait that Bandwidth has asked for (:func:`hold`).
    """
    clear(user)
    of_user = [_user_digest(user)]
    own = list(users_numbers)
    of_numbers = [f"{budget}:{digest(one)}" for one in own for budget in ("login", "enrol")]
    keys = [
        _send_key(name, kind, rate, subject)
        for name, subjects in (("user", of_user), ("number", of_numbers))
        for kind, rates in (("limit", settings.SEND_LIMITS), ("ceiling", settings.SEND_CEILINGS))
        for rate in parse_rates(rates[name] or "")
        for subject in subjects
    ]
    store.clear([*keys, *map(_enrol_tries_key, own), _recovery_sets_key(user)])


def hold(number: str, action: HeldAction, purpose: str, seconds: float) -> None:
    """Have all workers wait with ``action`` on ``number`` for ``seconds``, as Bandwidth asked.

    :param purpose: the purpose of the code that Bandwidth refused to send or to check.
    """
    until = timezone.now() + timedelta(seconds=seconds)
    store.hold(_hold(number, action, purpose).key, until)


def refuse_held(number: str, action: HeldAction, purpose: str) -> None:
    """Raise an error if ``action`` on ``number`` is on :func:`hold`.

    :raises Limited: it is.
    """
    left = store.seconds_until([_hold(number, action, purpose)])
    if left > 0:
        raise Limited(left)


def count_held() -> int:
    """Return how many numbers are on :func:`hold`, for any action."""
    rows = Counter.objects.filter(key__startswith=_HELD_PREFIX, moment__gt=store.now())
    # One number may be held for several actions.  The digest of the number ends each key.
    return len({key.rpartition(":")[2] for key in rows.values_list("key", flat=True)})


def seconds_until_try(user: User) -> int:
    """Return for how many seconds ``user`` has to wait before another code may be tried."""
    return math.ceil(standing(user).until_try.seconds)


def over() -> models.QuerySet[Counter]:
    """Return the rows that limit nobody any more, for ``mfa_purge``.

    Wrong codes do not expire.  They are counted in :class:`.SecondFactor`.
    """
    return store.over()


def _failure_waits() -> list[int]:
    """Return the wait after each wrong code, in seconds.

    The first ones wait for nothing.  Then comes ``FAILURE_WAIT_MIN``, doubled each time up to
    ``FAILURE_WAIT_MAX``.
    """
    step, longest = settings.FAILURE_WAIT_MIN, settings.FAILURE_WAIT_MAX
    waits = [0] * (settings.FAILURES_BEFORE_WAIT - 1)
    while step < longest:
        waits.append(step)
        step *= 2
    return [*waits, longest]


def _recovery_sets_key(user: User) -> str:
    return f"{_RANKS['user']}:recovery-sets:{_user_digest(user)}"


def _budget(purpose: str) -> str:
    """Return which sends are counted and held together with those for ``purpose``.

    A stranger who tries to enrol my number must neither use up nor stop the codes that I sign in
    with.
    """
    return "enrol" if purpose == "enrol" else "login"


def _send_key(name: str, kind: str, rate: Rate, subject: str) -> str:
    return f"{_RANKS[name]}:{name}-{kind}:{rate.seconds}:{subject}"


_HELD_PREFIX = f"{_RANKS['number']}:held:"


def _hold(number: str, action: HeldAction, purpose: str) -> Limit:
    # Bandwidth counts wrong codes for a number, and our purposes are its scopes.  So a wait for one
    # purpose says nothing of the others.
    kind = _budget(purpose) if action == HeldAction.SEND else purpose
    return Limit(f"{_HELD_PREFIX}{action}:{kind}:{digest(number)}", "provider", _HELD, weight=0)


def _enrol_tries_key(number: str) -> str:
    return f"{_RANKS['number']}:enrol-tries:{digest(number)}"


def _user_digest(user: User) -> str:
    # A primary key may be a long text, and MariaDB takes "ada" and "ADA" for one.
    return digest(f"user {user.pk}")


def digest(subject: str) -> str:
    """Return what stands for a user, a number or an address in a key, which staff can read."""
    return salted_hmac("bandwidth_mfa.limits", subject, algorithm="sha256").hexdigest()[:32]
