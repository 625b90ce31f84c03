"""Which database connections a request gives back while it waits for Bandwidth, and which it
keeps."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import responses
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.db import OperationalError, connection, connections, transaction
from django.test import AsyncClient, Client
from django.urls import set_urlconf

from django_bandwidth_mfa import service
from django_bandwidth_mfa.internal.databases import give_back_idle_connections
from tests.browsing import give_password, state
from tests.conftest import PASSWORD, make_user

real_database = pytest.mark.django_db(transaction=True)
CODE = "735190"


@pytest.fixture
def held(settings: Any) -> Iterator[list[Any]]:
    """A Bandwidth that accepts every code. Records for each call the driver's connection that
    Django holds during the call, or None."""
    held_connections: list[Any] = []

    def answer(request: Any) -> tuple[int, dict[str, str], str]:
        held_connections.append(connection.connection)
        return 200, {}, json.dumps({"messageId": "m", "valid": True})

    with responses.RequestsMock() as bandwidth:
        bandwidth.add_callback("POST", re.compile(r"https://mfa\..*/code/"), answer)
        settings.BANDWIDTH_MFA = {
            **settings.BANDWIDTH_MFA,
            "CLIENT_ID": None,
            "CLIENT_SECRET": None,
            "USERNAME": "api-user",
            "PASSWORD": "made-up",
        }
        yield held_connections


@pytest.fixture
def in_request() -> Iterator[None]:
    """Run the test's own code as a part of a request."""
    set_urlconf("tests.urls")
    yield
    set_urlconf(None)


@pytest.fixture
def add_database() -> Iterator[Callable[..., Any]]:
    """``add_database("name", OPTIONS=…)`` adds another alias of the test's database.

    Use the ``connect()`` of the alias: Django forbids queries on an alias that the test has not
    declared.
    """
    added = []

    def add(alias: str, **changes: Any) -> Any:
        connections.databases[alias] = {**connections.databases["default"], **changes}
        added.append(alias)
        return connections[alias]

    yield add
    for alias in added:
        connections[alias].close()
        del connections[alias], connections.databases[alias]


def sign_in(client: Client, user: Any) -> None:
    give_password(client, user)
    client.get("/mfa/verify/")
    client.post("/mfa/verify/", {"code": CODE})
    assert state(client) == "verified"


@pytest.mark.attack("N8")
@real_database
def test_no_connection_is_held_while_bandwidth_sends_or_checks_a_code(
    client: Client, user: Any, held: list[Any]
) -> None:
    """Each of the two cases fails when the provider does not give back the connections."""
    sign_in(client, user)
    assert held == [None, None]


@real_database
def test_no_connection_is_held_by_an_async_handler(user: Any, held: list[Any]) -> None:
    """Fails when the thread of the view does not know that it handles a request."""

    async def sign_in_async() -> int:
        client = AsyncClient()
        await client.post("/accounts/login/", {"username": "ada", "password": PASSWORD})
        await client.get("/mfa/verify/")
        answer = await client.post("/mfa/verify/", {"code": CODE})
        return int(answer.status_code)

    assert async_to_sync(sign_in_async)() == 302
    assert held == [None, None]


@real_database
@pytest.mark.parametrize("seconds", [None, 60])
def test_a_persistent_connection_stays(
    client: Client, user: Any, held: list[Any], monkeypatch: Any, seconds: int | None
) -> None:
    """Fails when ``CONN_MAX_AGE`` is not checked: each call to Bandwidth would cost a new
    connection."""
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", seconds)
    before = connection.connection
    sign_in(client, user)
    assert before is not None
    assert [one is before for one in held] == [True, True]


@pytest.mark.django_db
def test_the_transaction_of_a_test_case_stays(client: Client, user: Any, held: list[Any]) -> None:
    """Fails when autocommit is not checked: the user would be missing from the database."""
    sign_in(client, user)
    assert [one is connection.connection for one in held] == [True, True]


@real_database
def test_idle_connections_to_all_databases_are_given_back(
    in_request: None, add_database: Any
) -> None:
    """Fails when only the connection to the database of the app's own models is given back."""
    other = add_database("other")
    connection.ensure_connection()
    other.connect()
    give_back_idle_connections()
    assert (connection.connection, other.connection) == (None, None)


@real_database
def test_a_transaction_of_the_caller_goes_on(in_request: None) -> None:
    """Fails when autocommit is not checked: the block would end with an error."""
    with transaction.atomic():
        make_user("ada")
        give_back_idle_connections()
        assert connection.connection is not None
    assert get_user_model()._default_manager.filter(username="ada").exists()


@real_database
def test_a_transaction_without_autocommit_goes_on(in_request: None) -> None:
    """Fails when autocommit is not checked: the row that is not committed yet would be lost."""
    transaction.set_autocommit(False)
    try:
        make_user("ada")
        give_back_idle_connections()
        transaction.commit()
    finally:
        transaction.set_autocommit(True)
    assert get_user_model()._default_manager.filter(username="ada").exists()


@real_database
def test_a_connection_that_threads_share_stays(in_request: None) -> None:
    """Fails when the sharing of connections is not checked: another thread may be running a
    query."""
    connection.ensure_connection()
    connection.inc_thread_sharing()
    try:
        give_back_idle_connections()
        assert connection.connection is not None
    finally:
        connection.dec_thread_sharing()


@real_database
def test_a_command_sends_codes_while_it_reads_users_from_an_open_cursor(held: list[Any]) -> None:
    """Fails when the app does not check that a request is running: the first code closes the
    cursor. The driver of MariaDB has read all rows before, so this test cannot fail there."""
    for n in range(3):
        make_user(f"user{n}", f"+1202555014{n}")
    for user in get_user_model()._default_manager.order_by("pk").iterator(chunk_size=1):
        service.send_code(user)
    assert len(held) == 3
    assert None not in held


@real_database
def test_a_connection_that_cannot_be_closed_stops_no_login(
    client: Client, user: Any, held: list[Any], monkeypatch: Any
) -> None:
    """Fails when the driver's error is not caught: the code would not be sent."""
    close = connection._close

    def fail_to_close() -> None:
        close()
        raise OperationalError("the server has gone")

    monkeypatch.setattr(connection, "_close", fail_to_close)
    sign_in(client, user)
    assert held == [None, None]


@real_database
@pytest.mark.skipif(connection.vendor != "postgresql", reason="the pool of psycopg")
def test_a_pool_lends_the_connection_to_another_thread(in_request: None, add_database: Any) -> None:
    """Fails when the connection is not given back: the other thread waits for it until the
    time-out."""
    pooled = add_database("pooled", OPTIONS={"pool": {"min_size": 1, "max_size": 1, "timeout": 1}})

    def connect_in_another_thread() -> None:
        connections["pooled"].connect()
        connections["pooled"].close()

    try:
        pooled.connect()
        give_back_idle_connections()
        with ThreadPoolExecutor(1) as threads:
            threads.submit(connect_in_another_thread).result()
        pooled.connect()
    finally:
        pooled.close()
        pooled.close_pool()
