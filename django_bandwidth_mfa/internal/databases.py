"""Database connections: which errors mean that one was lost, and when an idle one is closed."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from django.db import Error, InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.urls import get_urlconf

# PostgreSQL: the server ends the connection, or accepts no new one: it shuts down (57P01), has
# crashed (57P02), is starting (57P03), has ended an idle session (57P05), or has too many
# connections (53300).  Class 08 is "connection exception".
_POSTGRESQL_CODES = ("08", "57P01", "57P02", "57P03", "57P05", "53300")

# MariaDB: the same errors of the server.  It has too many connections (1040, 1203), shuts down
# (1053), has ended the connection (1927), or could not read or write (1158 to 1161, 1184).
_MARIADB_CODES = {1040, 1053, 1158, 1159, 1160, 1161, 1184, 1203, 1927}

# SQLite has no network connection.  The same situation is a file that cannot be opened or read.
_SQLITE_CODES = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR}


def is_connection_lost(error: Error) -> bool:
    """Return whether ``error`` means that the database connection was lost, or could not be made.

    All other errors are faults that need an administrator, and are not repaired by trying again: a
    missing table, for example, or a lock that is never released.

    The function reads the code of the driver's error, which is the cause of Django's error.  The
    text of the error depends on the language of the server.
    """
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    cause = error.__cause__
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _SQLITE_CODES  # the other bits describe the operation
    for name in ("sqlstate", "pgcode"):  # psycopg, psycopg2
        if hasattr(cause, name):
            state = getattr(cause, name)
            # An error without a code is the driver's own: it did not reach the server.
            return state is None or state.startswith(_POSTGRESQL_CODES)
    number = cause.args[0] if cause is not None and cause.args else None
    if isinstance(number, int):
        # mysqlclient: 2000 to 2999 are errors of the driver, 0 is a connection that is already
        # closed.
        return number in _MARIADB_CODES or 2000 <= number < 3000 or number == 0
    return False


def close_lost_connections() -> None:
    """Close lost connections after an error that was caught, so that Django connects again.

    A connection with an open transaction is not closed, because the code that opened the
    transaction must get the error.
    """
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            # Even if the driver raises, Django drops the connection.
            with suppress(Error):
                connection.close_if_unusable_or_obsolete()


def give_back_idle_connections() -> None:
    """Close the connections that this request would not use during a call to Bandwidth.

    These are the connections that Django closes at the end of the request anyway (``CONN_MAX_AGE``
    is 0).  With a pool, closing returns the connection to the pool.  The next query opens a
    connection again.  Otherwise each slow call to Bandwidth would block a connection that other
    requests need.

    A connection stays open if it may be in use:

    - It is persistent (any other ``CONN_MAX_AGE``): it belongs to this thread, and no other thread
      could use it.
    - Autocommit is off: a transaction is open or may be open.
    - Several threads share it.
    - No request is being handled.  A command or a task may be in the middle of a queryset's
      ``iterator()``, or use temporary tables, and both end with the connection.
    """
    # Django sets the URLconf when it begins to handle a request, and resets it at the end.
    if get_urlconf() is None:
        return
    for connection in connections.all(initialized_only=True):
        if _is_idle(connection):
            # Even if the driver raises, Django drops the connection.
            with suppress(Error):
                connection.close()


def _is_idle(connection: BaseDatabaseWrapper) -> bool:
    return (
        connection.connection is not None
        and connection.settings_dict["CONN_MAX_AGE"] == 0
        and connection.get_autocommit()
        and not connection.allow_thread_sharing
    )
