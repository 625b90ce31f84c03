"""The only counter: every limit is one row of :class:`~.models.Counter`, moved by one ``UPDATE``.

Reading a count and then writing it lets concurrent requests all see "4 of 5".  So here the
condition stands in the ``UPDATE`` itself, and the database decides who was in time.

A count has one of two shapes:

* a **window**: at most so much weight until the window ends; the window starts at its first count
  (:func:`take_window`);
* a **ladder**: after the n-th count the next one has to wait ``steps[n - 1]`` seconds, until
  :func:`clear` takes it back to the start (:func:`take_step`).

What is taken inside :func:`counting` is taken whole or not at all, and :func:`give_back` returns
it.  The order of the keys is the same everywhere (user, number, prefix, address, site), so that
two transactions never wait for each other.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import OperationalError, models, router, transaction
from django.db.models import Case, F, Q, Value, When
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from .conf import Rate, parse_rates, settings
from .exceptions import Limited, Locked
from .models import Counter

T = TypeVar("T")

_ATTEMPTS = 5

# Telephone companies give numbers out in blocks of a thousand: only the last digits differ.
PREFIX_LESS = 3
PREFIX_RATE = "30/h"

# The window of `take_enrol_try`: five times as long as the wait that Bandwidth asks for.
ENROL_TRY_SECONDS = 600

# How far back "no wait" lies: over by the clock of every thread and every machine, for one that
# reads its clock a moment earlier than another must not find itself waiting.
_LONG_OVER = timedelta(days=1)


@dataclass(frozen=True)
class Taken:
    """A count that was taken, and can be given back."""

    key: str
    weight: int
    until: datetime
    is_step: bool


def counting(work: Callable[[], T]) -> T:
    """Run ``work`` in one durable transaction and return its result.

    Durable, for inside a caller's transaction (``ATOMIC_REQUESTS``, say) a later error would roll
    the count back, and give an attacker unlimited tries.  When the database breaks a deadlock, or
    SQLite's lock is not to be had, the whole of ``work`` runs again: it must have no other effects.

    :raises RuntimeError: a transaction is open already.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with transaction.atomic(using=router.db_for_write(Counter), durable=True):
                return work()
        except OperationalError:
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")  # pragma: no cover


# The two shapes ------------------------------------------------------------------------------


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
    # `until` before `count`, for the same reason.
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
    key: str, now: datetime, condition: Q, *, lock_at: int | None = None, **changes: Any
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
        # A window that began after ours ends later than ours can: it is not ours to lower.
        rows = Counter.objects.filter(key=one.key, count__gte=one.weight, until__lte=one.until)
        if one.is_step:
            rows.update(count=F("count") - one.weight, until=over)
        else:
            rows.update(count=F("count") - one.weight)


# What is limited -----------------------------------------------------------------------------


def take_send(
    user: Any, number: str, *, purpose: str, channel: str, request: HttpRequest | None
) -> list[Taken]:
    """Count one code to be sent, under ``RESEND_COOLDOWN`` and ``SEND_LIMITS``.

    :raises Limited: one of them is reached, or Bandwidth asked to leave this number alone.
    """
    weight = settings.CALL_WEIGHT if channel == "voice" else 1
    # A stranger who tries to enrol my number must not use up the codes that I sign in with.
    budget = "enrol" if purpose == "enrol" else "number"
    # Fraudsters who are paid per message walk through ranges that they rent.  A number that a code
    # has proven is none of theirs, and a company whose phones share a range signs in at nine.
    is_proven = purpose != "enrol" and settings.GET_PHONES is None
    subjects = {
        "user": f"user:{user.pk}",
        "number": f"{budget}:{_digest(number)}",
        "prefix": None if is_proven else f"prefix:{_digest(number[:-PREFIX_LESS])}",
        "address": f"address:{_digest(address)}" if (address := client_address(request)) else None,
        "site": "site",
    }
    taken = [take_step(f"cooldown:{user.pk}", settings.RESEND_COOLDOWN)]
    refuse_held(number)
    limits = {"prefix": PREFIX_RATE, **settings.SEND_LIMITS}
    for name, subject in subjects.items():
        if subject is None:
            continue
        taken += [
            take_window(f"send:{subject}:{rate.seconds}", rate, weight)
            for rate in parse_rates(limits[name] or "")
        ]
    return taken


def take_failure(user: Any) -> Taken:
    """Count one wrong code of ``user``'s, before it is known whether it is one.

    :raises Limited: the wait after too many in a row is not over.
    :raises Locked: ``FAILURES_BEFORE_LOCK`` in a row.
    """
    return take_step(_failures(user), _failure_steps(), lock_at=settings.FAILURES_BEFORE_LOCK)


def take_recovery_failure(user: Any) -> Taken:
    """The same for recovery codes, which are never locked.

    :raises Limited: the wait after too many in a row is not over.
    """
    return take_step(_recovery_failures(user), _failure_steps())


def take_enrol_try(number: str) -> Taken:
    """Count one code typed to enrol ``number``, whoever types it.

    Bandwidth answers 429 for a number with many wrong codes.  Without this limit strangers who
    enrol somebody else's number could keep its owner out.

    :raises Limited: ``TRIES_PER_CHALLENGE`` in ten minutes.
    """
    rate = Rate(settings.TRIES_PER_CHALLENGE, ENROL_TRY_SECONDS)
    return take_window(f"enrol-tries:{_digest(number)}", rate)


