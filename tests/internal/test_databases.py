"""Which database errors mean a lost connection, and how the pages answer each kind of error."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    connection,
)
from django.test import Client

from django_bandwidth_mfa.internal.databases import is_connection_lost
from tests.browsing import give_password


class OfPsycopg(Exception):
    """Has its error code in the same attribute as the errors of psycopg."""

    def __init__(self, sqlstate: str | None) -> None:
        super().__init__("text in any language")
        self.sqlstate = sqlstate


class OfPsycopg2(Exception):
    def __init__(self, pgcode: str | None) -> None:
        super().__init__("text in any language")
        self.pgcode = pgcode


class OfMysqlclient(Exception):
    pass


def of_sqlite(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("text")
    error.sqlite_errorcode = code
    return error


def caused(error: DatabaseError | InterfaceError, cause: Exception) -> Any:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (OperationalError, OfPsycopg(None)),
        (OperationalError, OfPsycopg("57P01")),
        (OperationalError, OfPsycopg("08006")),
        (OperationalError, OfPsycopg("53300")),
        (OperationalError, OfPsycopg2(None)),
        (InterfaceError, OfPsycopg2(None)),
        (OperationalError, OfMysqlclient(2006, "Server has gone away")),
        (OperationalError, OfMysqlclient(2002, "Cannot connect")),
        (OperationalError, OfMysqlclient(1927, "Connection was killed")),
        (InterfaceError, OfMysqlclient(0, "")),
        (OperationalError, of_sqlite(sqlite3.SQLITE_CANTOPEN)),
        (OperationalError, of_sqlite(sqlite3.SQLITE_IOERR_READ)),
    ],
)
def test_a_lost_connection_is_known_by_the_drivers_code(kind: Any, cause: Exception) -> None:
    assert is_connection_lost(caused(kind("text"), cause))


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (OperationalError, OfPsycopg("40P01")),  # deadlock
        (OperationalError, OfPsycopg("57014")),  # a statement that took too long
        (OperationalError, OfPsycopg("53100")),  # disk full
        (ProgrammingError, OfPsycopg("42P01")),  # missing table
        (IntegrityError, OfPsycopg(None)),
        (OperationalError, OfMysqlclient(1213, "Deadlock")),
        (OperationalError, OfMysqlclient(1054, "Unknown column")),
        (OperationalError, OfMysqlclient("no number")),
        (OperationalError, OfMysqlclient()),
        (OperationalError, of_sqlite(sqlite3.SQLITE_ERROR)),  # missing table
        (OperationalError, of_sqlite(sqlite3.SQLITE_BUSY)),
    ],
)
def test_any_other_error_is_not_taken_for_one(kind: Any, cause: Exception) -> None:
    """Fails when only the class of the error is checked."""
    assert not is_connection_lost(caused(kind("text"), cause))


def test_an_error_without_a_cause_is_not_taken_for_one() -> None:
    assert not is_connection_lost(OperationalError("raised by Django, or by somebody else"))


def without_the_table(execute: Any, sql: str, *args: Any) -> Any:
    return execute(sql.replace("bandwidth_mfa_challenge", "no_such_table"), *args)


def with_a_lost_connection(execute: Any, sql: str, *args: Any) -> Any:
    if "bandwidth_mfa_challenge" in sql:
        raise caused(OperationalError("text"), of_sqlite(sqlite3.SQLITE_IOERR))
    return execute(sql, *args)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("debug", [True, False])
def test_a_missing_table_is_shown_as_django_shows_it(
    client: Client, user: Any, bandwidth: Any, settings: Any, debug: bool
) -> None:
    """Fails when the answer to each ``OperationalError`` is a 503 page: the cause would be hidden
    on SQLite."""
    settings.DEBUG = debug
    give_password(client, user)
    client.raise_request_exception = False
    with connection.execute_wrapper(without_the_table):
        answer = client.get("/mfa/verify/")
    assert answer.status_code == 500
    assert (b"no_such_table" in answer.content) is debug


@pytest.mark.attack("N12")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("debug", "status"), [(True, 500), (False, 503)])
def test_a_lost_connection_is_a_503_page_without_debug_and_an_error_with_debug(
    client: Client, user: Any, bandwidth: Any, settings: Any, debug: bool, status: int
) -> None:
    """Fails when ``DEBUG`` is not checked: the developer would see no traceback."""
    settings.DEBUG = debug
    give_password(client, user)
    client.raise_request_exception = False
    with connection.execute_wrapper(with_a_lost_connection):
        answer = client.get("/mfa/verify/")
    assert answer.status_code == status
    assert (b"Please try again in a moment" in answer.content) is not debug


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("wrapper", "status"), [(with_a_lost_connection, 503), (without_the_table, 500)]
)
def test_a_receipt_is_refused_in_the_same_way(
    client: Client, configure: Any, wrapper: Any, status: int
) -> None:
    secret = "a-long-random-secret"
    configure(RECEIPT_SECRET=secret)
    client.raise_request_exception = False
    receipt = {"type": "message-delivered", "platform": "GlobalSMS", "message": {"id": "m"}}
    with connection.execute_wrapper(wrapper):
        answer = client.post(f"/mfa/receipts/{secret}/", receipt, content_type="application/json")
    assert answer.status_code == status
