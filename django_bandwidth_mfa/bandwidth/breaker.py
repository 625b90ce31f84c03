"""Fails fast where calling Bandwidth would only hold a worker of the site.

A Bandwidth that hangs would otherwise take every thread of a process, one sign-in after the other,
and pages that need no code would wait with them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .errors import BandwidthError, UnknownOutcome, Unreachable
from .transport import PerProcess

logger = logging.getLogger("django_bandwidth_mfa")


class _State:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running = 0
        self.failures = 0
        self.retry_at = 0.0


class Breaker:
    """A circuit breaker and a limit of calls at once. Its state is this process's alone.

    After `failures` network failures in a row (`Unreachable`, `UnknownOutcome`) it is open: for
    `seconds` nothing is called. Then one call at a time, every `seconds`, finds out whether
    Bandwidth is back; the first that is answered, with whatever status, closes it.

    Args:
        failures: how many in a row open it.
        seconds: how long an open one refuses.
        concurrent: how many calls may be under way at once.
        clock: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        *,
        failures: int,
        seconds: float,
        concurrent: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures = failures
        self._seconds = seconds
        self._concurrent = concurrent
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
        """Make one call in a `with` block; its outcome is counted.

        Raises:
            Unreachable: the breaker is open, or too many calls are under way. The call was not
                made.
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
            if self.is_open:
                raise Unreachable(
                    f"Not called: the last {state.failures} calls to Bandwidth failed. It is tried "
                    f"again after {self._seconds} seconds."
                )
            if state.running >= self._concurrent:
                raise Unreachable(
                    f"Not called: {state.running} calls to Bandwidth are under way in this "
                    "process, which is as many as MAX_CONCURRENT_CALLS allows."
                )
            state.running += 1
            if state.failures >= self._failures:
                # This one finds out; the others go on failing fast while it does.
                state.retry_at = self._clock() + self._seconds

    def _leave(self, *, failed: bool | None) -> None:
        state = self._state.get()
        with state.lock:
            state.running -= 1
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
