"""How a code is counted inside a transaction of django-otp.

django-otp calls ``verify_token`` and ``generate_challenge`` in a transaction of its own.  This app
counts in transactions that are over before Bandwidth is asked, so that no rollback takes a count
back, and so that no counter stays locked meanwhile.  A second connection can do that.

SQLite has one writer at a time: a second connection would wait for django-otp's transaction, which
waits for it.  There, the count is made in django-otp's transaction, which django-otp commits after
a wrong code, too.  In a transaction around that one nobody knows who rolls back: that is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from threading import Thread
from typing import TypeVar

from django.db import connections, router

from ... import service
from ...conf import settings
from ...exceptions import MFAError
from ...models import Challenge

__all__ = ["TookTooLong", "counted"]

T = TypeVar("T")

# Seconds that the second connection may wait for the database, beside Bandwidth's time.
DATABASE_SECONDS = 5


class TookTooLong(MFAError):
    """Nobody knows what became of the code: the second connection waits for something."""


def counted(work: Callable[[], T]) -> T:
    """Run ``work``, which calls the service, and return its result.  Its counts survive.

    :raises TookTooLong: the second connection does not come to an end.
    :raises RuntimeError: on SQLite, a transaction is open around the one of django-otp.
    """
    connection = connections[router.db_for_write(Challenge)]
    if not connection.in_atomic_block:
        return work()
    # Django's `TestCase` never commits.  Another connection would not see its users.
    blocks = connection.atomic_blocks
    others = [block for block in blocks if not getattr(block, "_from_testcase", False)]
    is_test = len(others) < len(blocks)
    if connection.vendor != "sqlite" and not is_test:
        return _on_own_connection(work)
    if len(others) > 1 or connection.settings_dict["ATOMIC_REQUESTS"]:
        raise RuntimeError(
            "On SQLite a BandwidthDevice cannot be used inside another transaction than that of "
            "django-otp: a rollback would take back the count of a wrong code."
        )
    with service.within_transaction():
        return work()


def _on_own_connection(work: Callable[[], T]) -> T:
    """Run ``work`` in a thread, with database connections of its own, which are closed after it.

    The second connection may wait for a lock of the first one, which waits for it: the database
    sees no deadlock there.  Somebody removes the phone meanwhile, for instance: that locks rows of
    this app, and waits for the device, which django-otp has locked.  So the wait has an end.  The
    transaction of django-otp ends after it, and the thread goes on.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            try:
                result = work()
            finally:
                connections.close_all()
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)

    # The context carries the language, in which the message is written.
    context = copy_context()
    Thread(target=context.run, args=(run,), name="bandwidth_mfa_otp", daemon=True).start()
    try:
        return future.result(settings.TOTAL_TIMEOUT + settings.WAIT_SECONDS + DATABASE_SECONDS)
    except TimeoutError:
        if future.done():  # it is an error of `work`
            raise
        raise TookTooLong from None
