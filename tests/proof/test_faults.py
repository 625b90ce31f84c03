"""Faults of Bandwidth, and a database that loses its connection.

Nobody gets in without a code, nobody is locked out for ever, and nobody gets a 500 page.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from django.contrib.auth import SESSION_KEY
from django.db import OperationalError, connection, connections
from django.test import Client

from django_bandwidth_mfa.internal.limits import store
from django_bandwidth_mfa.internal.login.mark import MARK
from django_bandwidth_mfa.models import Challenge, Counter, SpentCode

from ..browsing import assert_shut, give_password, post_form, state
from ..conftest import give_recovery_codes, make_user

FAULTS: dict[str, dict[str, Any]] = {
    "slow": {"delay": 0.05},
    "hanging": {"delay": 0.5},
    "dropping": {"drop": True},
    "failing": {"status": 500},
    "overloaded": {"status": 503},
    "throttling": {"status": 429},
    "refusing": {"status": 401},
    "forbidding": {"status": 403},
    "lying": {"status": 200, "body": '{"valid": "true", "messageId": 1}'},
    "babbling": {"status": 200, "body": "<html>sorry</html>", "content_type": "text/html"},
}
EPOCH = 1_900_000_000


@pytest.fixture(autouse=True)
def short_time_outs(bandwidth: Any, configure: Any) -> None:
    configure(READ_TIMEOUT=0.2, TOTAL_TIMEOUT=0.4, BREAKER_FAILURES=1000)


def latest_code(bandwidth: Any, number: str) -> str:
    return next((m["code"] for m in bandwidth.inbox if m["to"] == number), "000000")


@pytest.mark.django_db
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("on", ["messaging", "verify", "token", "all"])
def test_a_login_survives_each_fault(
    bandwidth: Any, configure: Any, figures: Any, fault: str, on: str
) -> None:
    """Fails when an unknown outcome deletes the challenge, when a refused send is not given back,
    and when any error of the client is not caught."""
    number = "+12025550142"
    user = make_user("ada", number)
    client = Client()
    with time_machine.travel(EPOCH, tick=False) as clock:
        bandwidth.fault(on=on, **FAULTS[fault])
        configure(MESSAGE=f"{fault} {on} {{CODE}}")  # a client of its own, without a token
        give_password(client, user)
        assert client.get("/mfa/verify/").status_code in (200, 429)
        answer = client.post("/mfa/verify/", {"code": latest_code(bandwidth, number)})
        assert answer.status_code in (200, 302, 429)
        if fault != "slow" and on in ("verify", "all"):
            assert_shut(client)
        bandwidth.clear_faults()
        clock.shift(121)  # a 429 asks for two minutes
        if state(client) != "verified":
            client.post("/mfa/send/", {"channel": "sms"})
            client.post("/mfa/verify/", {"code": latest_code(bandwidth, number)})
        figures.add("faults injected", 1)
        figures.add("logins lost", int(state(client) != "verified"))
        figures.add("logins doubled", int(SpentCode.objects.count() > 1))
        assert state(client) == "verified"
        assert SpentCode.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(8))
def test_a_flapping_bandwidth_loses_no_login_and_sends_no_more_than_the_limits(
    bandwidth: Any, configure: Any, figures: Any, seed: int
) -> None:
    chance = random.Random(seed)
    number = "+12025550142"
    user = make_user("ada", number)
    client = Client()
    with time_machine.travel(EPOCH, tick=False) as clock:
        give_password(client, user)
        for _ in range(12):
            bandwidth.clear_faults()
            if chance.random() < 0.7:
                fault = chance.choice(list(FAULTS.values()))
                bandwidth.fault(on=chance.choice(["messaging", "verify", "all"]), **fault)
                figures.add("faults injected", 1)
            step: Callable[[], Any] = chance.choice(
                [
                    lambda: client.get("/mfa/verify/"),
                    lambda: client.post("/mfa/send/", {"channel": "sms"}),
                    lambda: client.post("/mfa/verify/", {"code": latest_code(bandwidth, number)}),
                ]
            )
            assert step().status_code in (200, 302, 429)
            if state(client) == "verified":
                break
            clock.shift(chance.choice([0, 31, 61, 121]))
            give_password(client, user)
        bandwidth.clear_faults()
        assert len(bandwidth.inbox) <= 5
        if state(client) != "verified":
            assert not Challenge.objects.filter(passed_at__isnull=False).exists()
            clock.shift(3601)
            give_password(client, user)
            client.get("/mfa/verify/")
            client.post("/mfa/send/", {"channel": "sms"})
            client.post("/mfa/verify/", {"code": latest_code(bandwidth, number)})
        figures.add("logins lost", int(state(client) != "verified"))
        assert state(client) == "verified"


@pytest.mark.attack("N9")
@pytest.mark.django_db
def test_an_hour_without_bandwidth_costs_nobody_anything(
    bandwidth: Any, configure: Any, figures: Any
) -> None:
    """Fails when sends during an outage are counted: the user would have used all five sends when
    it ends."""
    configure(BREAKER_FAILURES=5, BREAKER_SECONDS=30)
    user = make_user("ada", "+12025550142")
    codes = give_recovery_codes(user)
    client, other = Client(), Client()
    with time_machine.travel(EPOCH, tick=False) as clock:
        bandwidth.fault(on="all", status=503)
        for _ in range(60):
            give_password(client, user)
            client.get("/mfa/verify/")
            answer = post_form(client, "/mfa/send/", {"channel": "sms"})
            assert answer.status_code == 200
            assert b"could not send your code" in answer.content
            assert b"Use a recovery code" in answer.content
            figures.add("faults injected", 1)
            clock.shift(60)
        give_password(other, user)
        other.post("/mfa/recovery-code/", {"recovery_code": codes[0]})
        assert state(other) == "verified"
        bandwidth.clear_faults()
        assert not Counter.objects.filter(key__contains="-limit:", moment__gt=store.now()).exists()
        give_password(client, user)
        client.get("/mfa/verify/")
        client.post("/mfa/send/", {"channel": "sms"})
        client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
        assert state(client) == "verified"


# The database -----------------------------------------------------------------------------------


class Cut:
    """An execute wrapper that ends the database connection before the ``query``-th query.

    On PostgreSQL and MariaDB the server ends the connection. SQLite has no connection to a server,
    so the wrapper raises an error.
    """

    def __init__(self, query: int) -> None:
        self.left = query

    def __call__(self, execute: Any, *args: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            if connection.vendor == "sqlite":
                unreadable = sqlite3.OperationalError("disk I/O error")
                unreadable.sqlite_errorcode = sqlite3.SQLITE_IOERR
                raise OperationalError(*unreadable.args) from unreadable
            end_connection()
        return execute(*args)


def end_connection() -> None:
    """Let the server end this thread's connection, by a command on another connection."""
    mine = connection.connection
    find, kill = {
        "postgresql": ("SELECT pg_backend_pid()", "SELECT pg_terminate_backend({})"),
        "mysql": ("SELECT CONNECTION_ID()", "KILL {}"),
    }[connection.vendor]
    with mine.cursor() as cursor:
        cursor.execute(find)
        (number,) = cursor.fetchone()
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute(kill.format(number))
    finally:
        other.close()


