"""Devices of django-otp and its plugins that are not phones, and are not imported.

Their tables are read with SQL, so the packages need not be installed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management import CommandError
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

# The names of devices for people, by table.
KINDS = {
    "otp_totp_totpdevice": "authenticator app",
    "otp_static_staticdevice": "backup codes",
    "two_factor_webauthn_webauthndevice": "security key",
    "otp_yubikey_yubikeydevice": "YubiKey",
    "otp_yubikey_remoteyubikeydevice": "YubiKey",
    "otp_hotp_hotpdevice": "HOTP token",
    "otp_email_emaildevice": "code by e-mail",
    "two_factor_phonedevice": "phone in django-two-factor-auth",
    "otp_twilio_twiliosmsdevice": "phone in django-otp-twilio",
}

# django-two-factor-auth creates the device of backup codes before any code, so a device counts only
# if it has a code.
USED_IF = {
    "otp_static_staticdevice": "EXISTS (SELECT 1 FROM otp_static_statictoken "
    "WHERE otp_static_statictoken.device_id = otp_static_staticdevice.id)",
}

# A primary key of a user in a table of another package.
Key = int | str | UUID

# Users per page.
PAGE = 1000


def owners(database: str, *, besides: str) -> Iterator[dict[object, list[str]]]:
    """Yield the users with a confirmed device, page by page, with the kinds of their devices.

    :param besides: the table whose devices are imported, which is left out.
    :raises CommandError: one of the tables has other columns than django-otp gives it.
    """
    connection = connections[database]
    with connection.cursor() as cursor:
        existing = connection.introspection.table_names(cursor)
    tables = [table for table in KINDS if table in existing and table != besides]
    for table in tables:
        _check_columns(connection, table)
    last: list[Key] = []
    while tables and (page := _page(connection, tables, last)):
        last = page[-1:]
        yield _kinds(connection, tables, page[0], page[-1])


def user_key(value: object) -> object:
    """Return ``value`` as the primary key of a user; None if no user can have it."""
    pk = get_user_model()._meta.pk
    try:
        return pk.to_python(value)
    except ValidationError:  # of another user model
        return None


def _check_columns(connection: BaseDatabaseWrapper, table: str) -> None:
    with connection.cursor() as cursor:
        description = connection.introspection.get_table_description(cursor, table)
    if missing := {"user_id", "confirmed"} - {column.name for column in description}:
        raise CommandError(f"The table {table} has no column {', '.join(sorted(missing))}.")


def _condition(table: str) -> str:
    return " AND ".join(["confirmed = %s", *([USED_IF[table]] if table in USED_IF else [])])


def _page(connection: BaseDatabaseWrapper, tables: Iterable[str], last: list[Key]) -> list[Key]:
    """Return the next users, in the order of the database.

    Each table is queried for one page only.  Otherwise the database would read all tables for each
    page.
    """
    after = " AND user_id > %s" if last else ""
    parts = [
        f"SELECT user_id FROM (SELECT DISTINCT user_id FROM {table} "  # noqa: S608  constants
        f"WHERE {_condition(table)}{after} ORDER BY user_id LIMIT {PAGE}) AS page_{n}"
        for n, table in enumerate(tables)
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            f"{' UNION '.join(parts)} ORDER BY user_id LIMIT {PAGE}", [True, *last] * len(parts)
        )
        return [user_id for (user_id,) in cursor.fetchall()]


def _kinds(
    connection: BaseDatabaseWrapper, tables: Iterable[str], first: Key, last: Key
) -> dict[object, list[str]]:
    kinds_of: dict[object, list[str]] = {}
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(
                f"SELECT DISTINCT user_id FROM {table} "  # noqa: S608  constants
                f"WHERE {_condition(table)} AND user_id BETWEEN %s AND %s",
                [True, first, last],
            )
            for (user_id,) in cursor.fetchall():
                kinds = kinds_of.setdefault(user_key(user_id), [])
                if KINDS[table] not in kinds:
                    kinds.append(KINDS[table])
    return kinds_of
