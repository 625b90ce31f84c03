"""Import phone devices from django-two-factor-auth's table, by the hundred thousand.

    python benchmarks/import_phones.py [--devices 100000]

On a new SQLite file, or the empty database that DATABASE_URL names.  Says how long ``manage.py
mfa_import_phones two-factor-auth --write`` took, how the memory of the process grew, that nothing
was lost, and that running it again imports nothing.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

AREAS = (206, 312, 415, 617, 713)


def megabytes() -> float:
    """The most memory that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def number(n: int) -> str:
    """A valid number of the United States: the n-th."""
    return f"+1{AREAS[n % len(AREAS)]}{2_000_000 + n // len(AREAS):07}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--devices", type=int, default=100_000)
    devices = parser.parse_args().devices
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("DATABASE_URL", f"sqlite:///{folder}/benchmark.sqlite3")
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
        measure(devices)


def measure(devices: int) -> None:
    import django

    django.setup()
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.db import connection

    from django_bandwidth_mfa.models import Phone

    call_command("migrate", verbosity=0)
    users = get_user_model().objects
    if users.exists():
        sys.exit("The database is not empty.")
    for start in range(0, devices, 5000):
        users.bulk_create(
            users.model(username=f"user{n}") for n in range(start, min(start + 5000, devices))
        )
    fill(devices)
    counted = {"devices": devices, "users": users.count()}
    before, began = megabytes(), time.perf_counter()
    call_command("mfa_import_phones", "two-factor-auth", "--write")
    seconds, after = time.perf_counter() - began, megabytes()
    print(f"{counted} on {connection.vendor}")
    print(f"{seconds:.1f} s, {devices / seconds:,.0f} a second")
    print(f"peak memory {before:.0f} MB before, {after:.0f} MB after: {after - before:+.0f} MB")

    users_with = Phone.objects.filter(is_primary=True, confirmed_at__isnull=False).count()
    right = all(
        phone.number == number(int(phone.user.username.removeprefix("user")))
        for phone in Phone.objects.select_related("user").iterator(chunk_size=5000)
    )
    print(f"{Phone.objects.count()} phones, {users_with} of them primary, each its user's: {right}")
    began = time.perf_counter()
    call_command("mfa_import_phones", "two-factor-auth", "--write")
    print(f"{time.perf_counter() - began:.1f} s the second time")
    if not (right and Phone.objects.count() == users_with == devices):
        sys.exit("Some were lost.")


def fill(devices: int) -> None:
    """The other package's table, one default device a user."""
    from django.contrib.auth import get_user_model
    from django.db import connection, transaction

    serial = {
        "sqlite": "integer PRIMARY KEY AUTOINCREMENT",
        "postgresql": "serial PRIMARY KEY",
        "mysql": "integer PRIMARY KEY AUTO_INCREMENT",
    }[connection.vendor]
    table = "two_factor_phonedevice"
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE {table} (id {serial}, user_id integer, name varchar(64), "
            "confirmed bool, number varchar(128))"
        )
    pks = get_user_model().objects.order_by("pk").values_list("pk", "username")
    rows = ((pk, number(int(name.removeprefix("user")))) for pk, name in pks.iterator())
    # Page by page: what fills the table is to leave no high-water mark of its own.
    while page := list(islice(rows, 5000)):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO {table} (user_id, name, confirmed, number) "  # noqa: S608
                "VALUES (%s, 'default', TRUE, %s)",
                page,
            )


if __name__ == "__main__":
    main()
