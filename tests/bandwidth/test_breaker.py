"""The breaker: when a call is made, when it is refused, and how it finds the way back."""

from __future__ import annotations

import os
import threading

import pytest

from django_bandwidth_mfa.bandwidth import BandwidthError, ServerError, UnknownOutcome, Unreachable
from django_bandwidth_mfa.bandwidth.breaker import Breaker


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(failures=3, seconds=30, concurrent=2, clock=clock)


def call(breaker: Breaker, error: Exception | None = None) -> bool:
    """Whether the call was made."""
    made = False
    try:
        with breaker.guard():
            made = True
            if error is not None:
                raise error
    except (BandwidthError, ValueError):
        pass
    return made


@pytest.mark.parametrize("error", [Unreachable("gone"), UnknownOutcome("dropped")])
def test_network_failures_in_a_row_open_it(breaker: Breaker, error: Exception) -> None:
    """Fails when only one of the two kinds counts."""
    assert [call(breaker, error) for _ in range(5)] == [True, True, True, False, False]
    assert breaker.is_open


def test_what_an_open_breaker_refuses_cannot_have_arrived(breaker: Breaker) -> None:
    for _ in range(3):
        call(breaker, Unreachable("gone"))
    with pytest.raises(Unreachable, match="Not called") as refused, breaker.guard():
        pytest.fail("it was called")
    assert not refused.value.may_have_arrived


@pytest.mark.parametrize("answer", [None, ServerError("500")])
def test_any_answer_ends_the_row(breaker: Breaker, answer: Exception | None) -> None:
    """Fails when failures are added up instead of counted in a row."""
    for _ in range(4):
        assert call(breaker, Unreachable("gone"))
        assert call(breaker, Unreachable("gone"))
        assert call(breaker, answer)


def test_a_bad_argument_says_nothing_of_bandwidth(breaker: Breaker) -> None:
    for _ in range(2):
        call(breaker, Unreachable("gone"))
    assert call(breaker, ValueError("digits"))
    call(breaker, Unreachable("gone"))
    assert breaker.is_open


def test_after_its_seconds_one_call_finds_out_while_the_others_fail_fast(
    breaker: Breaker, clock: Clock
) -> None:
    """Fails when all are let through at once: they would all hang again."""
    for _ in range(3):
        call(breaker, Unreachable("gone"))
    clock.now += 30
    with breaker.guard():
        assert not call(breaker)
    assert call(breaker)


def test_a_failed_probe_opens_it_again(breaker: Breaker, clock: Clock) -> None:
    for _ in range(3):
        call(breaker, Unreachable("gone"))
    clock.now += 30
    assert call(breaker, UnknownOutcome("dropped"))
    clock.now += 29
    assert not call(breaker)
    clock.now += 1
    with breaker.guard():
        assert not call(breaker)  # the second probe is alone, as the first was
    assert not breaker.is_open


def test_more_calls_at_once_than_allowed_are_refused_and_a_finished_one_makes_room(
    breaker: Breaker,
) -> None:
    """Fails when ``running`` is not counted down again after an error."""
    for _ in range(5):
        call(breaker, ServerError("500"))
        call(breaker, ValueError("digits"))
    refusal = pytest.raises(Unreachable, match="MAX_CONCURRENT_CALLS")
    with breaker.guard(), breaker.guard(), refusal, breaker.guard():
        pytest.fail("it was called")
    assert call(breaker)


def test_a_refused_call_is_no_network_failure(breaker: Breaker) -> None:
    with breaker.guard(), breaker.guard():
        assert [call(breaker) for _ in range(4)] == [False] * 4
    assert not breaker.is_open


@pytest.mark.attack("N8")
def test_threads_together_never_pass_the_limit() -> None:
    breaker = Breaker(failures=100, seconds=30, concurrent=4)
    inside, most, lock = 0, 0, threading.Lock()
    begin = threading.Barrier(32)

    def work() -> None:
        nonlocal inside, most
        begin.wait(10)
        for _ in range(50):
            try:
                with breaker.guard():
                    with lock:
                        inside += 1
                        most = max(most, inside)
                    with lock:
                        inside -= 1
            except Unreachable:
                pass

    threads = [threading.Thread(target=work) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= most <= 4
    assert call(breaker)


def test_a_forked_child_begins_anew(breaker: Breaker) -> None:
    """Fails when the state is not per process: the child would wait for its parent's calls."""
    with breaker.guard(), breaker.guard():
        child = os.fork()
        if child == 0:
            os._exit(0 if call(breaker) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_opening_and_closing_are_logged(
    breaker: Breaker, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(4):
        call(breaker, Unreachable("gone"))
    for outcome in (Unreachable("still gone"), None):
        clock.now += 30
        call(breaker, outcome)
    told = [vars(record)["event"] for record in caplog.records]
    assert told == ["breaker_open", "breaker_closed"]
