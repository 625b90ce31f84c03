"""The counters: windows, ladders, and what is given back."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from django.db import OperationalError

from django_bandwidth_mfa.conf import Rate
from django_bandwidth_mfa.exceptions import Limited, Locked
from django_bandwidth_mfa.internal.limits import store
from django_bandwidth_mfa.models import Counter

pytestmark = pytest.mark.django_db


HOUR = 3600


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        yield clock


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


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("deadlocks", [0, 1, 4, 5])
def test_a_deadlock_is_tried_again_four_times(deadlocks: int) -> None:
    """Fails when the database's choice of a victim loses a count, or is tried for ever."""
    runs = []

    def work() -> str:
        store.take_window("k", Rate(100, HOUR))
        runs.append(len(runs))
        if len(runs) <= deadlocks:
            raise OperationalError("deadlock detected")
        return "done"

    if deadlocks == 5:
        with pytest.raises(OperationalError):
            store.counting(work)
        assert len(runs) == 5
        assert not Counter.objects.exists()
    else:
        assert store.counting(work) == "done"
        assert Counter.objects.get().count == 1
