"""Import phone devices from django-two-factor-auth's table, by the hundred thousand.

    python benchmarks/import_phones.py [--devices 100000]

The script uses a new SQLite file, or the empty database that DATABASE_URL names.  Each fifth device
is set to be called.  Each user also has backup codes, which are not imported.  The script prints
the duration of ``manage.py mfa_import_phones two-factor-auth --write`` and the growth of the
process's memory.  It checks that nothing was lost, and that a second run imports nothing.  At the
end it empties this app's table and runs the command without ``--write``, which keeps in memory the
phones that it would have written.
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
    """Return the most memory that this process has used so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def number(n: int) -> str:
    """Return the n-th valid number of the United States."""
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
    called = Phone.objects.filter(channel="voice").count()
    counts = Phone.objects.count(), users_with, called
    if not right or counts != (devices, devices, -(-devices // 5)):
        sys.exit("Some were lost.")
    # The model is not used: it would first read all rows into memory.
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {Phone._meta.db_table}")  # noqa: S608
    before, began = megabytes(), time.perf_counter()
    call_command("mfa_import_phones", "two-factor-auth")
    print(
        f"{time.perf_counter() - began:.1f} s without --write, "
        f"{megabytes() - before:+.0f} MB of peak memory"
    )


def fill(devices: int) -> None:
    """Fill the other package's tables: one default device and one device of backup codes a user."""
    from django.contrib.auth import get_user_model
    from django.db import connection, transaction

    serial = {
        "sqlite": "integer PRIMARY KEY AUTOINCREMENT",
        "postgresql": "serial PRIMARY KEY",
        "mysql": "integer PRIMARY KEY AUTO_INCREMENT",
    }[connection.vendor]
    device = f"id {serial}, user_id integer, name varchar(64), confirmed bool"
    tables = {
        "two_factor_phonedevice": f"{device}, number varchar(128), method varchar(4)",
        "otp_static_staticdevice": device,
        "otp_static_statictoken": f"id {serial}, device_id integer, token varchar(16)",
    }
    with connection.cursor() as cursor:
        for table, columns in tables.items():
            cursor.execute(f"CREATE TABLE {table} ({columns})")
            # The other packages' foreign keys make these indexes.
            if table != "two_factor_phonedevice":
                key = "device_id" if "token" in table else "user_id"
                cursor.execute(f"CREATE INDEX {table}_{key} ON {table} ({key})")
    pks = get_user_model().objects.order_by("pk").values_list("pk", "username")
    rows = ((pk, int(name.removeprefix("user"))) for pk, name in pks.iterator())
    # The tables are filled page by page, so that filling them does not raise the memory peak.
    while page := list(islice(rows, 5000)):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO two_factor_phonedevice (user_id, name, confirmed, number, method) "
                "VALUES (%s, 'default', TRUE, %s, %s)",
                [(pk, number(n), "sms" if n % 5 else "call") for pk, n in page],
            )
            cursor.executemany(
                "INSERT INTO otp_static_staticdevice (id, user_id, name, confirmed) "
                "VALUES (%s, %s, 'backup', TRUE)",
                [(pk, pk) for pk, _n in page],
            )
            cursor.executemany(
                "INSERT INTO otp_static_statictoken (device_id, token) VALUES (%s, 'abcdefgh')",
                [(pk,) for pk, _n in page],
            )


if __name__ == "__main__":
    main()
