"""How a count is kept: leaky buckets, and the transaction that takes from them.

A limit of "N per period" is a bucket that holds N and leaks one each ``period / N`` (the generic
cell rate algorithm).  One moment says it all: when the bucket will be empty.  Each row of
:class:`~django_bandwidth_mfa.models.Counter` is such a moment.

* Taking one moves the moment by ``period / N``.  It is allowed if the new moment is at most a
  period ahead.  So N pass at once, and the wait for the next one is known exactly.
* At most ``2 N - 1`` pass in any one period: N at once, and those that leak out meanwhile.

A request that reads a count and then writes it is too late: concurrent requests all read "4 of 5".
So the moment is moved and returned in one step (:mod:`.statements`), and judged after that.  If one
of several limits refuses, an error rolls back what the others have counted.

All amounts and moments are whole microseconds; moments count from the epoch.
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

# Microseconds.
SECOND = 1_000_000

# A transaction that the database broke off is begun again: up to so many tries, and for so many
# seconds.  The clock ends it only after a few tries: one that waits for a lock can take two seconds
# by itself, and the next one would go through.
_ATTEMPTS = 20
_LONGEST_SECONDS = 2.0
_FEWEST_ATTEMPTS = 5

# The longest wait before the second try, which doubles up to the longest wait of all, in seconds.
_FIRST_WAIT = 0.002
_LONGEST_WAIT = 0.15

# Whether the caller has promised to commit its transaction (`service.within_transaction`).
_is_within: ContextVar[bool] = ContextVar("bandwidth_mfa_within_transaction", default=False)

# SQLite's result code for a statement that cannot run, because a table is missing for instance.
_SQLITE_ERROR = 1


@dataclass(frozen=True)
class Limit:
    """One limit for one key.

    ``name`` is what a refusal is named after (:attr:`.Limited.limit`).  ``weight`` is how much one
    action takes.  A weight of 0 takes nothing, and is refused until the moment is over.
    """

    key: str
    name: str
    rate: Rate
    weight: int = 1

    @property
    def amount(self) -> int:
        """By how many microseconds one action moves the moment."""
        return self.weight * (self.rate.seconds * SECOND // self.rate.limit)

    def wait_at(self, moment: int, now: int) -> int:
        """Return for how many microseconds the limit refuses an action that led to ``moment``.

        It is 0 or less if the action is allowed.
        """
        if self.weight > self.rate.limit:
            return self.rate.seconds * SECOND
        period = self.rate.seconds * SECOND if self.weight else 0
        return moment - period - now


class Wait(NamedTuple):
    """For how many seconds something is refused, and by which limit; 0 and "" if it is not."""

    seconds: float
    limit: str


NO_WAIT = Wait(0, "")


@dataclass(frozen=True)
class Taken:
    """What an action has taken from a limit, and the moment that it led to."""

    limit: Limit
    moment: int


def now() -> int:
    """Return this moment in microseconds since the epoch."""
    return microseconds(timezone.now())


def counting(work: Callable[[], T]) -> T:
    """Run ``work`` in one durable transaction and return its result.

    It must be durable.  In a transaction of the caller (``ATOMIC_REQUESTS``, for instance) a later
    error would roll the count back, and an attacker would have unlimited tries.

    When the database breaks a deadlock, cannot put concurrent transactions in an order, or is
    locked (SQLite), ``work`` runs again from its start.  So it must have no effects outside the
    database.

    :raises RuntimeError: a transaction is open already, outside of :func:`within_transaction`.
    :raises OperationalError: the last of 20 tries, or of the tries of two seconds (five at least),
        failed.
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
    """Let :func:`counting` work in a transaction of the caller, who commits it in any case."""
    token = _is_within.set(True)
    try:
        yield
    finally:
        _is_within.reset(token)


def _wait_after(attempt: int) -> float:
    """Return the seconds to wait after the failed try number ``attempt``.

    The moment is random: transactions that broke each other off and come back together would break
    each other off again.
    """
    longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (attempt - 1))
    return random.uniform(longest / 2, longest)  # noqa: S311 - no secret


def _is_hopeless(error: OperationalError) -> bool:
    """Return whether the next try must fail as well.  Other databases raise another error then."""
    return getattr(error.__cause__, "sqlite_errorcode", None) == _SQLITE_ERROR


def take(limits: Iterable[Limit]) -> list[Taken]:
    """Take one action from all of ``limits``.

    Call it inside :func:`counting`: the error rolls back what was taken from the others.

    :raises Limited: a limit refuses.  If several do, it is the one with the longest wait.
    """
    wanted = list(limits)
    if not wanted:
        return []
    moments = statements.move({limit.key: limit.amount for limit in wanted}, now())
    taken = [Taken(limit, moments[limit.key]) for limit in wanted]
    # The clock again, now that the rows are locked: each request before this one has read its clock
    # earlier.  By the time from before the wait for the locks, this one could be refused wrongly.
    moment = now()
    longest, name = max((one.limit.wait_at(one.moment, moment), one.limit.name) for one in taken)
    if longest > 0:
        raise Limited(longest / SECOND, name)
    return taken


def seconds_until(limits: Iterable[Limit]) -> float:
    """Return for how many seconds :func:`take` would refuse ``limits``; 0 if it would not."""
    wanted = list(limits)
    return longest_wait(wanted, read(wanted)).seconds


def read(limits: Iterable[Limit]) -> dict[str, int]:
    """Return the moments of the buckets of ``limits`` by their keys; none for one without a row."""
    rows = Counter.objects.filter(key__in={limit.key for limit in limits})
    return dict(rows.values_list("key", "moment"))


def longest_wait(limits: Iterable[Limit], moments: Mapping[str, int]) -> Wait:
    """Return how long :func:`take` would refuse ``limits``, and by which of them.

    :param moments: those of the buckets, by their keys.
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
    """Give back what was taken, as far as it has not leaked out.

    :param taken: for each bucket its key, the amount, and the moment that the taking led to.
    """
    moment = now()
    # What has leaked already is nobody's: so much of the amount lies before now.
    left = {key: min(amount, until - moment) for key, amount, until in taken if until > moment}
    if left:
        statements.move_back(left, moment)


def hold(key: str, until: datetime) -> None:
    """Have a limit of weight 0 refuse until then."""
    Counter.objects.update_or_create(key=key, defaults={"moment": microseconds(until)})


def clear(keys: Iterable[str]) -> None:
    """Empty the buckets of ``keys``."""
    # One by one, in the order in which they are taken: so two transactions never wait for each
    # other.
    for key in sorted(keys):
        Counter.objects.filter(key=key).delete()


def over() -> models.QuerySet[Counter]:
    """Return the rows that limit nobody any more."""
    return Counter.objects.filter(moment__lte=now())


def claim_turn(what: str, seconds: int) -> bool:
    """Claim the next run of ``what``.

    Of all workers one gets True; the others get False until ``seconds`` have passed.
    """
    turn = Limit(f"0:every:{what}", what, Rate(1, seconds))
    try:
        counting(lambda: take([turn]))
    except Limited:
        return False
    return True
