"""Fails fast where calling Bandwidth would only hold a worker of the site.

A Bandwidth that hangs would otherwise take every thread of a process, one sign-in after the other,
and pages that need no code would wait with them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .errors import BandwidthError, NoFreePlace, UnknownOutcome, Unreachable
from .transport import PerProcess

logger = logging.getLogger("django_bandwidth_mfa")


class _State:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running = 0
        # One event for each waiting call, the oldest first. It is set when the call has a place.
        self.waiting: deque[threading.Event] = deque()
        self.failures = 0
        self.retry_at = 0.0


class Breaker:
    """A circuit breaker, and a limit of calls at once with a short queue before it.

    Its state is this process's alone.

    After `failures` network failures in a row (`Unreachable`, `UnknownOutcome`) it is open: for
    `seconds` nothing is called. Then one call at a time, every `seconds`, finds out whether
    Bandwidth is back; the first that is answered, with whatever status, closes it.

    A call that finds every place taken waits for one. Those that wait get theirs in the order in
    which they came. The queue is short in number and in time: each call in it holds a thread.

    Args:
        failures: how many in a row open it.
        seconds: how long an open one refuses.
        concurrent: how many calls may be under way at once.
        waiting: how many more may wait for a place.
        wait_seconds: how long one of them waits at most.
        clock: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        *,
        failures: int,
        seconds: float,
        concurrent: int,
        waiting: int = 0,
        wait_seconds: float = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures = failures
        self._seconds = seconds
        self._concurrent = concurrent
        self._waiting = waiting
        self._wait_seconds = wait_seconds
        self._clock = clock
        # A forked child would inherit calls that only its parent ends.
        self._state = PerProcess(_State)

    @property
    def is_open(self) -> bool:
        """Whether a call would be refused because of the failures before it."""
        state = self._state.get()
        return state.failures >= self._failures and self._clock() < state.retry_at

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Make one call in a `with` block, after a wait for a place; its outcome is counted.

        Raises:
            NoFreePlace: too many calls are under way and waiting. The call was not made.
            Unreachable: the breaker is open. The call was not made.
        """
        self._enter()
        try:
            yield
        except (Unreachable, UnknownOutcome):
            self._leave(failed=True)
            raise
        except BandwidthError:
            self._leave(failed=False)
            raise
        except BaseException:
            self._leave(failed=None)  # a bad argument, say: nothing was learnt of Bandwidth
            raise
        self._leave(failed=False)

    def _enter(self) -> None:
        state = self._state.get()
        with state.lock:
            self._refuse_while_open(state)
            if state.running < self._concurrent:
                state.running += 1
                self._begin(state)
                return
            if len(state.waiting) >= self._waiting:
                raise self._no_free_place(state)
            place = threading.Event()
            state.waiting.append(place)
        self._wait(state, place)

    def _wait(self, state: _State, place: threading.Event) -> None:
        """Wait until `place` is set. It is then this call's, and `running` counts it already."""
        try:
            place.wait(self._wait_seconds)
            with state.lock:
                if not place.is_set():
                    raise self._no_free_place(state)
                # It may have opened during the wait.
                self._refuse_while_open(state)
                self._begin(state)
        except BaseException:  # a server that ends this thread, too: its place must not be lost
            with state.lock:
                if place.is_set():
                    self._free_place(state)
                else:
                    state.waiting.remove(place)
            raise

    def _refuse_while_open(self, state: _State) -> None:
        if self.is_open:
            raise Unreachable(
                f"Not called: the last {state.failures} calls to Bandwidth failed. It is tried "
                f"again after {self._seconds} seconds."
            )

    def _begin(self, state: _State) -> None:
        if state.failures >= self._failures:
            # This one finds out; the others go on failing fast while it does.
            state.retry_at = self._clock() + self._seconds

    def _no_free_place(self, state: _State) -> NoFreePlace:
        return NoFreePlace(
            f"Not called: {state.running} calls to Bandwidth are under way in this process, which "
            "is as many as MAX_CONCURRENT_CALLS allows, and no place became free."
        )

    def _free_place(self, state: _State) -> None:
        """Hand a place to the call that waits longest. If none waits, it is free for the next."""
        if state.waiting:
            state.waiting.popleft().set()
        else:
            state.running -= 1

    def _leave(self, *, failed: bool | None) -> None:
        state = self._state.get()
        with state.lock:
            self._free_place(state)
            if failed:
                state.failures += 1
                if state.failures >= self._failures:
                    state.retry_at = self._clock() + self._seconds
                if state.failures == self._failures:
                    logger.error(
                        "breaker open: %s network failures in a row, Bandwidth is not called for "
                        "%s seconds",
                        state.failures,
                        self._seconds,
                        extra={"event": "breaker_open"},
                    )
            elif failed is False:
                if state.failures >= self._failures:
                    logger.warning(
                        "breaker closed: Bandwidth answers again", extra={"event": "breaker_closed"}
                    )
                state.failures = 0
