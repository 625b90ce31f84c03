"""The SQL statements that count, each with a portable alternative.

They change rows and return the new values in one step, so each request sees the changes of earlier
concurrent requests.  The rows stay locked until the transaction ends.

PostgreSQL, SQLite and MariaDB do it in one statement.  Other databases, such as MySQL and Oracle,
have no ``RETURNING``.  For these, the functions use Django's querysets.
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

# The function for the greater of two numbers in each database that is supported directly.
_GREATER = {"postgresql": "GREATEST", "sqlite": "MAX", "mysql": "GREATEST"}


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(moment: datetime) -> int:
    """Return ``moment`` in microseconds since the epoch, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


class Rung(NamedTuple):
    """The state of a ladder of :class:`.SecondFactor` after a step.

    ``after`` is the value from before the step, unless the step was the first one.
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

    The moment of an empty bucket is moved from ``now``.  The rows are locked in the order of their
    keys, to avoid deadlocks.

    :param amounts: the amount for each key, in microseconds.
    :param now: the present moment, in microseconds since the epoch.
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
    # This creates missing rows, and locks all rows.  "INSERT IGNORE" would take shared locks, which
    # lead to deadlocks on MariaDB.
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

    :param amounts: the amount for each key, in microseconds.
    :param now: the present moment, in microseconds since the epoch.
    """
    if _has_upsert(connections[router.db_for_write(Counter)]):
        move({key: -amount for key, amount in amounts.items()}, now)
        return
    cases = (When(key=key, then=F("moment") - amount) for key, amount in amounts.items())
    rows = Counter.objects.filter(key__in=amounts, moment__gt=now)
    rows.update(moment=Case(*cases, output_field=BigIntegerField()))


def count_try(challenge: Challenge, most: int, hold: str) -> bool:
    """Count one try of ``challenge``, and return whether its code can still be typed.

    :param most: ``TRIES_PER_CHALLENGE``.
    :param hold: the key of a bucket.  While its moment is in the future, no try is counted.
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
    """Count one step of ``user`` on ``ladder``, and return the new state.

    The wait is set here only for a first step.  For a later step the caller first checks whether
    the previous wait is over.

    :param first_wait: the end of the wait after a first step, in microseconds since the epoch.
    :raises IntegrityError: the user was deleted.
    """
    connection = connections[router.db_for_write(SecondFactor)]
    if not _has_upsert(connection):
        return _climb_portably(user, ladder, first_wait)
    table, user_, language, steps, after, failures = _names(
        connection, SecondFactor, "user", "language", ladder.steps, ladder.after, "failures"
    )
    begin, new = _upsert(connection, user_)
    # Django refuses here an object that is not a user of the site, such as an anonymous user.
    row = SecondFactor(user=in_query(user))
    key = SecondFactor._meta.pk.get_db_prep_save(row.pk, connection)
    with connection.cursor() as cursor:
        cursor.execute(
            # `after` comes before `steps`: MariaDB assigns from left to right, and reads new
            # values.
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
            # Another request has just created the row, or the user was deleted.
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
    """Return whether the database can change a row and return it in one statement."""
    return connection.vendor in _GREATER and connection.features.can_return_rows_from_bulk_insert


def _upsert(connection: BaseDatabaseWrapper, key: str) -> tuple[str, str]:
    """Return two parts of an upsert: the text after its values, and the name of a new value.

    :param key: the quoted name of the column with the unique key.
    """
    if connection.vendor == "mysql":
        return "ON DUPLICATE KEY UPDATE", "VALUES({})"
    return f"ON CONFLICT ({key}) DO UPDATE SET", "EXCLUDED.{}"


def _names(connection: BaseDatabaseWrapper, model: type[Model], *fields: str) -> list[str]:
    """Return the quoted names of the table and of the columns of ``fields``."""
    columns = {field.name: str(field.column) for field in model._meta.concrete_fields}
    names = (model._meta.db_table, *(columns[field] for field in fields))
    return [connection.ops.quote_name(name) for name in names]
