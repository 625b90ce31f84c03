"""Connections to the database: which errors mean a lost one, and when an idle one is given back."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from django.db import Error, InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.urls import get_urlconf

# PostgreSQL: the server has said that it ends the connection, or takes no new one: it shuts down
# (57P01), has crashed (57P02), starts (57P03), lost an idle session (57P05), or is full (53300).
# Class 08 is "connection exception".
_POSTGRESQL_CODES = ("08", "57P01", "57P02", "57P03", "57P05", "53300")

# MariaDB: the same, said by the server.  It is full (1040, 1203), shuts down (1053), ended the
# connection (1927), or could not read from it or write to it (1158 to 1161, 1184).
_MARIADB_CODES = {1040, 1053, 1158, 1159, 1160, 1161, 1184, 1203, 1927}

# SQLite has no connection to lose.  What stands for it is a file that cannot be opened or read.
_SQLITE_CODES = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR}


def is_connection_lost(error: Error) -> bool:
    """Return whether ``error`` says that the connection to the database was lost, or could not be
    made.

    Everything else is a fault that trying again does not mend, such as a missing table, or one that
    somebody has to look at, such as a lock that nobody lets go.

    The driver's own error tells, for each database of the site.  It is the cause of Django's
    error, and its code is read.  Its text is in the language of the server.
    """
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    cause = error.__cause__
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _SQLITE_CODES  # the other bits say what was being done
    for name in ("sqlstate", "pgcode"):  # psycopg, psycopg2
        if hasattr(cause, name):
            state = getattr(cause, name)
            # Without a code it is not the server that speaks: the driver reached no server.
            return state is None or state.startswith(_POSTGRESQL_CODES)
    number = cause.args[0] if cause is not None and cause.args else None
    if isinstance(number, int):
        # mysqlclient: 2000 to 2999 are the driver's own, 0 is a connection that is closed already.
        return number in _MARIADB_CODES or 2000 <= number < 3000 or number == 0
    return False


def close_lost_connections() -> None:
    """Let the rest of a request go on after an error that was caught: Django then connects anew.

    A connection with an open transaction stays as it is.  Its owner has to hear of the error.
    """
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            # Even when the driver cannot close what is lost, Django forgets it.
            with suppress(Error):
                connection.close_if_unusable_or_obsolete()


def give_back_idle_connections() -> None:
    """Close what this request would hold for seconds without a query, while Bandwidth is asked.

    These are the connections to each database that Django closes at the end of the request anyway
    (``CONN_MAX_AGE`` is 0).  With a pool, closing gives the connection back to the pool.  The next
    query opens one again.  Without this, each slow call to Bandwidth would keep another request
    from the database.

    A connection is kept if it could be in use:

    - It is persistent (any other ``CONN_MAX_AGE``).  Then it belongs to this thread, and no other
      thread could use it.
    - Autocommit is off: a transaction is open, or the caller may have begun one.
    - Several threads share it.
    - No request is being handled.  A command or a task may be in the middle of a queryset's
      ``iterator()``, or use temporary tables, and both end with the connection.
    """
    # Django sets the URLconf when it begins to handle a request, and takes it away afterwards.
    if get_urlconf() is None:
        return
    for connection in connections.all(initialized_only=True):
        if _is_idle(connection):
            # Even when the driver cannot close it, Django forgets it.
            with suppress(Error):
                connection.close()


def _is_idle(connection: BaseDatabaseWrapper) -> bool:
    return (
        connection.connection is not None
        and connection.settings_dict["CONN_MAX_AGE"] == 0
        and connection.get_autocommit()
        and not connection.allow_thread_sharing
    )
