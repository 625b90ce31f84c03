"""A circuit breaker for calls to Bandwidth.

If Bandwidth does not answer, calls fail at once.  Otherwise logins could block all threads of a
process, and pages that need no code would wait, too.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .errors import BandwidthError, NoFreePlace, UnknownOutcome, Unreachable
from .transport import PerProcess

logger = logging.getLogger("django_bandwidth_mfa")


class _WaitingCall:
    """A call that waits for a place.  ``is_over`` is set when it gets one, or is refused."""

    def __init__(self, *, is_urgent: bool) -> None:
        self.is_urgent = is_urgent
        self.has_place = False
        self.is_over = threading.Event()


class _State:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running = 0
        # The next call that gets a place is the first one.
        self.waiting: list[_WaitingCall] = []
        self.failures = 0
        self.retry_at = 0.0


class Breaker:
    """A circuit breaker, and a limit for concurrent calls with a short queue.

    Its state is for this process only.

    After ``failures`` network failures in a row (``Unreachable``, ``UnknownOutcome``) it is open:
    no call is made for ``seconds``.  Then one call is tried every ``seconds``.  The first call that
    gets an answer, with any status, closes it.

    If all places are in use, a call waits for one.  Urgent calls get a place before the others, and
    otherwise the call that came first.  If the queue is full, an urgent call takes the place in it
    of the last call that is not urgent, and that call is refused.  The queue and the wait are
    short, because each waiting call blocks a thread.

    :param failures: the number of failures in a row that opens the breaker.
    :param seconds: how long an open breaker refuses calls.
    :param concurrent: the most calls that may run at once.
    :param waiting: the most calls that may wait for a place.
    :param wait_seconds: the longest wait for a place, in seconds.
    :param clock: a monotonic clock, in seconds.
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
        # Not shared with a forked process, which would inherit the running calls of its parent.
        self._state = PerProcess(_State)

    @property
    def is_open(self) -> bool:
        """Whether the breaker refuses calls now because of earlier failures."""
        state = self._state.get()
        return state.failures >= self._failures and self._clock() < state.retry_at

    @contextmanager
    def guard(self, *, is_urgent: bool = False) -> Iterator[None]:
        """Guard one call in a ``with`` block: wait for a place, and count the result.

        :param is_urgent: whether the call goes before others in the queue.
        :raises NoFreePlace: too many calls are running and waiting.  The call was not made.
        :raises Unreachable: the breaker is open.  The call was not made.
        """
        self._enter(is_urgent=is_urgent)
        try:
            yield
        except (Unreachable, UnknownOutcome):
            self._leave(failed=True)
            raise
        except BandwidthError:
            self._leave(failed=False)
            raise
        except BaseException:
            self._leave(failed=None)  # such as a wrong argument, which says nothing about Bandwidth
            raise
        self._leave(failed=False)

    def _enter(self, *, is_urgent: bool) -> None:
        state = self._state.get()
        with state.lock:
            self._refuse_while_open(state)
            if state.running < self._concurrent:
                state.running += 1
                self._begin(state)
                return
            if len(state.waiting) >= self._waiting and not (is_urgent and self._displace(state)):
                raise self._no_free_place(state)
            call = _WaitingCall(is_urgent=is_urgent)
            before = sum(one.is_urgent for one in state.waiting)
            state.waiting.insert(before if is_urgent else len(state.waiting), call)
        self._wait(state, call)

    def _displace(self, state: _State) -> bool:
        """Refuse the last waiting call that is not urgent.  Return whether there is one."""
        if not state.waiting or state.waiting[-1].is_urgent:
            return False
        state.waiting.pop().is_over.set()
        return True

    def _wait(self, state: _State, call: _WaitingCall) -> None:
        """Wait until ``call`` has a place.  The place is then already counted in ``running``."""
        try:
            call.is_over.wait(self._wait_seconds)
            with state.lock:
                if not call.has_place:
                    raise self._no_free_place(state)
                # The breaker may have opened during the wait.
                self._refuse_while_open(state)
                self._begin(state)
        except BaseException:  # also if a server ends this thread: the place must not be lost
            with state.lock:
                if call.has_place:
                    self._free_place(state)
                elif call in state.waiting:
                    state.waiting.remove(call)
            raise

    def _refuse_while_open(self, state: _State) -> None:
        if self.is_open:
            raise Unreachable(
                f"Bandwidth was not called, because the last {state.failures} calls failed. It is "
                f"called again {self._seconds} seconds after the last failure."
            )

    def _begin(self, state: _State) -> None:
        if state.failures >= self._failures:
            # This call tests whether Bandwidth answers again.  Other calls are refused meanwhile.
            state.retry_at = self._clock() + self._seconds

    def _no_free_place(self, state: _State) -> NoFreePlace:
        return NoFreePlace(
            f"Bandwidth was not called, because {state.running} calls are running in this process, "
            "as many as MAX_CONCURRENT_CALLS allows. None of them ended in time."
        )

    def _free_place(self, state: _State) -> None:
        """Give the place to the first waiting call; free it if no call is waiting."""
        if state.waiting:
            call = state.waiting.pop(0)
            call.has_place = True
            call.is_over.set()
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
                        "breaker open: %s network failures in a row. Bandwidth is not called for "
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
