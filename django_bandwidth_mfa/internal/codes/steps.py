"""Work with a call to Bandwidth in the middle, written once for sync and async code.

Such work is a generator, of the type :data:`Steps`.  It first uses the database, then yields the
call to Bandwidth as a function, receives the result or the error of the call, and continues.  The
runner decides in which thread each part runs:

- :func:`run` runs everything in the current thread.
- :func:`arun` runs the parts that use the database in the thread of this request's database
  connections, and the call in a thread of a pool of our own.  So the call blocks neither the event
  loop nor the thread of the request.

Django's error reports cannot mask the variables of a generator: they look for the decorator
``sensitive_variables`` in the caller's frame, and a resumed generator has another caller.  So the
generators of :mod:`~django_bandwidth_mfa.service` keep no code and no number in their own
variables.  They keep functions that know these values, and call such functions through
:func:`masked`.  Error reports of our own views contain no variables at all (:mod:`.error_reports`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.views.decorators.debug import sensitive_variables

from ...bandwidth import UnknownOutcome
from ...bandwidth.transport import PerProcess
from ...conf import settings

T = TypeVar("T")

Call = Callable[[], Any]
Steps = Generator[Call, Any, T]


@sensitive_variables()
def masked(do: Callable[..., T], *arguments: Any) -> T:
    """Call ``do`` and return its result.  Error reports mask its variables."""
    return do(*arguments)


@sensitive_variables()
def run(steps: Steps[T]) -> T:
    """Run all of ``steps`` in this thread.

    :returns: the result of ``steps``.
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
    """Run ``steps`` without blocking the event loop.

    If the caller is cancelled, for example because a client has disconnected, this function still
    waits until the work has ended.  If the call has not begun, it is not made: ``steps`` receives
    an ``asyncio.CancelledError`` instead, and undoes its count.  If the call has begun, it is
    completed and its result is recorded, because a sent code cannot be taken back.

    :returns: the result of ``steps``.
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
            # Read the exception, so that asyncio does not log that it was never retrieved.
            task.exception()
        raise asyncio.CancelledError
    result: T = task.result()
    return result


class _Work:
    """One run of steps in an event loop.  ``is_abandoned`` is True if the caller was cancelled."""

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
                # The event loop is ending.  The thread may already have sent the request.
                error = UnknownOutcome("The event loop ended during the call.")
            except Exception as raised:
                error = raised


@sensitive_variables()
def _advance(steps: Steps[T], answer: object, error: BaseException | None) -> tuple[Any, Any]:
    """Run ``steps`` up to the next call.

    :returns: the call and None; or None and the result of ``steps`` at its end.
    """
    # A coroutine cannot raise StopIteration, so the result is returned as a value here.
    try:
        return (steps.send(answer) if error is None else steps.throw(error)), None
    except StopIteration as end:
        return None, end.value


# The pool -----------------------------------------------------------------------------------------


@sensitive_variables()
def _call(call: Call) -> Any:
    return call()


# Thread pools by their number of threads.  A forked process does not have its parent's threads.
_pools: PerProcess[dict[int, ThreadPoolExecutor]] = PerProcess(dict)


async def _call_in_pool(call: Call) -> Any:
    """Run ``call`` in a thread of a pool, and return its result.

    There is a thread for each call that may run, for each call that may wait for a place, and one
    more.  So there is always a thread in which the circuit breaker can refuse a call at once, or
    let an urgent call go before others.
    """
    threads = settings.MAX_CONCURRENT_CALLS + settings.MAX_WAITING_CALLS + 1
    pools = _pools.get()
    if threads not in pools:
        pools.setdefault(threads, ThreadPoolExecutor(threads, thread_name_prefix="bandwidth-mfa"))
    # It also passes on the context: the language, the time zone, and the current request.
    in_thread = sync_to_async(_call, thread_sensitive=False, executor=pools[threads])
    return await in_thread(call)
