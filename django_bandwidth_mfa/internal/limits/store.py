"""The counters: each limit is one row of :class:`~django_bandwidth_mfa.models.Counter`.

A request that reads a count and then writes it is too late: concurrent requests all read "4 of 5".
So the condition stands in the ``UPDATE`` itself, and the database decides which request was first.

A count has one of two shapes:

* A **window** lets at most so much weight through until it ends.  It starts at its first count
  (:func:`take_window`).
* A **ladder** makes each count wait longer than the one before.  After the n-th count the next one
  waits ``steps[n - 1]`` seconds, until :func:`clear` puts the ladder back to its start
  (:func:`take_step`).

Everything that is taken inside one call of :func:`counting` is taken together or not at all.
:func:`give_back` returns it.  Every caller takes its keys in the same order (user, number, prefix,
address, site), so that no two transactions wait for each other.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from django.db import OperationalError, router, transaction
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone

from ...conf import Rate
from ...exceptions import Limited, Locked
from ...models import Counter

T = TypeVar("T")

# A transaction that the database broke off is begun again: up to so many tries, and for so many
# seconds.  The clock ends it only after a few tries: one that waits for a lock can take two seconds
# by itself, and the next one would go through.
_ATTEMPTS = 20
_LONGEST_SECONDS = 2.0
_FEWEST_ATTEMPTS = 5

# The longest wait before the second try, which doubles up to the longest wait of all, in seconds.
_FIRST_WAIT = 0.002
_LONGEST_WAIT = 0.15

# SQLite's result code for a statement that cannot run, because a table is missing for instance.
_SQLITE_ERROR = 1

# "No wait" lies this far back.  So it is over by the clock of every thread and every machine, and a
# thread that reads its clock a moment earlier than another does not find itself waiting.
_LONG_OVER = timedelta(days=1)


@dataclass(frozen=True)
class Taken:
    """A count that was taken and can be given back.

    ``until``: when the window or the wait that it began is over, at the latest.
    """

    key: str
    weight: int
    until: datetime
    is_step: bool


class Window(NamedTuple):
    """The arguments of one :func:`take_window`."""

    key: str
    rate: Rate
    weight: int


def counting(work: Callable[[], T]) -> T:
    """Run ``work`` in one durable transaction and return its result.

    It must be durable.  In a transaction of the caller (``ATOMIC_REQUESTS``, for instance) a later
    error would roll the count back, and an attacker would have unlimited tries.

    When the database breaks a deadlock, cannot put concurrent transactions in an order, or is
    locked (SQLite), ``work`` runs again from its start.  So it must have no effects outside the
    database.

    :raises RuntimeError: a transaction is open already.
    :raises OperationalError: the last of 20 tries, or of the tries of two seconds (five at least),
        failed.
    """
    ends = time.monotonic() + _LONGEST_SECONDS
    attempt = 0
    while True:
        attempt += 1
        try:
            with transaction.atomic(using=router.db_for_write(Counter), durable=True):
                return work()
        except OperationalError as error:
            wait = _wait_after(attempt)
            is_late = attempt >= _FEWEST_ATTEMPTS and time.monotonic() + wait > ends
            if attempt >= _ATTEMPTS or is_late or _is_hopeless(error):
                raise
        time.sleep(wait)


def _wait_after(attempt: int) -> float:
    """Return the seconds to wait after the failed try number ``attempt``.

    The moment is random: transactions that broke each other off and come back together would break
    each other off again.
    """
    longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (attempt - 1))
    return random.uniform(longest / 2, longest)  # noqa: S311 - no secret


def _is_hopeless(error: OperationalError) -> bool:
    """Whether the next try must fail as well.  Other databases raise another error then."""
    return getattr(error.__cause__, "sqlite_errorcode", None) == _SQLITE_ERROR


def take_window(key: str, rate: Rate, weight: int = 1) -> Taken:
    """Count ``weight`` in the window of ``key``.

    :raises Limited: it would be more than ``rate.limit``; ``retry_after`` is the window's end.
    """
    now = timezone.now()
    ends = now + timedelta(seconds=rate.seconds)
    if weight > rate.limit:
        raise Limited(rate.seconds)
    over = Q(until__lte=now)
    # `count` before `until`: MariaDB assigns from left to right and reads what it has just written.
    _take(
        key,
        now,
        over | Q(count__lte=rate.limit - weight),
        count=Case(When(over, then=Value(weight)), default=F("count") + weight),
        until=Case(When(over, then=Value(ends)), default=F("until")),
    )
    return Taken(key, weight, ends, is_step=False)


def take_step(key: str, steps: Sequence[int], *, lock_at: int | None = None) -> Taken:
    """Count one on the ladder of ``key``: the next has to wait for its step, in seconds.

    :raises Limited: the wait is not over.
    :raises Locked: ``lock_at`` counts were taken since the last :func:`clear`.
    """
    now = timezone.now()
    ends = [now + (timedelta(seconds=step) if step else -_LONG_OVER) for step in steps]
    free = Q(until__lte=now)
    if lock_at is not None:
        free &= Q(count__lt=lock_at)
    # `until` before `count`: MariaDB assigns from left to right, and `until` needs the old count.
    _take(
        key,
        now,
        free,
        until=Case(
            *(When(count=done, then=Value(end)) for done, end in enumerate(ends[:-1])),
            default=Value(ends[-1]),
        ),
        count=F("count") + 1,
        lock_at=lock_at,
    )
    return Taken(key, 1, max(ends), is_step=True)


def _take(
    key: str, now: datetime, condition: Q, *, lock_at: int | None = None, **changes: object
) -> None:
    """One conditional ``UPDATE``; a row that is not there yet is made, and tried again."""
    row = Counter.objects.filter(key=key)
    taking = row.filter(condition)
    if taking.update(**changes):
        return
    found = row.first()
    if found is None:
        # Somebody else may be making the same row right now.
        Counter.objects.bulk_create(
            [Counter(key=key, until=now - _LONG_OVER)], ignore_conflicts=True
        )
        if taking.update(**changes):
            return
        found = row.get()
    if lock_at is not None and found.count >= lock_at:
        raise Locked
    raise Limited((found.until - now).total_seconds())


def give_back(taken: Iterable[Taken]) -> None:
    """Return what was taken for a request that cannot have arrived: an outage costs nobody."""
    over = timezone.now() - _LONG_OVER
    for one in taken:
        # A later end means that a new window has begun since.  Its count is not lowered.
        rows = Counter.objects.filter(key=one.key, count__gte=one.weight, until__lte=one.until)
        if one.is_step:
            rows.update(count=F("count") - one.weight, until=over)
        else:
            rows.update(count=F("count") - one.weight)


def clear(keys: Iterable[str]) -> None:
    """Put the ladders of ``keys`` back to their start."""
    Counter.objects.filter(key__in=list(keys)).update(count=0, until=timezone.now() - _LONG_OVER)


def read(key: str) -> int:
    """Return the count of ``key``."""
    row = Counter.objects.filter(key=key).first()
    return row.count if row else 0


def seconds_left(key: str) -> int:
    """Return for how many whole seconds ``key`` has to wait; 0 if it has not."""
    row = Counter.objects.filter(key=key).first()
    left = (row.until - timezone.now()).total_seconds() if row else 0
    return max(0, math.ceil(left))


def seconds_until_windows(windows: Iterable[Window]) -> int:
    """Return for how many whole seconds :func:`take_window` would refuse one of ``windows``."""
    wanted = list(windows)
    rows = Counter.objects.in_bulk([window.key for window in wanted])
    now, longest = timezone.now(), 0.0
    for key, rate, weight in wanted:
        row = rows.get(key)
        if weight > rate.limit:
            longest = max(longest, rate.seconds)
        elif row is not None and row.count > rate.limit - weight:
            longest = max(longest, (row.until - now).total_seconds())
    return math.ceil(longest)


def claim_turn(what: str, seconds: int) -> bool:
    """Claim the next run of ``what``.

    Of all workers one gets True; the others get False until ``seconds`` have passed.
    """
    try:
        counting(lambda: take_window(f"every:{what}", Rate(1, seconds)))
    except Limited:
        return False
    return True
