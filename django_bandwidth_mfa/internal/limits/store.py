"""The leaky buckets in which limits are counted, and the transaction that counts.

A limit of "N per period" is a bucket that holds N units and leaks one unit every ``period / N``
(the generic cell rate algorithm).  Its state is one moment: when the bucket will be empty.  Each
row of :class:`~django_bandwidth_mfa.models.Counter` stores this moment.

* An action moves the moment forward by ``period / N``.  It is allowed if the new moment is at most
    one period ahead.  So N actions are allowed at once, and the wait for the next one is known
    exactly.
* At most ``2 N - 1`` actions are allowed in any period: N at once, and those that leak meanwhile.

If requests first read a count and then wrote it, concurrent requests could all read "4 of 5".  So
the moment is moved and returned in one step (:mod:`.statements`), and checked after that.  If one
of several limits refuses, the error rolls back the other counts.

All amounts and moments are in whole microseconds; moments are since the epoch.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeVar

from django.db import OperationalError, models, router, transaction
from django.utils import timezone

from ...conf import Rate
from ...exceptions import Limited
from ...models import Counter
from . import statements
from .statements import microseconds

T = TypeVar("T")

# One second in microseconds.
SECOND = 1_000_000

# A transaction that the database has aborted is tried again: at most _ATTEMPTS times, and for
# _LONGEST_SECONDS.  The time limit applies only after _FEWEST_ATTEMPTS, because one try that waits
# for a lock can take two seconds, and the next one can succeed.
_ATTEMPTS = 20
_LONGEST_SECONDS = 2.0
_FEWEST_ATTEMPTS = 5

# The longest wait before the second try, in seconds.  It doubles for each further try, up to
# _LONGEST_WAIT.
_FIRST_WAIT = 0.002
_LONGEST_WAIT = 0.15

# Whether the caller has promised to commit its transaction (`service.within_transaction`).
_is_within: ContextVar[bool] = ContextVar("bandwidth_mfa_within_transaction", default=False)

# SQLite's result code for a statement that cannot run, for example because a table is missing.
_SQLITE_ERROR = 1


@dataclass(frozen=True)
class Limit:
    """One limit for one key.

    ``name`` is the :attr:`.Limited.limit` of a refusal.  ``weight`` is how many units one action
    takes.  A limit with the weight 0 counts nothing, and refuses until its moment has passed.
    """

    key: str
    name: str
    rate: Rate
    weight: int = 1

    @property
    def amount(self) -> int:
        """By how many microseconds one action moves the moment forward."""
        return self.weight * (self.rate.seconds * SECOND // self.rate.limit)

    def wait_at(self, moment: int, now: int) -> int:
        """Return how long the limit refuses an action with the new moment ``moment``.

        The result is in microseconds; it is 0 or less if the action is allowed.
        """
        if self.weight > self.rate.limit:
            return self.rate.seconds * SECOND
        period = self.rate.seconds * SECOND if self.weight else 0
        return moment - period - now


class Wait(NamedTuple):
    """A wait in seconds, and the limit that causes it; 0 and "" for no wait."""

    seconds: float
    limit: str


NO_WAIT = Wait(0, "")


@dataclass(frozen=True)
class Taken:
    """An action that was counted under a limit, and the new moment of its bucket."""

    limit: Limit
    moment: int


def now() -> int:
    """Return the present moment in microseconds since the epoch."""
    return microseconds(timezone.now())


def counting(work: Callable[[], T]) -> T:
    """Run ``work`` in one durable transaction and return its result.

    The transaction must be durable.  Inside a transaction of the caller, such as that of
    ``ATOMIC_REQUESTS``, a later error would roll the count back, and an attacker would have an
    unlimited number of tries.

    After a deadlock, a serialization failure or a lock (SQLite), ``work`` runs again from its
    start.  So it must have no effects outside the database.

    :raises RuntimeError: a transaction is already open, outside of :func:`within_transaction`.
    :raises OperationalError: all tries have failed: 20 tries, or those of two seconds (at least
        five).
    """
    ends = time.monotonic() + _LONGEST_SECONDS
    attempt = 0
    while True:
        attempt += 1
        try:
            durable = not _is_within.get()
            with transaction.atomic(using=router.db_for_write(Counter), durable=durable):
                return work()
        except OperationalError as error:
            wait = _wait_after(attempt)
            is_late = attempt >= _FEWEST_ATTEMPTS and time.monotonic() + wait > ends
            if attempt >= _ATTEMPTS or is_late or _is_hopeless(error):
                raise
        time.sleep(wait)


@contextmanager
def within_transaction() -> Iterator[None]:
    """Allow :func:`counting` inside a transaction of the caller, who must always commit it."""
    token = _is_within.set(True)
    try:
        yield
    finally:
        _is_within.reset(token)


def _wait_after(attempt: int) -> float:
    """Return the seconds to wait after the failed try number ``attempt``.

    The wait is random.  Otherwise two transactions in a deadlock would start again at the same
    time, and meet again.
    """
    longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (attempt - 1))
    return random.uniform(longest / 2, longest)  # noqa: S311 - not a secret


def _is_hopeless(error: OperationalError) -> bool:
    """Return whether the next try would fail, too.  Other databases raise another error then."""
    return getattr(error.__cause__, "sqlite_errorcode", None) == _SQLITE_ERROR


def take(limits: Iterable[Limit]) -> list[Taken]:
    """Count one action under all of ``limits``.

    Call it inside :func:`counting`, so that an error rolls back the other counts.

    :raises Limited: a limit refuses.  If several refuse, the error is for the longest wait.
    """
    wanted = list(limits)
    if not wanted:
        return []
    moments = statements.move({limit.key: limit.amount for limit in wanted}, now())
    taken = [Taken(limit, moments[limit.key]) for limit in wanted]
    # Read the clock again, now that the rows are locked.  The earlier time is from before the wait
    # for the locks: with it, this request could be refused wrongly.
    moment = now()
    longest, name = max((one.limit.wait_at(one.moment, moment), one.limit.name) for one in taken)
    if longest > 0:
        raise Limited(longest / SECOND, name)
    return taken


def seconds_until(limits: Iterable[Limit]) -> float:
    """Return how long :func:`take` would refuse ``limits``, in seconds; 0 if it would not."""
    wanted = list(limits)
    return longest_wait(wanted, read(wanted)).seconds


def read(limits: Iterable[Limit]) -> dict[str, int]:
    """Return the moments of the buckets of ``limits``, by their keys, as far as they have a row."""
    rows = Counter.objects.filter(key__in={limit.key for limit in limits})
    return dict(rows.values_list("key", "moment"))


def longest_wait(limits: Iterable[Limit], moments: Mapping[str, int]) -> Wait:
    """Return how long :func:`take` would refuse ``limits``, and because of which of them.

    :param moments: the moments of the buckets, by their keys.
    """
    moment = now()
    waits = [
        Wait(
            limit.wait_at(max(moments.get(limit.key, 0), moment) + limit.amount, moment) / SECOND,
            limit.name,
        )
        for limit in limits
    ]
    return max([NO_WAIT, *waits])


def give_back(taken: Iterable[tuple[str, int, int]]) -> None:
    """Undo counted actions, as far as they have not leaked out of their buckets.

    :param taken: for each bucket its key, the amount, and the moment after the action.
    """
    moment = now()
    # A part of the amount has already leaked: the part before now.  Only the rest is undone.
    left = {key: min(amount, until - moment) for key, amount, until in taken if until > moment}
    if left:
        statements.move_back(left, moment)


def hold(key: str, until: datetime) -> None:
    """Make a limit of weight 0 refuse until ``until``."""
    Counter.objects.update_or_create(key=key, defaults={"moment": microseconds(until)})


def clear(keys: Iterable[str]) -> None:
    """Empty the buckets of ``keys``."""
    # One by one, in the order in which all transactions lock them, to avoid deadlocks.
    for key in sorted(keys):
        Counter.objects.filter(key=key).delete()


def over() -> models.QuerySet[Counter]:
    """Return the rows that no longer limit anybody."""
    return Counter.objects.filter(moment__lte=now())


def claim_turn(what: str, seconds: int) -> bool:
    """Claim the next run of ``what`` for this worker.

    One of all workers gets True.  The others get False until ``seconds`` have passed.
    """
    turn = Limit(f"0:every:{what}", what, Rate(1, seconds))
    try:
        counting(lambda: take([turn]))
    except Limited:
        return False
    return True
