"""The migrations run forward and back. The previous version works during a deployment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from django_bandwidth_mfa import service
from django_bandwidth_mfa.conf import Rate
from django_bandwidth_mfa.internal.limits import rules, store
from django_bandwidth_mfa.internal.limits.store import Limit
from django_bandwidth_mfa.models import Challenge, Counter, Phone, RecoveryCode, SecondFactor
from tests.conftest import (
    NUMBER,
    OTHER_NUMBER,
    give_old_recovery_code,
    give_recovery_codes,
    make_user,
)

pytestmark = pytest.mark.slow

APP = "bandwidth_mfa"

name_in_key = import_module("django_bandwidth_mfa.migrations.0006_buckets_and_ladders").name_in_key


def migrate(name: str) -> Any:
    """Migrate the app to ``name``, and return the models of that state."""
    executor = MigrationExecutor(connection)
    return executor.migrate([(APP, name)]).apps


@pytest.fixture
def newest() -> Iterator[str]:
    """The newest migration of the app. It is applied again at the end."""
    [(_app, name)] = MigrationExecutor(connection).loader.graph.leaf_nodes(APP)
    yield name
    migrate(name)


@pytest.mark.django_db(transaction=True)
def test_phones_stay_when_the_preferred_channel_is_added_and_removed(newest: str) -> None:
    user = make_user("ada", NUMBER)
    Phone.objects.update(channel="voice")
    old = migrate("0003_second_factors").get_model(APP, "Phone")
    assert [(one.number, one.is_primary) for one in old.objects.all()] == [(NUMBER, True)]
    migrate(newest)
    assert [(one.user, one.number, one.channel) for one in Phone.objects.all()] == [
        (user, NUMBER, "")
    ]


@pytest.mark.django_db
def test_the_previous_version_can_still_add_a_phone(newcomer: Any) -> None:
    """The previous version does not know the column ``channel``.

    Fails without ``db_default``: no phone could be added until the last old process has ended.
    """
    model = Phone._meta
    columns = {
        "user_id": model.get_field("user").get_db_prep_value(newcomer.pk, connection),
        "number": OTHER_NUMBER,
        "is_primary": False,
        "name": "",
        "created_at": model.get_field("created_at").get_db_prep_value(timezone.now(), connection),
    }
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {model.db_table} ({', '.join(columns)}) "
            f"VALUES ({', '.join(['%s'] * len(columns))})",
            list(columns.values()),
        )
    assert Phone.objects.get(number=OTHER_NUMBER).channel == ""


@pytest.mark.django_db(transaction=True)
def test_recovery_codes_from_before_scrypt_stay_and_the_way_back_deletes_newer_ones(
    newest: str,
) -> None:
    """Fails when the way back keeps codes without their salt: pages would count them for ever."""
    user = make_user("ada")
    old = give_old_recovery_code(user)
    give_recovery_codes(user, 3)
    assert RecoveryCode.objects.left(user) == 4
    model = migrate("0006_buckets_and_ladders").get_model(APP, "RecoveryCode")
    assert model.objects.count() == 1
    migrate(newest)
    assert RecoveryCode.objects.get().selector is None
    assert service.use_recovery_code(user, old)
    assert service.use_recovery_code(user, give_recovery_codes(user, 1)[0])


@pytest.mark.django_db
def test_the_previous_version_can_still_make_recovery_codes(user: Any) -> None:
    """The previous version does not know selectors, salts and parameters.

    Fails without ``db_default``."""
    model = RecoveryCode._meta
    for n in range(2):
        columns = {
            "user_id": model.get_field("user").get_db_prep_value(user.pk, connection),
            "digest": f"{n}" * 64,
            "created_at": model.get_field("created_at").get_db_prep_value(
                timezone.now(), connection
            ),
        }
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {model.db_table} ({', '.join(columns)}) VALUES (%s, %s, %s)",
                list(columns.values()),
            )
    assert RecoveryCode.objects.left(user) == 2


def indexed_columns() -> list[list[str]]:
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, Challenge._meta.db_table)
    return [one["columns"] for one in constraints.values() if one["index"]]


@pytest.mark.django_db(transaction=True)
def test_challenges_stay_when_the_index_on_the_user_is_removed_and_added(newest: str) -> None:
    """Fails when the migration changes only Django's state, but not the database."""
    now = timezone.now()
    Challenge.objects.create(
        user=make_user("ada"), digits=6, sent_at=now, expires_at=now + timedelta(minutes=3)
    )
    assert ["user_id"] not in indexed_columns()
    migrate("0004_phone_channel")
    assert ["user_id"] in indexed_columns()
    migrate(newest)
    assert ["user_id"] not in indexed_columns()
    assert Challenge.objects.get().sent_at == now


def old_key(kind: str, user: Any) -> str:
    return f"{kind}:{name_in_key(user.pk)}"


@pytest.mark.django_db(transaction=True)
def test_the_migration_keeps_locks_and_waits(newest: str) -> None:
    """Fails when the migration only adds columns: each locked user could try again."""
    ada, bob, eve = (make_user(name) for name in ("ada", "bob", "eve"))
    old = migrate("0005_indexes_in_use").get_model(APP, "Counter").objects
    soon, past = timezone.now() + timedelta(minutes=10), timezone.now() - timedelta(days=1)
    old.create(key=old_key("failures", ada), count=100, until=soon)
    old.create(key=old_key("recovery-failures", ada), count=6, until=past)
    old.create(key=old_key("cooldown", bob), count=2, until=soon)
    old.create(key=old_key("failures", bob), count=0, until=past)
    old.create(key="send:site:3600", count=7, until=soon)
    migrate(newest)
    rows = SecondFactor.objects.order_by("user__username").values_list(
        "user__username", "failures", "try_after", "recovery_failures", "sends", "send_after"
    )
    then = store.microseconds(soon)
    assert list(rows) == [("ada", 100, then, 6, 0, 0), ("bob", 0, 0, 0, 2, then)]
    assert rules.is_locked(ada)
    assert not rules.is_locked(eve)
    assert not Counter.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_the_previous_version_can_count_until_the_last_migration(newest: str) -> None:
    """The previous version has its own table.  Fails when the new version uses that table: during a
    deployment, one of the two versions could not count."""
    old = migrate("0007_recovery_codes_scrypt").get_model(APP, "Counter").objects
    user = make_user("ada", NUMBER)
    old.create(key="send:user:1:3600", count=1, until=timezone.now())
    store.counting(lambda: store.take([Limit("k", "user", Rate(1, 60))]))
    rules.take_failure(user)
    assert (old.count(), Counter.objects.count(), rules.count_failures(user)) == (1, 1, 1)
