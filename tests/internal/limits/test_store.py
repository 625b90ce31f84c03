"""The buckets: what they allow, the waits that they report, and what is given back."""

from __future__ import annotations

import itertools
import math
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, OperationalError, connection
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from django_bandwidth_mfa.conf import Rate
from django_bandwidth_mfa.exceptions import Limited
from django_bandwidth_mfa.internal.limits import store
from django_bandwidth_mfa.internal.limits.store import SECOND, Limit
from django_bandwidth_mfa.models import Counter

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("way")]


HOUR = 3600


def limit(text: str = "5/h", *, key: str = "k", weight: int = 1) -> Limit:
    number, _slash, unit = text.partition("/")
    return Limit(key, "user", Rate(int(number), {"h": HOUR, "d": 24 * HOUR}[unit]), weight)


def refusal(*limits: Limit) -> Limited:
    with pytest.raises(Limited) as refused:
        store.counting(lambda: store.take(limits))
    return refused.value


def take(*limits: Limit) -> list[store.Taken]:
    return store.counting(lambda: store.take(limits))


def test_so_many_pass_at_once_and_then_one_each_period_by_so_many(clock: Any) -> None:
    for _ in range(5):
        take(limit("5/h"))
    assert refusal(limit("5/h")).retry_after == HOUR // 5
    clock.shift(HOUR // 5 - 1)
    assert refusal(limit("5/h")).retry_after == 1
    clock.shift(1)
    take(limit("5/h"))
    assert refusal(limit("5/h")).retry_after == HOUR // 5


def test_after_a_period_all_pass_again(clock: Any) -> None:
    for _ in range(2):
        for _ in range(5):
            take(limit("5/h"))
        refusal(limit("5/h"))
        clock.shift(HOUR)


def test_in_any_period_at_most_one_less_than_twice_as_many_pass(clock: Any) -> None:
    """The documentation names this bound. Fails when the check of a take uses half an amount too
    little."""
    passed: list[int] = []
    for second in range(0, 2 * HOUR, 30):
        while store.seconds_until([limit("5/h")]) == 0:
            take(limit("5/h"))
            passed.append(second)
        clock.shift(30)
    most = max(sum(one <= other < one + HOUR for other in passed) for one in passed)
    assert most == 2 * 5 - 1


def test_weights_count(clock: Any) -> None:
    heavy = limit("5/h", weight=2)
    take(heavy)
    take(heavy)
    assert refusal(heavy).retry_after == HOUR // 5
    take(limit("5/h"))
    assert refusal(limit("1/h", key="other", weight=2)).retry_after == HOUR


def test_a_refusal_of_one_limit_takes_nothing_from_the_others(clock: Any) -> None:
    """Fails when the error does not roll the transaction back."""
    take(limit("1/h", key="small"))
    before = list(Counter.objects.order_by("key").values())
    for _ in range(3):
        refusal(limit("5/h", key="a"), limit("1/h", key="small"), limit("5/h", key="z"))
    assert list(Counter.objects.order_by("key").values()) == before


def test_the_longest_wait_names_the_refusal(clock: Any) -> None:
    short, long = Limit("a", "number", Rate(2, HOUR)), Limit("b", "site", Rate(1, 24 * HOUR))
    take(short, long)
    take(short)
    error = refusal(short, long)
    assert (error.retry_after, error.limit) == (24 * HOUR, "site")


def test_the_reported_wait_is_the_wait_of_the_refusal(clock: Any) -> None:
    """Fails when the reported wait and the refusal use different rules."""
    for _ in range(12):
        wait = math.ceil(store.seconds_until([limit("5/h"), limit("7/d", key="day")]))
        if wait:
            assert refusal(limit("5/h"), limit("7/d", key="day")).retry_after == wait
            clock.shift(wait)
        taken = take(limit("5/h"), limit("7/d", key="day"))
        after = store.seconds_until([limit("5/h"), limit("7/d", key="day")])
        moments = {one.limit.key: one.moment for one in taken}
        assert store.longest_wait([one.limit for one in taken], moments).seconds == after


def test_a_limit_of_no_weight_is_refused_until_its_moment_and_takes_nothing(clock: Any) -> None:
    held = Limit("held", "provider", Rate(1, 1), weight=0)
    take(held)
    store.hold("held", in_seconds(20))
    assert refusal(held).retry_after == 20
    clock.shift(20)
    take(held)
    take(held)


def in_seconds(seconds: int) -> datetime:
    return timezone.now() + timedelta(seconds=seconds)


def back(taken: list[store.Taken]) -> None:
    amounts = [(one.limit.key, one.limit.amount, one.moment) for one in taken]
    store.counting(lambda: store.give_back(amounts))


def test_what_is_given_back_can_be_taken_again(clock: Any) -> None:
    taken = take(limit("1/h"))
    refusal(limit("1/h"))
    back(taken)
    take(limit("1/h"))


def test_what_has_leaked_out_is_not_given_back(clock: Any) -> None:
    """Fails when the whole amount is given back: other users could then send more than the
    limit."""
    first = take(limit("2/h"))
    clock.shift(HOUR)
    take(limit("2/h"))
    take(limit("2/h"))
    back(first)
    assert refusal(limit("2/h")).retry_after == HOUR // 2


def test_half_of_what_has_half_leaked_out_is_given_back(clock: Any) -> None:
    first = take(limit("2/h"))
    clock.shift(HOUR // 4)
    take(limit("2/h"))
    back(first)
    [row] = Counter.objects.all()
    assert row.moment == store.now() + HOUR // 2 * SECOND


@pytest.mark.slow
@settings(deadline=None, max_examples=25)
@given(st.lists(st.sampled_from(["take", "give back", "wait"]), max_size=30))
def test_takes_and_returns_in_any_order_end_where_they_must(steps: list[str]) -> None:
    """Nobody gets back more than they took. Fails when a return moves the moment too far: an empty
    bucket would allow more than its limit."""
    Counter.objects.all().delete()
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        outstanding: list[list[store.Taken]] = []
        for step in steps:
            if step == "wait":
                clock.shift(100)
            elif step == "give back" and outstanding:
                back(outstanding.pop())
            elif step == "take" and not store.seconds_until([limit("5/h")]):
                outstanding.append(take(limit("5/h")))
        passed = 0
        while not store.seconds_until([limit("5/h")]):
            take(limit("5/h"))
            passed += 1
        assert passed <= 5
        refusal(limit("5/h"))


def test_a_cleared_bucket_is_empty(clock: Any) -> None:
    take(limit("1/h"))
    store.clear(["k", "not there"])
    take(limit("1/h"))


def test_a_turn_is_claimed_once(clock: Any) -> None:
    assert store.claim_turn("something", 600)
    assert not store.claim_turn("something", 600)
    assert store.claim_turn("something else", 600)
    clock.shift(600)
    assert store.claim_turn("something", 600)


def test_a_moment_is_exact_to_the_microsecond(clock: Any) -> None:
    """Fails when a moment is converted to a float: it would be inexact, and a wait would not end
    exactly."""
    assert (
        store.microseconds(datetime(2026, 11, 26, 1, 2, 3, 999_999, tzinfo=UTC)) % 10**6 == 999_999
    )


# Transactions that are interrupted --------------------------------------------------------------


class Deadlocks:
    """Work that the database interrupts at its first tries.

    :param number: how many tries are interrupted.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.tries = 0

    def __call__(self) -> str:
        self.tries += 1
        store.take([limit("100/h")])
        if self.tries <= self.number:
            raise OperationalError("deadlock detected")
        return "done"


@pytest.fixture
def waits(monkeypatch: Any) -> list[float]:
    """The waits between two tries, in seconds. The test does not wait: it moves the clock
    instead."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    monkeypatch.setattr(time, "monotonic", lambda: sum(waits))
    return waits


@pytest.mark.parametrize("number", [0, 1, 7])
def test_a_deadlock_is_tried_again(waits: list[float], number: int) -> None:
    """Fails when a transaction that the database ends loses its count. Tested with a broken copy
    that makes at most five tries."""
    work = Deadlocks(number)
    assert store.counting(work) == "done"
    assert work.tries == number + 1
    assert len(waits) == number
    assert Counter.objects.count() == 1


def test_each_wait_is_longer_and_the_end_is_after_twenty_tries_or_two_seconds(
    waits: list[float],
) -> None:
    """Fails when the next try begins at once: transactions that collided would collide again.
    Tested with broken copies: equal waits of 0.1 s, and no limit of time."""
    work = Deadlocks(100)
    with pytest.raises(OperationalError, match="deadlock detected"):
        store.counting(work)
    assert sum(waits) <= 2
    assert 10 < work.tries <= 20
    assert min(waits[:3]) * 3 < min(waits[7:])
    assert len({round(wait, 4) for wait in waits[7:]}) > 1  # the waits of two tries differ
    assert not Counter.objects.exists()


def test_tries_that_take_long_themselves_are_still_five(monkeypatch: Any) -> None:
    """Fails when only the time ends the tries. MariaDB can hold fifty first counts of one key for
    two seconds and then end them; they would not be tried again."""
    seconds = itertools.count(step=2)
    monkeypatch.setattr(time, "sleep", lambda wait: None)
    monkeypatch.setattr(time, "monotonic", lambda: next(seconds))
    work = Deadlocks(100)
    with pytest.raises(OperationalError, match="deadlock detected"):
        store.counting(work)
    assert work.tries == 5


def test_a_missing_table_is_reported_at_once() -> None:
    """Fails when every ``OperationalError`` is tried again: this error would appear two seconds
    late."""
    began = []

    def work() -> None:
        began.append(1)
        connection.cursor().execute("SELECT 1 FROM not_there")

    with pytest.raises(DatabaseError, match="not_there"):
        store.counting(work)
    assert len(began) == 1
