"""Fast queries and updates of one table, by the values of its columns.

Django builds the SQL of a queryset each time it runs.  For the rows of one user, that takes ten
times as much processor time as SQLite needs for the answer.  Here the SQL of each query is built
once.  The queries of each login use this module; all others use querysets.

All queries use the database for writing, because a replica may be behind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar

from django.db import connections, router
from django.db.models import Field, Model
from django.db.models.expressions import Col

Row = TypeVar("Row", bound=Model)


class Filled(Enum):
    """A condition: the column is not NULL."""

    FILLED = "filled"


FILLED = Filled.FILLED


def find(
    model: type[Row], where: Mapping[str, object], *, newest_by: str | None = None
) -> list[Row]:
    """Return the rows of ``model`` that match ``where``.

    :param where: values by field names: an object for a foreign key, None for NULL, :data:`FILLED`
        for any value but NULL.
    :param newest_by: the name of a field: return only the row with the latest moment in it; None to
        return all rows.
    :raises ValueError: an object is not of the related model of its field.
    """
    database = router.db_for_write(model)
    sql = _select(database, model, _conditions(where), newest_by)
    with connections[database].cursor() as cursor:
        cursor.execute(sql, _values(database, model, where))
        return [_row(database, model, row) for row in cursor.fetchall()]


def count(model: type[Model], where: Mapping[str, object]) -> int:
    """Return the number of rows that :func:`find` would return."""
    database = router.db_for_write(model)
    sql = _count(database, model, _conditions(where))
    with connections[database].cursor() as cursor:
        cursor.execute(sql, _values(database, model, where))
        return int(cursor.fetchone()[0])


def update(model: type[Model], where: Mapping[str, object], values: Mapping[str, object]) -> int:
    """Set ``values`` in the rows that :func:`find` would return, and return their number.

    :param values: values by field names, as in ``where``.
    """
    database = router.db_for_write(model)
    sql = _update(database, model, tuple(values), _conditions(where))
    new = [_prepared(database, model, name, value) for name, value in values.items()]
    with connections[database].cursor() as cursor:
        cursor.execute(sql, new + _values(database, model, where))
        return int(cursor.rowcount)


# The name of a field, and its comparison in SQL.
Condition = tuple[str, str]

# A converter of Django: a function of a value from the database, its column and the connection.
Convert = Callable[[Any, Any, Any], Any]


def _conditions(where: Mapping[str, object]) -> tuple[Condition, ...]:
    return tuple((name, _comparison(value)) for name, value in where.items())


def _comparison(value: object) -> str:
    if value is None:
        return "IS NULL"
    return "IS NOT NULL" if value is FILLED else "= %s"


def _values(database: str, model: type[Model], where: Mapping[str, object]) -> list[Any]:
    """Return the values of the conditions in the form that the database driver needs."""
    return [
        _prepared(database, model, name, value)
        for name, value in where.items()
        if value is not None and value is not FILLED
    ]


def _prepared(database: str, model: type[Model], name: str, value: object) -> Any:
    """Return ``value`` for a field in the form that the database driver needs.

    :raises ValueError: the field is for objects of another model.
    """
    field = _fields(model)[name]
    related = field.related_model
    if isinstance(related, type):
        # An object of another model must not be used in place of the user with the same primary
        # key.
        if not isinstance(value, related):
            wanted, actual = related.__name__, type(value).__name__
            raise ValueError(f"{model.__name__}.{name} must be a {wanted}, not a {actual}.")
        value = value.pk
    return field.get_db_prep_save(value, connections[database])


def _row(database: str, model: type[Row], columns: Sequence[Any]) -> Row:
    """Return the row with the values ``columns`` from the database."""
    values = list(columns)
    for place, convert, column in _converters(database, model):
        values[place] = convert(values[place], column, connections[database])
    names = [field.attname for field in _fields(model).values()]
    return model.from_db(database, names, values)


@lru_cache(maxsize=32)
def _converters(database: str, model: type[Model]) -> list[tuple[int, Convert, Col]]:
    """Return the converters from driver values to Python values, by the places of columns."""
    connection = connections[database]
    columns = [field.get_col(model._meta.db_table) for field in _fields(model).values()]
    return [
        (place, convert, column)
        for place, column in enumerate(columns)
        for convert in (
            *connection.ops.get_db_converters(column),
            *column.get_db_converters(connection),
        )
    ]


@lru_cache(maxsize=32)
def _fields(model: type[Model]) -> dict[str, Field[Any, Any]]:
    return {field.name: field for field in model._meta.concrete_fields}


@lru_cache(maxsize=64)
def _select(
    database: str, model: type[Model], conditions: tuple[Condition, ...], newest_by: str | None
) -> str:
    columns = ", ".join(_column(database, model, name) for name in _fields(model))
    table = _table(database, model)
    sql = f"SELECT {columns} FROM {table} WHERE {_where(database, model, conditions)}"  # noqa: S608
    if newest_by is None:
        return sql
    newest = connections[database].ops.limit_offset_sql(0, 1)
    return f"{sql} ORDER BY {_column(database, model, newest_by)} DESC {newest}"


@lru_cache(maxsize=64)
def _count(database: str, model: type[Model], conditions: tuple[Condition, ...]) -> str:
    where = _where(database, model, conditions)
    return f"SELECT COUNT(*) FROM {_table(database, model)} WHERE {where}"  # noqa: S608


@lru_cache(maxsize=64)
def _update(
    database: str, model: type[Model], names: tuple[str, ...], conditions: tuple[Condition, ...]
) -> str:
    new = ", ".join(f"{_column(database, model, name)} = %s" for name in names)
    where = _where(database, model, conditions)
    return f"UPDATE {_table(database, model)} SET {new} WHERE {where}"  # noqa: S608


def _where(database: str, model: type[Model], conditions: tuple[Condition, ...]) -> str:
    return " AND ".join(f"{_column(database, model, name)} {how}" for name, how in conditions)


def _column(database: str, model: type[Model], name: str) -> str:
    return connections[database].ops.quote_name(str(_fields(model)[name].column))


def _table(database: str, model: type[Model]) -> str:
    return connections[database].ops.quote_name(model._meta.db_table)
