"""The counters: windows, ladders, and what is given back."""

from __future__ import annotations

import itertools
import time
from itertools import pairwise
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError, connection

from django_bandwidth_mfa.conf import Rate
from django_bandwidth_mfa.exceptions import Limited, Locked
from django_bandwidth_mfa.internal.limits import store
from django_bandwidth_mfa.models import Counter

pytestmark = pytest.mark.django_db


HOUR = 3600


def test_a_window_starts_at_its_first_count_and_ends_after_its_length(clock: Any) -> None:
    rate = Rate(3, HOUR)
    for _ in range(3):
        store.take_window("k", rate)
        clock.shift(600)
    with pytest.raises(Limited) as refused:
        store.take_window("k", rate)
    assert refused.value.retry_after == HOUR - 1800
    clock.shift(HOUR - 1800)
    store.take_window("k", rate)
    assert Counter.objects.get(key="k").count == 1


def test_weights_count(clock: Any) -> None:
    store.take_window("k", Rate(5, HOUR), weight=2)
    store.take_window("k", Rate(5, HOUR), weight=2)
    with pytest.raises(Limited):
        store.take_window("k", Rate(5, HOUR), weight=2)
    store.take_window("k", Rate(5, HOUR), weight=1)
    with pytest.raises(Limited):
        store.take_window("other", Rate(1, HOUR), weight=2)


def test_a_ladder_makes_each_next_wait_for_its_step(clock: Any) -> None:
    for step in (30, 60, 120, 120, 120):
        store.take_step("k", [30, 60, 120])
        with pytest.raises(Limited) as refused:
            store.take_step("k", [30, 60, 120])
        assert refused.value.retry_after == step
        clock.shift(step)


def test_a_ladder_locks(clock: Any) -> None:
    for _ in range(3):
        store.take_step("k", [0], lock_at=3)
    clock.shift(10**6)
    with pytest.raises(Locked):
        store.take_step("k", [0], lock_at=3)


def test_a_lock_that_is_lowered_locks_whoever_is_beyond_it(clock: Any) -> None:
    for _ in range(5):
        store.take_step("k", [0], lock_at=10)
    with pytest.raises(Locked):
        store.take_step("k", [0], lock_at=3)


def test_what_is_given_back_can_be_taken_again(clock: Any) -> None:
    taken = [store.take_window("w", Rate(1, HOUR)), store.take_step("s", [30])]
    store.give_back(taken)
    store.take_window("w", Rate(1, HOUR))
    store.take_step("s", [30])


def test_nothing_is_given_back_to_a_later_window(clock: Any) -> None:
    """Fails when giving back does not compare ``until``."""
    early = store.take_window("w", Rate(1, HOUR))
    clock.shift(HOUR)
    store.take_window("w", Rate(1, HOUR))
    store.give_back([early])
    with pytest.raises(Limited):
        store.take_window("w", Rate(1, HOUR))


class Deadlocks:
    """Work whose first tries the database breaks off.  ``began``: when each try did, in seconds."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.began: list[float] = []

    def __call__(self) -> str:
        self.began.append(time.monotonic())
        store.take_window("k", Rate(100, HOUR))
        if len(self.began) <= self.number:
            raise OperationalError("deadlock detected")
        return "done"

    @property
    def waits(self) -> list[float]:
        return [after - before for before, after in pairwise(self.began)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", [0, 1, 7])
def test_a_deadlock_is_tried_again(number: int) -> None:
    """Fails when the database's choice of a victim loses a count.  Tried: five tries at most."""
    work = Deadlocks(number)
    assert store.counting(work) == "done"
    assert len(work.began) == number + 1
    assert Counter.objects.get().count == 1


@pytest.mark.django_db(transaction=True)
def test_each_wait_is_longer_and_the_end_is_after_twenty_tries_or_two_seconds() -> None:
    """Fails when a try follows at once: those that met would meet again.  Tried: equal waits of
    0.1 s, and no end by the clock."""
    work = Deadlocks(100)
    with pytest.raises(OperationalError, match="deadlock detected"):
        store.counting(work)
    assert sum(work.waits) < 2.5
    assert 10 < len(work.began) <= 20
    assert min(work.waits[:3]) * 3 < min(work.waits[7:])
    assert len({round(wait, 4) for wait in work.waits[7:]}) > 1  # nobody waits in step
    assert not Counter.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_tries_that_take_long_themselves_are_still_five(monkeypatch: Any) -> None:
    """Fails when the clock alone ends the tries: fifty first counts of one key waited two seconds
    for a lock of MariaDB, were broken off, and were not begun again."""
    seconds = itertools.count(step=2)
    monkeypatch.setattr(time, "monotonic", lambda: next(seconds))
    work = Deadlocks(100)
    with pytest.raises(OperationalError, match="deadlock detected"):
        store.counting(work)
    assert len(work.began) == 5


@pytest.mark.django_db(transaction=True)
def test_a_missing_table_is_told_at_once() -> None:
    """Fails when every ``OperationalError`` is waited for: this one would come two seconds late."""
    began = []

    def work() -> None:
        began.append(1)
        connection.cursor().execute("SELECT 1 FROM not_there")

    with pytest.raises(DatabaseError, match="not_there"):
        store.counting(work)
    assert len(began) == 1
