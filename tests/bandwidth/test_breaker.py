"""The breaker: when it makes a call, when it refuses a call, and when it closes again."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from django_bandwidth_mfa.bandwidth import (
    BandwidthError,
    NoFreePlace,
    ServerError,
    UnknownOutcome,
    Unreachable,
)
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


def call(breaker: Breaker, error: Exception | None = None, *, is_urgent: bool = False) -> bool:
    """Return whether the call was made."""
    made = False
    try:
        with breaker.guard(is_urgent=is_urgent):
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
    with pytest.raises(Unreachable, match="was not called") as refused, breaker.guard():
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
    refusal = pytest.raises(NoFreePlace, match="MAX_CONCURRENT_CALLS")
    with breaker.guard(), breaker.guard(), refusal, breaker.guard():
        pytest.fail("it was called")
    assert call(breaker)


def test_a_refused_call_is_no_network_failure(breaker: Breaker) -> None:
    with breaker.guard(), breaker.guard():
        assert [call(breaker) for _ in range(4)] == [False] * 4
    assert not breaker.is_open


@pytest.mark.attack("N8")
@pytest.mark.parametrize("waiting", [0, 8])
def test_threads_together_never_pass_the_limit(waiting: int) -> None:
    breaker = Breaker(failures=100, seconds=30, concurrent=4, waiting=waiting, wait_seconds=0.0001)
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
            except NoFreePlace:
                pass

    threads = [threading.Thread(target=work) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= most <= 4
    assert call(breaker)


# The queue -------------------------------------------------------------------------------------


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def one_place(waiting: int, wait_seconds: float = 30, failures: int = 3) -> Breaker:
    return Breaker(
        failures=failures, seconds=30, concurrent=1, waiting=waiting, wait_seconds=wait_seconds
    )


def until_waiting(breaker: Breaker, many: int) -> None:
    """Return when ``many`` calls wait.  It fails after ten seconds."""
    for _ in range(10_000):
        if len(breaker._state.get().waiting) == many:
            return
        time.sleep(0.001)
    pytest.fail("they do not wait")


def test_a_call_that_waits_gets_the_place_that_becomes_free(threads: ThreadPoolExecutor) -> None:
    """Fails when no place is handed on: the call would wait to the end, and be refused."""
    breaker = one_place(waiting=1)
    with breaker.guard():
        waiting = threads.submit(call, breaker)
        until_waiting(breaker, 1)
        assert not waiting.done()
    assert waiting.result(10)
    assert call(breaker)


def test_places_are_given_in_the_order_in_which_calls_came(threads: ThreadPoolExecutor) -> None:
    """Fails when the newest is served first, and when a newcomer takes a place from who waits."""
    breaker = one_place(waiting=4)
    order: list[str] = []

    def come(name: str) -> None:
        with breaker.guard():
            order.append(name)

    waiting: list[Future[None]] = []
    with breaker.guard():
        for name in ("first", "second", "third"):
            waiting.append(threads.submit(come, name))
            until_waiting(breaker, len(waiting))
    come("newcomer")
    for one in waiting:
        one.result(10)
    assert order == ["first", "second", "third", "newcomer"]


def test_a_call_over_the_queue_is_refused_at_once(threads: ThreadPoolExecutor) -> None:
    """Fails when the queue has no end: the call would wait, and hold one more thread."""
    breaker = one_place(waiting=1)
    with breaker.guard():
        waiting = threads.submit(call, breaker)
        until_waiting(breaker, 1)
        with pytest.raises(NoFreePlace) as refused, breaker.guard():
            pytest.fail("it was called")
        assert not refused.value.may_have_arrived
        assert not waiting.done()
    assert waiting.result(10)


def test_an_urgent_call_gets_a_place_before_the_others(threads: ThreadPoolExecutor) -> None:
    """Fails when all calls wait in one order, and when the second urgent call passes the first."""
    breaker = one_place(waiting=4)
    order: list[str] = []

    def come(name: str, is_urgent: bool) -> None:
        with breaker.guard(is_urgent=is_urgent):
            order.append(name)

    waiting: list[Future[None]] = []
    with breaker.guard():
        for name in ("send 1", "verify 1", "send 2", "verify 2"):
            waiting.append(threads.submit(come, name, name.startswith("verify")))
            until_waiting(breaker, len(waiting))
    for one in waiting:
        one.result(10)
    assert order == ["verify 1", "verify 2", "send 1", "send 2"]


def test_an_urgent_call_takes_a_place_in_a_full_queue_from_the_last_other_call(
    threads: ThreadPoolExecutor,
) -> None:
    """Fails when a full queue refuses each call, and when a displaced call keeps a thread waiting.

    Tried with a ``_displace`` that returns False, and with one that does not set ``is_over``.
    """
    breaker = one_place(waiting=2)
    with breaker.guard():
        calls = []
        for many in (1, 2):
            calls.append(threads.submit(call, breaker))
            until_waiting(breaker, many)
        urgent = threads.submit(call, breaker, is_urgent=True)
        # The last one that came is refused, and the others wait.
        assert calls[1].result(10) is False
        assert len(breaker._state.get().waiting) == 2
    assert urgent.result(10)
    assert calls[0].result(10)
    assert call(breaker)


def test_an_urgent_call_displaces_no_other_urgent_call(threads: ThreadPoolExecutor) -> None:
    """Fails when an urgent call displaces any call: the other user would have to type again."""
    breaker = one_place(waiting=1)
    with breaker.guard():
        waiting = threads.submit(call, breaker, is_urgent=True)
        until_waiting(breaker, 1)
        assert not call(breaker, is_urgent=True)
        assert not waiting.done()
    assert waiting.result(10)


def test_a_wait_ends_after_its_seconds_and_leaves_the_queue() -> None:
    """Fails when a call that gave up stays in the queue: it would get a place and never free it."""
    breaker = one_place(waiting=1, wait_seconds=0.001, failures=1)
    with breaker.guard():
        for _ in range(3):
            with pytest.raises(NoFreePlace), breaker.guard():
                pytest.fail("it was called")
    assert not breaker.is_open
    assert call(breaker)


def test_a_breaker_that_opens_refuses_those_who_wait(threads: ThreadPoolExecutor) -> None:
    """Fails when a call is made that has waited while the breaker opened, or keeps its place."""
    breaker = one_place(waiting=2, failures=1)

    def fail_when_two_wait() -> None:
        with breaker.guard():
            until_waiting(breaker, 2)
            raise Unreachable("gone")

    failing = threads.submit(fail_when_two_wait)
    while not breaker._state.get().running:
        time.sleep(0.001)
    waiting = [threads.submit(call, breaker) for _ in range(2)]
    assert isinstance(failing.exception(10), Unreachable)
    assert [one.result(10) for one in waiting] == [False, False]
    assert breaker._state.get().running == 0


@pytest.mark.parametrize("has_place", [False, True])
def test_a_thread_that_is_ended_while_it_waits_takes_no_place_along(
    monkeypatch: pytest.MonkeyPatch, has_place: bool
) -> None:
    """Fails when only errors of Bandwidth are cleaned up after: the next call finds no place."""
    breaker = one_place(waiting=1, wait_seconds=0.001)
    under_way = breaker.guard()

    class Ended(threading.Event):
        """A wait during which the server ends the thread, before or after it has a place."""

        def wait(self, timeout: float | None = None) -> bool:
            if has_place:
                under_way.__exit__(None, None, None)
            raise SystemExit

    under_way.__enter__()
    monkeypatch.setattr(threading, "Event", Ended)
    with pytest.raises(SystemExit), breaker.guard():
        pytest.fail("it was called")
    monkeypatch.undo()
    if not has_place:
        under_way.__exit__(None, None, None)
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
    events = [vars(record)["event"] for record in caplog.records]
    assert events == ["breaker_open", "breaker_closed"]
