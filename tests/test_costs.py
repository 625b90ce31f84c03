"""Limits for the number of queries and commits of a sign-in.

``benchmarks/`` measures times.  The tests do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from django_bandwidth_mfa.models import Counter, SecondFactor

from .browsing import give_password, state
from .conftest import make_user
from .databases import statements_are_portable

# There are real commits only outside of the transaction in which most tests run.
pytestmark = pytest.mark.django_db(transaction=True)

WRITES = ("INSERT", "UPDATE", "DELETE")


class Cost:
    """Counts queries and commits."""

    def __init__(self) -> None:
        self.queries: list[str] = []
        self.commits = 0
        self._has_written = False

    def __call__(self, execute: Any, sql: str, *args: Any) -> Any:
        # Not all databases use SQL statements for transactions and new connections.
        if not sql.startswith(("BEGIN", "SAVEPOINT", "RELEASE", "SET ")):
            self.queries.append(sql)
        is_write = sql.startswith(WRITES)
        if is_write and not connection.in_atomic_block:
            self.commits += 1
        self._has_written |= is_write
        return execute(sql, *args)

    def ended(self, commit: Any) -> Any:
        def count_and_commit() -> Any:
            self.commits += self._has_written
            self._has_written = False
            return commit()

        return count_and_commit


@contextmanager
def counted(monkeypatch: Any) -> Iterator[Cost]:
    cost = Cost()
    monkeypatch.setattr(connection, "_commit", cost.ended(connection._commit))
    with connection.execute_wrapper(cost):
        yield cost


def sign_in(user: Any, bandwidth: Any) -> None:
    client = Client()
    give_password(client, user)
    client.get("/mfa/verify/")
    answer = client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert answer.status_code == 302
    assert state(client) == "verified"


@pytest.fixture
def warm(bandwidth: Any) -> None:
    """Send a code first, so that this process has already checked the conversion."""
    sign_in(make_user("warm", "+12025550188"), bandwidth)


CASES = {
    "a user who comes back": (30, 9),
    "a new user": (30, 9),
    "with empty tables": (30, 9),
    "with receipts": (31, 10),
    "in a portable way": (34, 9),
    "a new user in a portable way": (34, 9),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_sign_in_stays_below_the_limits_of_queries_and_commits(
    warm: None, user: Any, bandwidth: Any, configure: Any, monkeypatch: Any, case: str
) -> None:
    """The limits include eight queries of Django itself, for the session and the password."""
    if "comes back" in case or case == "in a portable way":
        sign_in(user, bandwidth)
    if case == "with empty tables":
        Counter.objects.all().delete()
        SecondFactor.objects.all().delete()
    if case == "with receipts":
        configure(RECEIPT_SECRET="0123456789abcdef0123")
        sign_in(make_user("again", "+12025550199"), bandwidth)
    if "portable" in case:
        statements_are_portable(monkeypatch)
    with counted(monkeypatch) as cost:
        client = Client()
        give_password(client, user)
        client.get("/mfa/verify/")
        answer = client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert answer.status_code == 302
    queries, commits = CASES[case]
    statements = "\n".join(sql[:120] for sql in cost.queries)
    assert len(cost.queries) <= queries, statements
    assert cost.commits <= commits, statements
