"""The rules of the limits: for sending codes, and for typing codes and recovery codes."""

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

# Telephone companies assign numbers in blocks of a thousand, which differ only in the last three
# digits.
PREFIX_LESS = 3

# The limit for new sets of recovery codes of one user.
RECOVERY_SETS = Rate(5, 3600)

# The period, in seconds, in which TRIES_PER_CHALLENGE codes can be typed to enrol a number: five
# times the wait that Bandwidth asks for.
ENROL_TRY_SECONDS = 600

# Enrolments have a limit of their own for the whole site: the limit of logins divided by this.
ENROL_SHARE = 10

# The order in which the rows of the limits are locked.  The row that most requests share is locked
# last, and so for the shortest time.
_RANKS = {"user": 1, "number": 2, "prefix": 3, "address": 4, "country": 5, "site": 6}

# The rate of a hold, which counts nothing, but refuses until its moment has passed.
_HELD = Rate(1, 1)


class HeldAction(StrEnum):
    """The action that must wait after a 429 of Bandwidth; the other action can go on."""

    SEND = "send"
    VERIFY = "verify"


@dataclass(frozen=True)
class Send:
    """A code that is to be sent, with the data that the limits need.

    ``number`` is None if it is not known yet; the limits of the number then do not apply.
    ``is_proven`` is True if the app has confirmed the number by a code.  ``address`` is the client
    address; None if the limits by address do not apply.
    """

    user: User
    # Left out of repr(), which error reports show.
    number: str | None = field(repr=False)
    purpose: str
    channel: str
    is_proven: bool
    address: str | None = field(repr=False)

    @property
    def limits(self) -> list[Limit]:
        """The limits of ``SEND_LIMITS``.  A right code subtracts its send from these again."""
        names = ["user", "number", "address", "site"]
        # Against toll fraud: a fraudster rents a block of numbers, and earns money for each message
        # to it.  So codes to unproven numbers of one block share a limit.  Proven numbers are not
        # counted, since the phones of one company often are in one block.
        if not self.is_proven:
            names.append("prefix")
        return list(self._limits("limit", names, settings.SEND_LIMITS))

    @property
    def ceilings(self) -> list[Limit]:
        """The limits of ``SEND_CEILINGS``, which count all codes."""
        names = ["user", "number", "address", "country", "site"]
        if self.purpose == "enrol":
            names.append("prefix")
        return list(self._limits("ceiling", names, settings.SEND_CEILINGS))

    @property
    def hold(self) -> list[Limit]:
        """The wait that Bandwidth has asked for, as a limit that counts nothing."""
        if self.number is None:
            return []
        return [_hold(self.number, HeldAction.SEND, self.purpose)]

    def _limits(self, kind: str, names: list[str], rates: dict[str, str]) -> Iterator[Limit]:
        weight = _weight(self.channel)
        for name in names:
            text = rates[name]
            # The digest is computed only if there is such a limit: it costs as much as a small
            # query.
            subject = self._subjects(name) if text else None
            if subject is None:
                continue
            is_shared = name == "site" and self.purpose == "enrol"
            for rate in parse_rates(text):
                if is_shared:
                    rate = Rate(max(1, rate.limit // ENROL_SHARE), rate.seconds)
                yield Limit(_send_key(name, kind, rate, subject), name, rate, weight)

    def _subjects(self, name: str) -> str | None:
        """Return the subject of the limit ``name``, as a text for a key; None if it has none."""
        if name == "user":
            return self._user
        if name == "country":
            return self._region
        budget = _budget(self.purpose)
        if name == "site":
            return budget
        subject = {"number": self._number, "prefix": self._prefix, "address": self._address}[name]
        # An attacker who tries to enrol somebody else's number must not use up the limit of the
        # owner's logins.
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
        """The region of the number; None if it is the site's own region."""
        if self.number is None:
            return None
        region = numbers.region_of(self.number)
        return None if region == numbers.home_region() else region


@dataclass(frozen=True)
class TakenSend:
    """What a send was counted as: a step of the ladder, limits, and all other limits."""

    step: Step
    limits: list[Taken]
    rest: list[Taken]

    @property
    def next_sends(self) -> dict[str, tuple[datetime, str]]:
        """For each channel, the earliest next send, and the limit that causes the wait."""
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
        """What a right code subtracts again, in the form of :attr:`.Challenge.taken`."""
        return _for_return(self.limits)


def take_send(send: Send) -> TakenSend:
    """Count one code that is about to be sent under every limit, or under none if one refuses.

    Call it inside :func:`.store.counting`.

    :raises Limited: a limit is reached, or Bandwidth asked for a wait for this number.
    :raises Locked: the user is locked and could not use the code.
    """
    step = ladders.take_step(
        send.user, SENDS, settings.RESEND_COOLDOWN, lock_at=settings.FAILURES_BEFORE_LOCK
    )
    limits, rest = send.limits, send.ceilings + send.hold
    taken = store.take([*limits, *rest])
    return TakenSend(step, taken[: len(limits)], taken[len(limits) :])


def give_back_send(taken: TakenSend) -> None:
    """Undo the count of a send that cannot have reached Bandwidth."""
    ladders.give_back(taken.step)
    store.give_back(_for_return([*taken.limits, *taken.rest]))


def _for_return(taken: Iterable[Taken]) -> list[tuple[str, int, int]]:
    return [(one.limit.key, one.limit.amount, one.moment) for one in taken if one.limit.amount]


def waits_until_send(send: Send, standing: Standing) -> dict[str, Wait]:
    """Return for each channel how long :func:`take_send` would refuse ``send``, and why.

    It counts nothing.
    """
    limits = [*send.limits, *send.ceilings, *send.hold]
    return _waits(limits, standing.until_send, store.read(limits))


def _waits(limits: Iterable[Limit], of_ladder: Wait, moments: Mapping[str, int]) -> dict[str, Wait]:
    """Return the wait for each channel.

    :param limits: the limits of one channel.  The channels use the same buckets, but different
        weights.
    :param of_ladder: the cooldown.
    :param moments: the moments of the buckets, by their keys.
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
    """The lock and the waits of a user.

    :param is_locked: whether the user has typed ``FAILURES_BEFORE_LOCK`` wrong codes in a row.
    :param until_send: the cooldown after the last code.
    :param until_try: the wait after wrong codes.
    :param until_recovery: the wait after wrong recovery codes.
    """

    is_locked: bool = False
    until_send: Wait = NO_WAIT
    until_try: Wait = NO_WAIT
    until_recovery: Wait = NO_WAIT


def standing(user: User) -> Standing:
    """Return the present lock and waits of ``user``."""
    row = SecondFactor.objects.of(user)

    def wait(ladder: statements.Ladder) -> Wait:
        seconds = ladders.seconds_left(row, ladder)
        return Wait(seconds, ladders.name_of(ladder)) if seconds else NO_WAIT

    is_locked = row.failures >= settings.FAILURES_BEFORE_LOCK
    return Standing(is_locked, wait(SENDS), wait(TRIES), wait(RECOVERY))


def refusal_of_try(user: User) -> MFAError | None:
    """Return the error that :func:`take_failure` would raise for ``user`` now; None if none."""
    now = standing(user)
    if now.is_locked:
        return Locked()
    return Limited(*now.until_try) if now.until_try.seconds else None


def take_failure(user: User) -> Step:
    """Count one try of ``user`` as wrong, before Bandwidth is called.

    A right code resets the count.

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

    The limit protects the site: each set costs one slow hash for each of its codes.

    :raises Limited: more than ``RECOVERY_SETS`` sets were created.
    """
    store.take([Limit(_recovery_sets_key(user), "recovery_sets", RECOVERY_SETS)])


def take_enrol_try(number: str) -> list[Taken]:
    """Count one code that was typed, by any user, to enrol ``number``.

    Bandwidth answers 429 for a number with many wrong codes.  Without this limit, an attacker who
    tries to enrol somebody else's number could lock out its owner.

    :raises Limited: ``TRIES_PER_CHALLENGE`` codes were typed in the last ten minutes.
    """
    rate = Rate(settings.TRIES_PER_CHALLENGE, ENROL_TRY_SECONDS)
    return store.take([Limit(_enrol_tries_key(number), "tries", rate)])


def give_back_tries(step: Step, taken: Iterable[Taken]) -> None:
    """Undo the count of a try that cannot have reached Bandwidth."""
    ladders.give_back(step)
    store.give_back(_for_return(taken))


def count_try(challenge: Challenge) -> bool:
    """Count one try of ``challenge``, and return whether its code can still be typed.

    The check and the count are one SQL statement, so that no more than ``TRIES_PER_CHALLENGE``
    guesses reach Bandwidth, even if they come at the same moment.
    """
    hold = _hold(challenge.number, HeldAction.VERIFY, challenge.purpose)
    return statements.count_try(challenge, settings.TRIES_PER_CHALLENGE, hold.key)


def is_locked(user: User) -> bool:
    """Return whether ``user`` has typed ``FAILURES_BEFORE_LOCK`` wrong codes in a row."""
    return SecondFactor.objects.of(user).failures >= settings.FAILURES_BEFORE_LOCK


def locked() -> models.QuerySet[SecondFactor]:
    """Return the rows of the locked users."""
    return ladders.locked(settings.FAILURES_BEFORE_LOCK)


def count_failures(user: User) -> int:
    """Return the number of wrong codes in a row of ``user``."""
    return SecondFactor.objects.of(user).failures


def count_recovery_failures(user: User) -> int:
    """Return the number of wrong recovery codes in a row of ``user``."""
    return SecondFactor.objects.of(user).recovery_failures


def claim_warning(user: User, failures: int) -> bool:
    """Return whether ``user`` must be warned now about ``failures`` wrong codes in a row.

    After the first True, further calls return False for 24 hours.
    """
    return failures >= settings.FAILURES_BEFORE_WAIT and store.claim_turn(
        f"warning:{_user_digest(user)}", 86_400
    )


def clear(user: User) -> None:
    """End the waits and the cooldown of ``user``, as a right code does."""
    ladders.clear(user)


def clear_all(user: User, users_numbers: Iterable[str]) -> None:
    """Reset every limit of ``user`` and of the user's numbers, for a reset by staff.

    The limits of addresses, prefixes, countries and the whole site are not changed, and neither is
    a wait that Bandwidth has asked for (:func:`hold`).
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
    """Make all workers wait with ``action`` on ``number`` for ``seconds``, as Bandwidth asked.

    :param purpose: the purpose of the code that Bandwidth refused to send or to check.
    """
    until = timezone.now() + timedelta(seconds=seconds)
    store.hold(_hold(number, action, purpose).key, until)


def refuse_held(number: str, action: HeldAction, purpose: str) -> None:
    """Raise an error if ``action`` on ``number`` must wait (:func:`hold`).

    :raises Limited: it must wait.
    """
    left = store.seconds_until([_hold(number, action, purpose)])
    if left > 0:
        raise Limited(left)


def count_held() -> int:
    """Return the number of phone numbers that are on :func:`hold`, for any action."""
    rows = Counter.objects.filter(key__startswith=_HELD_PREFIX, moment__gt=store.now())
    # One number may be held for several actions.  Each key ends with the digest of the number.
    return len({key.rpartition(":")[2] for key in rows.values_list("key", flat=True)})


def seconds_until_try(user: User) -> int:
    """Return how long ``user`` must wait before the next code is checked, in whole seconds."""
    return math.ceil(standing(user).until_try.seconds)


def over() -> models.QuerySet[Counter]:
    """Return the rows that no longer limit anybody, for ``mfa_purge``.

    Wrong codes in a row do not expire.  They are counted in :class:`.SecondFactor`.
    """
    return store.over()


def _failure_waits() -> list[int]:
    """Return the wait after each wrong code, in seconds.

    The first waits are 0.  Then follows ``FAILURE_WAIT_MIN``, which is doubled each time, up to
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
    """Return the name of the budget under which sends for ``purpose`` are counted and held.

    Enrolments have a budget of their own: an attacker who tries to enrol somebody else's number
    must not stop the owner's login codes.
    """
    return "enrol" if purpose == "enrol" else "login"


def _send_key(name: str, kind: str, rate: Rate, subject: str) -> str:
    return f"{_RANKS[name]}:{name}-{kind}:{rate.seconds}:{subject}"


_HELD_PREFIX = f"{_RANKS['number']}:held:"


def _hold(number: str, action: HeldAction, purpose: str) -> Limit:
    # Bandwidth counts wrong codes for each number and scope, and each purpose has its own scope.
    # So a wait for one purpose does not apply to the others.
    kind = _budget(purpose) if action == HeldAction.SEND else purpose
    return Limit(f"{_HELD_PREFIX}{action}:{kind}:{digest(number)}", "provider", _HELD, weight=0)


def _enrol_tries_key(number: str) -> str:
    return f"{_RANKS['number']}:enrol-tries:{digest(number)}"


def _user_digest(user: User) -> str:
    # A primary key may be a long text, and for MariaDB "ada" and "ADA" are equal.
    return digest(f"user {user.pk}")


def digest(subject: str) -> str:
    """Return the digest of a user, a number or an address, for a key, which staff can read."""
    return salted_hmac("bandwidth_mfa.limits", subject, algorithm="sha256").hexdigest()[:32]
