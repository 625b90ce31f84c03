"""``manage.py mfa_import_phones SOURCE [--write]``"""

from __future__ import annotations

import csv
import sys
from argparse import ArgumentParser
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TextIO

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management import BaseCommand, CommandError
from django.db import IntegrityError, connections, router, transaction
from django.utils import timezone

from ...exceptions import NumberRefused
from ...internal import numbers
from ...internal.phones.source import phone_source
from ...models import Phone
from ..console import Progress

# The tables of other packages.  They are read as they stand, so that the package may be gone.
TABLES = {
    "two-factor-auth": "two_factor_phonedevice",
    "otp-twilio": "otp_twilio_twiliosmsdevice",
}
COLUMNS = ("id", "user_id", "number", "name", "confirmed")

# What the other packages call a device that nobody named.
GIVEN_NAMES = ("default", "backup")

# Rows per transaction, and per look at the users and phones that are there.
BATCH = 1000

# How many rows of each kind of trouble are listed.
LISTED = 20


@dataclass(frozen=True)
class Row:
    """A phone as the source has it.

    ``place``: where its owner finds it; ``user``: the username (CSV) or the primary key (tables).
    """

    place: str
    user: Any
    number: str
    name: str = ""
    is_confirmed: bool = True
    is_primary: bool = False


class Command(BaseCommand):
    help = (
        "Take over phones from a CSV file, or from the tables of django-two-factor-auth or "
        "django-otp-twilio. Without --write it only tells what it would do. They count as "
        "confirmed: the other package, or you, have proven them. What is there already stays as "
        "it is, so it can be run again, and goes on after an interruption."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "source",
            help="two-factor-auth, otp-twilio, or a CSV file (- for standard input) whose first "
            "line names the columns: username, number and, if you like, name, primary (yes or no)",
        )
        parser.add_argument("--write", action="store_true", help="do it")
        parser.add_argument(
            "--database", default="default", help="where the other package's tables are"
        )

    def handle(self, *args: Any, **options: Any) -> str:
        if not phone_source().can_change:
            raise CommandError("GET_PHONES is set: this site keeps the numbers itself.")
        source, self.write = options["source"], options["write"]
        self.now = timezone.now()
        self.counts: Counter[str] = Counter()
        self.trouble: defaultdict[str, list[str]] = defaultdict(list)
        self.is_table = source in TABLES
        rows = (
            rows_of_table(TABLES[source], options["database"])
            if self.is_table
            else rows_of_csv(source)
        )
        done, progress = 0, Progress(self.stderr, "phones")
        while batch := list(islice(rows, BATCH)):
            self.take(batch)
            done += len(batch)
            progress.show(done)
        progress.end()
        return self.summary()

    def take(self, batch: list[Row]) -> None:
        """Import one batch, whole or not at all."""
        users = self.known_users({row.user for row in batch})
        wanted = [(users[row.user], row) for row in batch if self.is_wanted(row, users)]
        found = Phone.objects.filter(user__in={pk for pk, _row in wanted})
        there = {(phone.user_id, phone.number): phone for phone in found}
        primary = {phone.user_id: phone for phone in found if phone.is_primary}
        added: list[Phone] = []
        changed: list[Phone] = []
        for pk, row in wanted:
            number = self.number_of(row)
            if number is None:
                continue
            phone = there.get((pk, number))
            if phone is not None and phone.confirmed_at is not None:
                self.counts["already there"] += 1
                continue
            if phone is None:
                phone = Phone(user_id=pk, number=number, name=row.name)
                added.append(phone)
            else:
                changed.append(phone)
            phone.confirmed_at = self.now
            there[pk, number] = phone
            self.counts["imported"] += 1
            # A primary phone that this very run has made gives way to one that is meant to be it.
            before = primary.get(pk)
            if before is None or (row.is_primary and before.confirmed_at == self.now):
                phone.is_primary, primary[pk] = True, phone
                if before is not None:
                    before.is_primary = False
                    if before.pk is not None:
                        changed.append(before)
        if self.write:
            self.save(added, changed)

    def save(self, added: list[Phone], changed: list[Phone]) -> None:
        fields = ["confirmed_at", "is_primary"]
        try:
            with transaction.atomic(using=router.db_for_write(Phone)):
                # Those that are primary no more first, for a user has one.
                for is_primary in (False, True):
                    some = [phone for phone in changed if phone.is_primary is is_primary]
                    Phone.objects.bulk_update(some, fields)
                Phone.objects.bulk_create(added)
        except IntegrityError as error:
            raise CommandError(
                "Somebody has added one of these phones at the same moment. Run it again: it goes "
                "on where it was."
            ) from error

    def known_users(self, named: set[Any]) -> dict[Any, Any]:
        """The primary key of each user that is there, by what the source calls them."""
        model = get_user_model()
        by = "pk" if self.is_table else model.USERNAME_FIELD
        users = model._default_manager.filter(**{f"{by}__in": named})
        return dict(users.values_list(by, "pk"))

    def is_wanted(self, row: Row, users: dict[Any, Any]) -> bool:
        if not row.is_confirmed:
            self.counts["unconfirmed, left out"] += 1
        elif row.user not in users:
            self.note("no such user", row)
        else:
            return True
        return False

    def number_of(self, row: Row) -> str | None:
        try:
            return numbers.parse(row.number.removeprefix("tel:"))
        except NumberRefused as error:
            self.note(f"refused: {error}", row)
            return None

    def note(self, what: str, row: Row) -> None:
        self.counts[what] += 1
        if len(self.trouble[what]) < LISTED:
            self.trouble[what].append(f"{row.place} ({numbers.mask(row.number)})")

    def summary(self) -> str:
        told = []
        for what, places in self.trouble.items():
            more = self.counts[what] - len(places)
            told.append(f"{what}: {', '.join(places)}{f' and {more} more' if more else ''}")
        self.counts["imported"] += 0
        imported = self.counts.pop("imported")
        told.append(f"{'Imported' if self.write else 'Would import'} {imported} phones.")
        told += [f"{many} {what}" for what, many in self.counts.items()]
        if not self.write:
            told.append("Nothing was written; add --write to do it.")
        return "\n".join(told)


