"""The indexes of the table of challenges: each index has a query that uses it, and no query reads
the whole table.

The table grows with each code that is sent. An index that no query uses makes each new row slower.
A query without an index gets slower with each row.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from django_bandwidth_mfa.internal.codes import receipts
from django_bandwidth_mfa.internal.notify import statistics
from django_bandwidth_mfa.internal.phones import changes
from django_bandwidth_mfa.internal.staff import reset, status
from django_bandwidth_mfa.models import Challenge, Phone, RecoveryCode
from django_bandwidth_mfa.testing import login_verified

from .conftest import NUMBER, make_user

pytestmark = pytest.mark.django_db

# PostgreSQL and MariaDB choose a plan by statistics of a table.  On the small tables of tests,
# their choice does not show how a large table is read.
only_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="the plans of SQLite")

TABLE = Challenge._meta.db_table

OF_USER = ("user_id", "purpose", "sent_at")
OF_PHONE = ("phone_id",)
OF_MESSAGE = ("provider_id",)
BY_TIME = ("sent_at",)


def ask_for_the_current_code(user: Any) -> None:
    Challenge.objects.current(user, "login")


def look_at_one_user(user: Any) -> None:
    status.of_user(user)


def reset_one_user(user: Any) -> None:
    reset.reset_second_factor(user, forget_phones=True)


def delete_a_user(user: Any) -> None:
    user.delete()


def remove_a_phone(user: Any) -> None:
    changes.remove(Phone.objects.get(user=user))


def read_a_receipt(user: Any) -> None:
    receipt = {
        "type": "message-delivered",
        "platform": "NorthAmericaSMS",
        "message": {"id": "message-1"},
    }
    receipts.record(json.dumps(receipt).encode())


def look_at_the_site(user: Any) -> None:
    status.of_site()


def look_for_an_alarm(user: Any) -> None:
    now = timezone.now()
    statistics.conversion(now - timedelta(hours=1), now)


def purge(user: Any) -> None:
    call_command("mfa_purge", stdout=StringIO())


USES: dict[Callable[[Any], None], tuple[str, ...]] = {
    ask_for_the_current_code: OF_USER,
    look_at_one_user: OF_USER,
    reset_one_user: OF_USER,
    delete_a_user: OF_USER,
    remove_a_phone: OF_PHONE,
    read_a_receipt: OF_MESSAGE,
    look_at_the_site: BY_TIME,
    look_for_an_alarm: BY_TIME,
    purge: BY_TIME,
}


def indexes(model: Any) -> dict[tuple[str, ...], str]:
    """Return the names of the indexes of a table by their columns, without unique indexes."""
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, model._meta.db_table)
    return {
        tuple(one["columns"]): name
        for name, one in constraints.items()
        if one["index"] and not one["unique"]
    }


def plans_of(do: Callable[[], object], table: str = TABLE) -> list[str]:
    """Call ``do``, and return the query plans of its queries of ``table``."""
    queries: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, parameters: Any, *args: Any) -> Any:
        if table in sql and not sql.startswith("INSERT"):
            queries.append((sql, parameters))
        return execute(sql, parameters, *args)

    with connection.execute_wrapper(note):
        do()
    with connection.cursor() as cursor:
        plans = []
        for sql, parameters in queries:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)
            plans.append("\n".join(str(row[-1]) for row in cursor.fetchall()))
        return plans


def reads_all(plan: str, table: str = TABLE) -> bool:
    """Return whether a plan reads the whole table without an index."""
    return any(f"SCAN {table}" in line and "INDEX" not in line for line in plan.splitlines())


@pytest.fixture
def sent(user: Any) -> Any:
    """A user with two old challenges."""
    at = timezone.now() - timedelta(days=60)
    for n in range(2):
        Challenge.objects.create(
            user=user,
            phone=Phone.objects.get(user=user),
            purpose="login",
            channel="sms",
            number=NUMBER,
            digits=6,
            provider_id=f"message-{n}",
            sent_at=at,
            expires_at=at + timedelta(minutes=3),
        )
    return user


def test_the_table_has_only_indexes_that_are_used() -> None:
    """Fails with Django's own index on ``user_id``: the index for a user's newest code begins with
    that column."""
    assert set(indexes(Challenge)) == set(USES.values())


@only_sqlite
@pytest.mark.parametrize("do", USES, ids=lambda do: do.__name__)
def test_no_query_reads_the_whole_table(sent: Any, do: Callable[[Any], None]) -> None:
    """Fails when one of the indexes is dropped."""
    plans = plans_of(lambda: do(sent))
    assert plans
    assert any(indexes(Challenge)[USES[do]] in plan for plan in plans), plans
    assert not any(reads_all(plan) for plan in plans), plans


@only_sqlite
@pytest.mark.parametrize(
    ("query", "used"),
    [("", [BY_TIME]), ("?q=ada", [OF_USER, OF_MESSAGE]), ("?q=message-1", [OF_MESSAGE])],
)
def test_the_admin_reads_the_table_with_its_indexes(
    client: Client, sent: Any, query: str, used: list[tuple[str, ...]]
) -> None:
    """Fails when the list is sorted by another column, or when a search takes parts of a name."""
    login_verified(client, make_user("root", is_staff=True, is_superuser=True))
    plans = plans_of(lambda: client.get(f"/admin/bandwidth_mfa/challenge/{query}"))
    by_columns = indexes(Challenge)
    assert any(all(by_columns[columns] in plan for columns in used) for plan in plans), plans
    assert not any(reads_all(plan) for plan in plans), plans


@only_sqlite
def test_the_sites_figures_read_few_recovery_codes(user: Any) -> None:
    """Fails without the index on ``used_at``: each user has ten codes, and few are ever used."""
    table = RecoveryCode._meta.db_table
    [plan] = plans_of(status.of_site, table)
    assert "bandwidth_mfa_used" in plan
    assert not reads_all(plan, table)
