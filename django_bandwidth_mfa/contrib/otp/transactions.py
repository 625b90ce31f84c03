"""Count a code while django-otp has a transaction open.

django-otp calls ``verify_token`` and ``generate_challenge`` in a transaction of its own.  This app
must commit its counts before it calls Bandwidth, so that no rollback undoes a count, and no counter
stays locked during the call.  For this it uses a second database connection.

SQLite allows only one writer at a time: a second connection would wait for django-otp's
transaction, which waits for it.  So on SQLite the count is made in django-otp's transaction, which
django-otp also commits after a wrong code.  Another transaction around that one is refused, because
it could be rolled back.
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

# How long the second connection may wait for the database, in seconds, in addition to the call.
DATABASE_SECONDS = 5


class TookTooLong(MFAError):
    """The second connection did not finish in time, so the result is not known."""


def counted(work: Callable[[], T]) -> T:
    """Run ``work``, which calls the service, and return its result.  Its counts are committed.

    :raises TookTooLong: the second connection did not finish in time.
    :raises RuntimeError: on SQLite, a transaction is open around the one of django-otp.
    """
    connection = connections[router.db_for_write(Challenge)]
    if not connection.in_atomic_block:
        return work()
    # Django's `TestCase` never commits, so another connection would not see its users.
    blocks = connection.atomic_blocks
    others = [block for block in blocks if not getattr(block, "_from_testcase", False)]
    is_test = len(others) < len(blocks)
    if connection.vendor != "sqlite" and not is_test:
        return _on_own_connection(work)
    if len(others) > 1 or connection.settings_dict["ATOMIC_REQUESTS"]:
        raise RuntimeError(
            "On SQLite, use a BandwidthDevice outside of any transaction but that of django-otp. A "
            "rollback of your transaction would undo the count of a wrong code."
        )
    with service.within_transaction():
        return work()


def _on_own_connection(work: Callable[[], T]) -> T:
    """Run ``work`` in a thread with its own database connections, and close these afterwards.

    The second connection can wait for a lock of the first one, which waits for the thread.  The
    database cannot detect this deadlock.  It happens, for example, if the phone is removed
    meanwhile: the removal locks rows of this app, and waits for the device, which django-otp has
    locked.  So the wait has a time limit.  After it, django-otp's transaction ends, and the thread
    continues.
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

    # The context contains the language of the message.
    context = copy_context()
    Thread(target=context.run, args=(run,), name="bandwidth_mfa_otp", daemon=True).start()
    try:
        return future.result(settings.TOTAL_TIMEOUT + settings.WAIT_SECONDS + DATABASE_SECONDS)
    except TimeoutError:
        if future.done():  # `work` itself has raised this error
            raise
        raise TookTooLong from None
