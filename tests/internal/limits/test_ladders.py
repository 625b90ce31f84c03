"""The ladders of a user: each step makes the wait for the next step longer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from django.db import IntegrityError

from django_bandwidth_mfa.exceptions import Limited, Locked
from django_bandwidth_mfa.internal.limits import ladders, store
from django_bandwidth_mfa.internal.limits.ladders import RECOVERY, SENDS, TRIES, Step
from django_bandwidth_mfa.internal.limits.statements import Ladder
from django_bandwidth_mfa.models import SecondFactor
from tests.conftest import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("way")]

ALL = pytest.mark.parametrize("ladder", [SENDS, TRIES, RECOVERY], ids=lambda one: one.steps)


def take(user: Any, ladder: Ladder, waits: Sequence[int], lock_at: int | None = None) -> Step:
    return store.counting(lambda: ladders.take_step(user, ladder, waits, lock_at=lock_at))


def refusal(user: Any, ladder: Ladder, waits: Sequence[int]) -> Limited:
    with pytest.raises(Limited) as refused:
        take(user, ladder, waits)
    return refused.value


@ALL
def test_each_next_step_waits_for_the_step_before(clock: Any, user: Any, ladder: Ladder) -> None:
    for wait in (30, 60, 120, 120, 120):
        take(user, ladder, [30, 60, 120])
        assert refusal(user, ladder, [30, 60, 120]).retry_after == wait
        assert ladders.seconds_left(SecondFactor.objects.of(user), ladder) == wait
        clock.shift(wait)
        assert ladders.seconds_left(SecondFactor.objects.of(user), ladder) == 0


@ALL
def test_a_step_without_a_wait_lets_the_next_one_through(
    clock: Any, user: Any, ladder: Ladder
) -> None:
    for _ in range(3):
        take(user, ladder, [0, 0, 30])
    assert refusal(user, ladder, [0, 0, 30]).retry_after == 30


def test_a_refusal_counts_nothing(clock: Any, user: Any) -> None:
    """Fails when the error does not roll back the step."""
    take(user, SENDS, [30, 60])
    for _ in range(3):
        assert refusal(user, SENDS, [30, 60]).limit == "cooldown"
    clock.shift(30)
    take(user, SENDS, [30, 60])
    assert ladders.seconds_left(SecondFactor.objects.of(user), SENDS) == 60


def test_the_ladders_of_a_user_and_of_others_are_apart(clock: Any, user: Any) -> None:
    """Wrong codes by phone do not block recovery codes, and wrong recovery codes do not block codes
    by phone."""
    other = make_user("other")
    for ladder in (SENDS, TRIES, RECOVERY):
        take(user, ladder, [30])
    for ladder in (SENDS, TRIES, RECOVERY):
        take(other, ladder, [30])
    assert SecondFactor.objects.count() == 2


@pytest.mark.attack("G6")
def test_the_lock_shuts_codes_and_sends_and_not_recovery_codes(clock: Any, user: Any) -> None:
    """A locked user gets no code. Fails when a send does not check the count of wrong codes."""
    for _ in range(3):
        take(user, TRIES, [0], lock_at=3)
    clock.shift(10**6)
    for ladder in (TRIES, SENDS):
        with pytest.raises(Locked):
            take(user, ladder, [0], lock_at=3)
    assert SecondFactor.objects.of(user).failures == 3
    take(user, RECOVERY, [0])
    assert [row.user for row in ladders.locked(3)] == [user]


def test_a_lock_that_is_lowered_locks_those_who_are_beyond_it(clock: Any, user: Any) -> None:
    for _ in range(5):
        take(user, TRIES, [0], lock_at=10)
    with pytest.raises(Locked):
        take(user, TRIES, [0], lock_at=3)


@ALL
def test_a_step_that_is_given_back_leaves_no_wait(clock: Any, user: Any, ladder: Ladder) -> None:
    step = take(user, ladder, [30])
    store.counting(lambda: ladders.give_back(step))
    assert ladders.seconds_left(SecondFactor.objects.of(user), ladder) == 0
    take(user, ladder, [30])
    assert getattr(SecondFactor.objects.of(user), ladder.steps) == 1


def test_a_step_that_is_given_back_late_ends_no_later_wait(clock: Any, user: Any) -> None:
    """Fails when a step that is given back also ends the wait of a later step."""
    early = take(user, SENDS, [30, 60])
    clock.shift(30)
    take(user, SENDS, [30, 60])
    store.counting(lambda: ladders.give_back(early))
    assert ladders.seconds_left(SecondFactor.objects.of(user), SENDS) == 60
    assert SecondFactor.objects.of(user).sends == 1


@pytest.mark.standard("63B-3.2.2c")
def test_a_right_code_puts_all_three_back_and_those_of_nobody_else(clock: Any, user: Any) -> None:
    other = make_user("other")
    for one in (user, other):
        for ladder in (SENDS, TRIES, RECOVERY):
            take(one, ladder, [30])
    ladders.clear(user)
    row = SecondFactor.objects.of(user)
    assert [ladders.seconds_left(row, one) for one in (SENDS, TRIES, RECOVERY)] == [0] * 3
    row = SecondFactor.objects.of(other)
    assert [ladders.seconds_left(row, one) for one in (SENDS, TRIES, RECOVERY)] == [30] * 3
    take(user, SENDS, [30])


def test_what_else_the_row_says_stays(clock: Any, user: Any) -> None:
    """Fails when an upsert writes columns that do not belong to the ladder."""
    SecondFactor.objects.create(user=user, language="es", failures=1)
    take(user, SENDS, [30])
    row = SecondFactor.objects.get()
    assert (row.language, row.failures, row.sends) == ("es", 1, 1)


@pytest.mark.django_db(transaction=True)  # PostgreSQL checks keys at its end
def test_a_user_who_is_gone_has_no_row(clock: Any, user: Any) -> None:
    gone = make_user("gone")
    pk = gone.pk
    gone.delete()
    gone.pk = pk
    with pytest.raises(IntegrityError):
        take(gone, SENDS, [30])
    assert not SecondFactor.objects.exists()
