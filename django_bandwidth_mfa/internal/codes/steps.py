"""Work that asks Bandwidth in its middle, written once for threads and for event loops.

Such work is a generator, of the type :data:`Steps`.  It counts and writes to the database, yields
the call to Bandwidth as a function, gets back what that function returned or raised, and goes on.
Whoever runs the generator decides where each piece is done:

- :func:`run` does everything in the present thread.
- :func:`arun` does the pieces with the database in the thread in which Django keeps this request's
  connections.  The call is made in a thread of a pool of our own.  So neither the event loop nor
  the thread of the request is held while Bandwidth is asked.

The variables of a generator cannot be masked in Django's error reports: its frame has lost its
caller by then, and with it the decorator ``sensitive_variables``.  So the generators of
:mod:`~django_bandwidth_mfa.service` hold no code and no number in a variable of their own.  They
hold functions that know them, and call whatever handles them through :func:`masked`.  A view of
ours has a report without any variables (:mod:`.error_reports`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.views.decorators.debug import sensitive_variables

from ...bandwidth import NoFreePlace, UnknownOutcome
from ...bandwidth.transport import PerProcess
from ...conf import settings

T = TypeVar("T")

Call = Callable[[], Any]
Steps = Generator[Call, Any, T]


@sensitive_variables()
def masked(do: Callable[..., T], *given: Any) -> T:
    """Return what ``do`` returns.  Error reports show no variable of it, nor of what it calls."""
    return do(*given)


@sensitive_variables()
def run(steps: Steps[T]) -> T:
    """Do all of ``steps`` in this thread.

    :returns: what ``steps`` returns.
    """
    try:
        call = next(steps)
        while True:
            try:
                answer = call()
            except BaseException as error:
                call = steps.throw(error)
            else:
                call = steps.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result


async def arun(steps: Steps[T]) -> T:
    """Do ``steps`` without holding the event loop.

    If the caller is cancelled, because a client has gone for instance, this function still waits
    until the work has come to an end.  A call that has not begun is not made then: ``steps`` gets
    an ``asyncio.CancelledError`` in its place, and gives back what was counted for it.  A call that
    has begun goes on, and its outcome is recorded, because nobody can take back what was sent.

    :returns: what ``steps`` returns.
    :raises asyncio.CancelledError: the caller was cancelled.
    """
    work = _Work(steps)
    task = asyncio.ensure_future(work.do())
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            work.is_abandoned = True
        except BaseException:
            break  # the task's own error is raised below
    if work.is_abandoned:
        if not task.cancelled():
            # Asked for, so that asyncio does not complain that nobody did.
            task.exception()
        raise asyncio.CancelledError
    result: T = task.result()
    return result


class _Work:
    """One run of steps in an event loop.  ``is_abandoned`` says that nobody waits for it."""

    def __init__(self, steps: Steps[Any]) -> None:
        self._steps = steps
        self.is_abandoned = False

    async def do(self) -> Any:
        answer: Any = None
        error: BaseException | None = None
        while True:
            call, result = await sync_to_async(_advance)(self._steps, answer, error)
            if call is None:
                return result
            answer, error = None, None
            if self.is_abandoned:
                error = asyncio.CancelledError()
                continue
            try:
                answer = await _call_in_pool(call)
            except asyncio.CancelledError:
                # The event loop ends.  The thread may have sent the request by now.
                error = UnknownOutcome("The event loop ended during the call.")
            except Exception as raised:
                error = raised


@sensitive_variables()
def _advance(steps: Steps[T], answer: object, error: BaseException | None) -> tuple[Any, Any]:
    """Do the next piece of ``steps``.

    :returns: the call that it asks for and None, or None and what ``steps`` returns.
    """
    # A StopIteration cannot leave a coroutine, so it is turned into a value here.
    try:
        return (steps.send(answer) if error is None else steps.throw(error)), None
    except StopIteration as end:
        return None, end.value


# The pool -----------------------------------------------------------------------------------------


class Pool:
    """Threads for calls to Bandwidth that were asked for in an event loop.

    There is one thread for each call that may be under way, and for each that may wait for a place.
    A call beyond them is refused at once, as the circuit breaker would refuse it.

    :param threads: how many there are at most.  They are made when they are needed.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="bandwidth-mfa")
        self._lock = threading.Lock()
        self._taken = 0

    async def call(self, call: Call) -> Any:
        """Return what ``call`` returns.

        :raises NoFreePlace: every thread has a call.
        """
        with self._lock:
            if self._taken >= self._threads:
                raise NoFreePlace(
                    f"Not called: {self._taken} calls to Bandwidth are under way and waiting in "
                    "this process, as many as MAX_CONCURRENT_CALLS and MAX_WAITING_CALLS allow."
                )
            self._taken += 1
        try:
            # It takes the context along: the language, the time zone, and whose request this is.
            in_thread = sync_to_async(_call, thread_sensitive=False, executor=self._executor)
            return await in_thread(call)
        finally:
            with self._lock:
                self._taken -= 1


@sensitive_variables()
def _call(call: Call) -> Any:
    return call()


# By the number of threads.  A forked child has none of its parent's threads.
_pools: PerProcess[dict[int, Pool]] = PerProcess(dict)


async def _call_in_pool(call: Call) -> Any:
    threads = settings.MAX_CONCURRENT_CALLS + settings.MAX_WAITING_CALLS
    pools = _pools.get()
    if threads not in pools:
        pools.setdefault(threads, Pool(threads))
    return await pools[threads].call(call)