def rows_of_csv(path: str) -> Iterator[Row]:
    """:raises CommandError: it cannot be opened or read, or has other columns."""
    try:
        if path == "-":
            yield from parse_csv(sys.stdin)
        else:
            # Spreadsheets begin their files with a byte order mark.
            with open(path, encoding="utf-8-sig", newline="") as file:
                yield from parse_csv(file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{path} cannot be read as CSV in UTF-8: {error}") from error


def parse_csv(file: TextIO) -> Iterator[Row]:
    reader = csv.DictReader(file)
    if not {"username", "number"} <= set(reader.fieldnames or ()):
        raise CommandError(
            "The first line must name the columns username and number (and may name name and "
            f"primary); it has {', '.join(reader.fieldnames or ()) or 'nothing'}."
        )
    for record in reader:
        yield Row(
            place=f"line {reader.line_num}",
            user=(record["username"] or "").strip(),
            number=(record["number"] or "").strip(),
            name=(record.get("name") or "").strip()[:40],
            is_primary=(record.get("primary") or "").strip().lower() in ("yes", "true", "1"),
        )


def rows_of_table(table: str, database: str) -> Iterator[Row]:
    """Page by page, by primary key: neither the table nor a cursor is held in memory.

    :raises CommandError: there is no such table, or it has other columns.
    """
    if database not in connections:
        raise CommandError(f"There is no database {database!r} in DATABASES.")
    connection = connections[database]
    pk = get_user_model()._meta.pk
    with connection.cursor() as cursor:
        if table not in connection.introspection.table_names(cursor):
            raise CommandError(f"There is no table {table} in the database {database!r}.")
        columns = {
            column.name for column in connection.introspection.get_table_description(cursor, table)
        }
        if missing := set(COLUMNS) - columns:
            raise CommandError(f"The table {table} has no column {', '.join(sorted(missing))}.")
        quoted = ", ".join(map(connection.ops.quote_name, COLUMNS))
        last = -1
        while True:
            cursor.execute(
                f"SELECT {quoted} FROM {connection.ops.quote_name(table)} "  # noqa: S608  constants
                f"WHERE id > %s ORDER BY id LIMIT {BATCH}",
                [last],
            )
            page: Iterable[Any] = cursor.fetchall()
            if not page:
                return
            for last, user_id, number, name, confirmed in page:
                try:
                    user = pk.to_python(user_id)
                except ValidationError:  # of another user model: nobody's
                    user = None
                yield Row(
                    place=f"row {last}",
                    user=user,
                    number=number,
                    name="" if name in GIVEN_NAMES else name[:40],
                    is_confirmed=bool(confirmed),
                    is_primary=name == "default",
                )