def is_locked(user: Any) -> bool:
    """Whether ``user`` has used up all the wrong codes that there are."""
    return _locked().filter(key=_failures(user)).exists()


def count_locked() -> int:
    """How many users are."""
    return _locked().count()


def _locked() -> models.QuerySet[Counter]:
    return Counter.objects.filter(
        key__startswith="failures:", count__gte=settings.FAILURES_BEFORE_LOCK
    )


def locked_users() -> list[str]:
    """The primary keys of users who are, as text."""
    return [key.partition(":")[2] for key in _locked().values_list("key", flat=True)]


def failures(user: Any) -> int:
    """How many wrong codes in a row ``user`` has typed."""
    return _count(_failures(user))


def recovery_failures(user: Any) -> int:
    """How many wrong recovery codes in a row."""
    return _count(_recovery_failures(user))


def _count(key: str) -> int:
    row = Counter.objects.filter(key=key).first()
    return row.count if row else 0


def look_like_guesses(user: Any, failures: int) -> bool:
    """Whether so many ``failures`` in a row are worth a warning to ``user``: one a day."""
    return failures >= settings.FAILURES_BEFORE_WAIT and is_due(f"warning:{user.pk}", 86_400)


def clear(user: Any) -> None:
    """A right code: that user's failures and cooldown start anew, and nothing else does."""
    keys = [f"cooldown:{user.pk}", _failures(user), _recovery_failures(user)]
    Counter.objects.filter(key__in=keys).update(count=0, until=timezone.now() - _LONG_OVER)


def hold(number: str, seconds: float) -> None:
    """Bandwidth asked to leave ``number`` alone for so long: every worker does."""
    until = timezone.now() + timedelta(seconds=seconds)
    Counter.objects.update_or_create(key=_held(number), defaults={"until": until})


def held(number: str) -> models.QuerySet[Counter]:
    """The row of a :func:`hold` on ``number`` that is not over, if there is one."""
    return Counter.objects.filter(key=_held(number), until__gt=timezone.now())


def count_held() -> int:
    """How many numbers Bandwidth asked to leave alone just now."""
    return Counter.objects.filter(key__startswith="held:", until__gt=timezone.now()).count()


def over() -> models.QuerySet[Counter]:
    """The rows that limit nobody any more: ended windows and holds, ladders back at their start.

    A ladder on a step is kept however old it is: a hundred wrong codes are not forgiven by time.
    """
    on_a_step = Q(count__gt=0) & (
        Q(key__startswith="cooldown:")
        | Q(key__startswith="failures:")
        | Q(key__startswith="recovery-failures:")
    )
    return Counter.objects.filter(~on_a_step, until__lte=timezone.now())


def refuse_held(number: str) -> None:
    """:raises Limited: ``number`` is on :func:`hold`."""
    row = held(number).first()
    if row is not None:
        raise Limited((row.until - timezone.now()).total_seconds())


def seconds_until_send(user: Any) -> int:
    """How long ``user`` has to wait before another code may be sent, as the page says it."""
    return _seconds_left(f"cooldown:{user.pk}")


def seconds_until_try(user: Any) -> int:
    """How long ``user`` has to wait before another code may be tried."""
    return _seconds_left(_failures(user))


def _seconds_left(key: str) -> int:
    row = Counter.objects.filter(key=key).first()
    left = (row.until - timezone.now()).total_seconds() if row else 0
    return max(0, int(-(-left // 1)))


def is_due(what: str, seconds: int) -> bool:
    """Whether ``what``, which all workers together do every ``seconds``, is this one's to do."""
    try:
        counting(lambda: take_window(f"every:{what}", Rate(1, seconds)))
    except Limited:
        return False
    return True


def client_address(request: HttpRequest | None) -> str | None:
    """Where ``request`` came from: an IPv4 address, or the /64 that an IPv6 customer is given.

    ``X-Forwarded-For`` is what the client says of itself, save for the entries that our own
    ``TRUSTED_PROXIES`` appended: the last of those that they can vouch for is counted from the
    right.  None where there is no request, or no address in it.
    """
    if request is None:
        return None
    address = request.META.get("REMOTE_ADDR", "")
    proxies = settings.TRUSTED_PROXIES
    if proxies:
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if len(forwarded) >= proxies:
            address = forwarded[-proxies].strip()
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def _failure_steps() -> list[int]:
    """No wait for the first wrong codes, then ``FAILURE_WAIT_MIN`` doubling to ``…_MAX``."""
    step, longest = settings.FAILURE_WAIT_MIN, settings.FAILURE_WAIT_MAX
    steps = [0] * (settings.FAILURES_BEFORE_WAIT - 1)
    while step < longest:
        steps.append(step)
        step *= 2
    return [*steps, longest]


def _failures(user: Any) -> str:
    return f"failures:{user.pk}"


def _recovery_failures(user: Any) -> str:
    return f"recovery-failures:{user.pk}"


def _held(number: str) -> str:
    return f"held:{_digest(number)}"


def _digest(subject: str) -> str:
    """Keeps numbers and addresses out of keys, which staff can read."""
    return salted_hmac("bandwidth_mfa.limits", subject, algorithm="sha256").hexdigest()[:40]
