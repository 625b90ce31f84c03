"""The statements that counts are made of: in SQL, and in a portable way beside it.

They change rows and return what stands there afterwards, in one step.  So of concurrent requests
each sees the ones before it.  The rows stay locked until the transaction ends.

PostgreSQL, SQLite and MariaDB do it in one statement.  Other databases, MySQL and Oracle for
instance, lack ``RETURNING``.  For them Django makes the statements.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db import IntegrityError, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BigIntegerField, Case, Exists, F, Model, Value, When
from django.utils import timezone

from ...models import Challenge, Counter, SecondFactor
from ...types import User, in_query

# How each database names the greater of two numbers, and an upsert.
_GREATER = {"postgresql": "GREATEST", "sqlite": "MAX", "mysql": "GREATEST"}


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(moment: datetime) -> int:
    """Return ``moment`` in microseconds since the epoch, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


class Rung(NamedTuple):
    """Where a user stands on a ladder of :class:`.SecondFactor` after a step.

    ``after`` is from before the step, unless it was the first one.
    """

    steps: int
    after: int
    failures: int


class Ladder(NamedTuple):
    """The columns of a ladder in :class:`.SecondFactor`."""

    steps: str
    after: str


def move(amounts: Mapping[str, int], now: int) -> dict[str, int]:
    """Move the moment of each bucket by its amount, and return the new moments.

    An empty bucket is moved from ``now`` on.  The rows are locked in the order of their keys, so
    that no two transactions wait for each other.

    :param amounts: microseconds for each key.
    :param now: microseconds since the epoch.
    """
    keys = sorted(amounts)
    connection = connections[router.db_for_write(Counter)]
    if not _has_upsert(connection):
        return _move_portably({key: amounts[key] for key in keys}, now)
    table, key_, moment = _names(connection, Counter, "key", "moment")
    values = ", ".join(["(%s, %s)"] * len(keys))
    begin, new = _upsert(connection, key_)
    greater = _GREATER[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({key_}, {moment}) VALUES {values} {begin} "  # noqa: S608
            f"{moment} = {greater}({table}.{moment}, %s) + {new.format(moment)} - %s "
            f"RETURNING {key_}, {moment}",
            [part for key in keys for part in (key, now + amounts[key])] + [now, now],
        )
        return dict(cursor.fetchall())


def _move_portably(amounts: dict[str, int], now: int) -> dict[str, int]:
    connection = connections[router.db_for_write(Counter)]
    needs_target = connection.features.supports_update_conflicts_with_target
    # It locks each row, and makes those that are missing.  "INSERT IGNORE" would take shared locks,
    # which end in deadlocks on MariaDB.
    Counter.objects.bulk_create(
        [Counter(key=key, moment=now) for key in amounts],
        update_conflicts=True,
        update_fields=["spare"],
        unique_fields=["key"] if needs_target else None,
    )
    rows = Counter.objects.filter(key__in=amounts)
    before = dict(rows.values_list("key", "moment"))
    moved = {key: max(before[key], now) + amount for key, amount in amounts.items()}
    cases = (When(key=key, then=Value(moment)) for key, moment in moved.items())
    rows.update(moment=Case(*cases, output_field=BigIntegerField()))
    return moved


def move_back(amounts: Mapping[str, int], now: int) -> None:
    """Move the moment of each bucket back by its amount.  An empty bucket stays empty.

    :param amounts: microseconds for each key.
    :param now: microseconds since the epoch.
    """
    if _has_upsert(connections[router.db_for_write(Counter)]):
        move({key: -amount for key, amount in amounts.items()}, now)
        return
    cases = (When(key=key, then=F("moment") - amount) for key, amount in amounts.items())
    rows = Counter.objects.filter(key__in=amounts, moment__gt=now)
    rows.update(moment=Case(*cases, output_field=BigIntegerField()))


def count_try(challenge: Challenge, most: int, hold: str) -> bool:
    """Count one try of a code that can still be typed, and return whether there was one.

    :param most: ``TRIES_PER_CHALLENGE``.
    :param hold: the key of a bucket.  While its moment lies ahead, no try is counted.
    """
    connection = connections[router.db_for_write(Challenge)]
    moment = timezone.now()
    if not _has_upsert(connection):
        return _count_try_portably(challenge, most, hold, moment)
    names = ("id", "passed_at", "failure", "expires_at", "tries")
    table, id_, passed, failure, expires, tries = _names(connection, Challenge, *names)
    buckets, key, empty_at = _names(connection, Counter, "key", "moment")
    pk = Challenge._meta.pk.get_db_prep_save(challenge.pk, connection)
    now = connection.ops.adapt_datetimefield_value(moment)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET {tries} = {tries} + 1 "  # noqa: S608
            f"WHERE {id_} = %s AND {passed} IS NULL AND {failure} = '' AND {expires} > %s "
            f"AND {tries} < %s AND NOT EXISTS "
            f"(SELECT 1 FROM {buckets} WHERE {key} = %s AND {empty_at} > %s)",
            [pk, now, most, hold, microseconds(moment)],
        )
        return bool(cursor.rowcount)