@pytest.mark.attack("N12")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("action", ["code", "recovery code", "page", "send"])
def test_a_database_that_goes_away_at_any_query_is_reported_and_leaves_no_half_made_login(
    bandwidth: Any, configure: Any, figures: Any, caplog: Any, action: str
) -> None:
    """Fails when the error is not caught, or when the answer has a status below 500: Django would
    then save the session. If saving the session fails, Django answers 400, and no browser gets the
    key."""
    configure(RESEND_COOLDOWN=[0], SEND_LIMITS={"address": "", "site": ""})
    for query in range(1, 80):
        number = f"+1202555{query:04}"
        user = make_user(f"user{query}", number)
        client = Client(raise_request_exception=False)
        give_password(client, user)
        if action != "page":
            client.get("/mfa/verify/")
        recovery_code = give_recovery_codes(user)[0]
        cut = Cut(query)
        with connection.execute_wrapper(cut):
            if action == "page":
                answer = client.get("/mfa/verify/")
            elif action == "send":
                answer = client.post("/mfa/send/", {"channel": "sms"})
            elif action == "code":
                answer = client.post("/mfa/verify/", {"code": latest_code(bandwidth, number)})
            else:
                answer = client.post("/mfa/recovery-code/", {"recovery_code": recovery_code})
        connection.close_if_unusable_or_obsolete()
        if cut.left > 0:
            break
        figures.add("database cuts", 1)
        # counting() tries again after a lost connection, so some faults have no effect.
        assert answer.status_code in (200, 302, 400, 503), (action, query)
        if answer.status_code == 400:
            assert "The request's session was deleted" in caplog.text
        if answer.status_code == 503:
            assert b"Please try again in a moment" in answer.content
            assert answer["Retry-After"]
        session = client.session
        assert (SESSION_KEY in session) == (MARK in session)
        if state(client) == "anonymous":
            give_password(client, user)
        if state(client) != "verified":
            client.get("/mfa/verify/")
            client.post("/mfa/verify/", {"code": latest_code(bandwidth, number)})
        if state(client) != "verified":
            client.post("/mfa/send/", {"channel": "sms"})
            client.post("/mfa/verify/", {"code": latest_code(bandwidth, number)})
        figures.add("logins lost", int(state(client) != "verified"))
        assert state(client) == "verified", (action, query)
    assert query > 6