def _count_try_portably(challenge: Challenge, most: int, hold: str, now: datetime) -> bool:
    held = Counter.objects.filter(key=hold, moment__gt=microseconds(now))
    still_open = Challenge.objects.filter(
        ~Exists(held),
        pk=challenge.pk,
        passed_at=None,
        failure="",
        expires_at__gt=now,
        tries__lt=most,
    )
    return bool(still_open.update(tries=F("tries") + 1))


def climb(user: User, ladder: Ladder, first_wait: int) -> Rung:
    """Count one step of ``user`` on ``ladder``, and return where the user stands then.

    The wait of a first step is set here, and that of a later step stays as it was: the caller has
    to look first whether it is over.

    :param first_wait: the moment to set for a first step, in microseconds since the epoch.
    :raises IntegrityError: the user is gone.
    """
    connection = connections[router.db_for_write(SecondFactor)]
    if not _has_upsert(connection):
        return _climb_portably(user, ladder, first_wait)
    table, user_, language, steps, after, failures = _names(
        connection, SecondFactor, "user", "language", ladder.steps, ladder.after, "failures"
    )
    begin, new = _upsert(connection, user_)
    # Django refuses here what is no user of the site, an anonymous one for instance.
    row = SecondFactor(user=in_query(user))
    key = SecondFactor._meta.pk.get_db_prep_save(row.pk, connection)
    with connection.cursor() as cursor:
        cursor.execute(
            # `after` before `steps`: MariaDB assigns from left to right, and reads what it wrote.
            f"INSERT INTO {table} ({user_}, {language}, {steps}, {after}) "  # noqa: S608
            f"VALUES (%s, '', 1, %s) {begin} "
            f"{after} = CASE WHEN {table}.{steps} = 0 THEN {new.format(after)} "
            f"ELSE {table}.{after} END, {steps} = {table}.{steps} + 1 "
            f"RETURNING {steps}, {after}, {failures}",
            [key, first_wait],
        )
        return Rung(*cursor.fetchone())


def _climb_portably(user: User, ladder: Ladder, first_wait: int) -> Rung:
    rows = SecondFactor.objects.filter(user=in_query(user))
    first = {ladder.steps: 1, ladder.after: first_wait}
    row = rows.select_for_update().first()
    if row is None:
        try:
            with transaction.atomic(using=router.db_for_write(SecondFactor)):
                row = SecondFactor.objects.create(user=in_query(user), **first)
        except IntegrityError:
            # Somebody else has made the row this moment, or the user is gone.
            row = rows.select_for_update().first()
            if row is None:
                raise
        else:
            return Rung(1, first_wait, row.failures)
    if getattr(row, ladder.steps):
        setattr(row, ladder.steps, getattr(row, ladder.steps) + 1)
    else:
        for name, value in first.items():
            setattr(row, name, value)
    row.save(update_fields=[ladder.steps, ladder.after])
    return Rung(getattr(row, ladder.steps), getattr(row, ladder.after), row.failures)


def _has_upsert(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the database changes a row and returns it in one statement."""
    return connection.vendor in _GREATER and connection.features.can_return_rows_from_bulk_insert


def _upsert(connection: BaseDatabaseWrapper, key: str) -> tuple[str, str]:
    """Return how an upsert goes on after its values, and how it names a value that was to be new.

    :param key: the column whose value is there already, as SQL.
    """
    if connection.vendor == "mysql":
        return "ON DUPLICATE KEY UPDATE", "VALUES({})"
    return f"ON CONFLICT ({key}) DO UPDATE SET", "EXCLUDED.{}"


def _names(connection: BaseDatabaseWrapper, model: type[Model], *fields: str) -> list[str]:
    """Return the names of the table and of the columns of ``fields``, as SQL."""
    columns = {field.name: str(field.column) for field in model._meta.concrete_fields}
    names = (model._meta.db_table, *(columns[field] for field in fields))
    return [connection.ops.quote_name(name) for name in names]
