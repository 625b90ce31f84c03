"""``manage.py mfa_import_phones SOURCE [--write]``"""

from __future__ import annotations

import csv
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TextIO

from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, CommandError
from django.db import IntegrityError, connections, router, transaction
from django.utils import timezone

from ... import conf
from ...exceptions import NumberRefused
from ...internal import numbers
from ...internal.phones.source import phone_source
from ...models import Channel, Phone
from .. import other_devices
from ..console import Progress
from ..findings import LISTED, Findings

# The tables of other packages.  They are read with SQL, so the package need not be installed.
TABLES = {
    "two-factor-auth": "two_factor_phonedevice",
    "otp-twilio": "otp_twilio_twiliosmsdevice",
}
COLUMNS = ("id", "user_id", "number", "name", "confirmed")

# The names of channels in the sources.  "call" is that of django-two-factor-auth.
CHANNELS = {"": "", "sms": "sms", "voice": "voice", "call": "voice"}

# The names that the other packages give to devices themselves.
GIVEN_NAMES = ("default", "backup")

# Rows per transaction, and per query of existing users and phones.
BATCH = 1000

# What users with a device that is not imported lose, in the words of the file of --list.
LOSE_ALL = "NO second factor once the other package is gone"
LOSE_ONE = "a phone here, and another device that is not imported"
REFUSED_PHONE = "phone that is refused"


@dataclass(frozen=True)
class Row:
    """A phone in the source.

    ``place`` is its place in the source.  ``user`` is the username (CSV) or the primary key
    (tables).
    """

    place: str
    user: Any
    number: str
    name: str = ""
    is_confirmed: bool = True
    is_primary: bool = False
    channel: str = ""


class Command(BaseCommand):
    help = (
        "Import phones from a CSV file, or from the tables of django-two-factor-auth or "
        "django-otp-twilio. Without --write the command only shows what it would do. "
        "The phones count as confirmed, because you or the other package confirmed them. Phones "
        "that exist already do not change, so you can run the command again after an interruption. "
        "Devices that are not phones are not imported: the command names the users who lose one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "source",
            help="two-factor-auth, otp-twilio, or a CSV file (- for standard input) whose first "
            "line names the columns: username, number and, if you like, name, primary (yes or no), "
            "channel (sms or voice)",
        )
        parser.add_argument("--write", action="store_true", help="write the phones to the database")
        parser.add_argument(
            "--database", default="default", help="where the other package's tables are"
        )
        parser.add_argument(
            "--list",
            metavar="FILE",
            help=f"name all users whom the output counts, in CSV; the output itself names {LISTED} "
            "of each kind. If the file is new, only you can read it",
        )

    def handle(self, *args: Any, **options: Any) -> str:
        if not phone_source().can_change:
            raise CommandError("GET_PHONES is set: this site keeps the numbers itself.")
        source, self.write, self.list = options["source"], options["write"], options["list"]
        self.now = timezone.now()
        self.counts: Counter[str] = Counter()
        self.is_table = source in TABLES
        # Users with a phone that is refused: it may have been their only second factor.
        self.refused: set[Any] = set()
        # The numbers that a run without --write would have written so far, by user.
        self.would_have: dict[Any, tuple[str, ...]] = {}
        self.findings = Findings(self.list)
        try:
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
            lines = self.summary()
            if self.is_table:
                self.find_losses(TABLES[source], options["database"])
                lines += self.losses()
        finally:
            self.findings.close()
        if self.list:
            lines.append(f"The whole lists are in {self.list}.")
        if not self.write:
            lines.append("Nothing was written. Add --write to import the phones.")
        return "\n".join(lines)

    def take(self, batch: list[Row]) -> None:
        """Import one batch in one transaction."""
        users = self.known_users({row.user for row in batch})
        wanted = [(*users[row.user], row) for row in batch if self.is_wanted(row, users)]
        there, primary = self.phones_there({pk for pk, _name, _row in wanted})
        added: list[Phone] = []
        changed: list[Phone] = []
        for pk, username, row in wanted:
            number = self.number_of(row, pk, username)
            if number is None:
                continue
            phone = there.get((pk, number))
            if phone is not None and phone.confirmed_at is not None:
                if phone.confirmed_at == self.now:  # by this very run
                    self.note("the same number again, left out", row, pk, username)
                else:
                    self.counts["already there"] += 1
                continue
            if phone is None:
                phone = Phone(user_id=pk, number=number, name=row.name)
                added.append(phone)
            else:
                changed.append(phone)
            phone.confirmed_at = self.now
            phone.channel = CHANNELS[row.channel]
            there[pk, number] = phone
            self.counts["imported"] += 1
            self.counts["called"] += phone.channel == Channel.VOICE
            # A phone that this run has made primary is replaced by one that the source marks as
            # primary.
            before = primary.get(pk)
            if before is None or (row.is_primary and before.confirmed_at == self.now):
                phone.is_primary, primary[pk] = True, phone
                if before is not None:
                    before.is_primary = False
                    if before.pk is not None:
                        changed.append(before)
        if self.write:
            self.save(added, changed)
        else:
            for phone in (*added, *changed):
                had = self.would_have.get(phone.user_id, ())
                self.would_have[phone.user_id] = (*had, phone.number)

    def phones_there(
        self, users: set[Any]
    ) -> tuple[dict[tuple[Any, str], Phone], dict[Any, Phone]]:
        """Return the phones of ``users`` by user and number, and the primary ones by user."""
        phones = list(Phone.objects.filter(user__in=users))
        there = {(phone.user_id, phone.number): phone for phone in phones}
        for pk in users & self.would_have.keys():
            for number in self.would_have[pk]:
                there[pk, number] = Phone(user_id=pk, number=number, confirmed_at=self.now)
        return there, {phone.user_id: phone for phone in phones if phone.is_primary}

    def save(self, added: list[Phone], changed: list[Phone]) -> None:
        fields = ["confirmed_at", "is_primary", "channel"]
        try:
            with transaction.atomic(using=router.db_for_write(Phone)):
                # First those that are no longer primary, because a user has only one primary phone.
                for is_primary in (False, True):
                    some = [phone for phone in changed if phone.is_primary is is_primary]
                    Phone.objects.bulk_update(some, fields)
                Phone.objects.bulk_create(added)
        except IntegrityError as error:
            raise CommandError(
                "Somebody added one of these phones at the same moment. Run the command again: "
                "it continues where it stopped."
            ) from error

    def known_users(self, named: set[Any]) -> dict[Any, tuple[Any, str]]:
        """Return the primary key and the username of each existing user.

        The keys of the dict are the names of the users in the source.
        """
        model = get_user_model()
        by = "pk" if self.is_table else model.USERNAME_FIELD
        users = model._default_manager.filter(**{f"{by}__in": named})
        rows = users.values_list(by, "pk", model.USERNAME_FIELD)
        return {name: (pk, str(username)) for name, pk, username in rows}

    def is_wanted(self, row: Row, users: dict[Any, tuple[Any, str]]) -> bool:
        if not row.is_confirmed:
            self.counts["unconfirmed, left out"] += 1
        elif row.user not in users:
            pk, username = (row.user, "") if self.is_table else (None, row.user)
            self.note("no such user", row, pk, username)
        else:
            return True
        return False

    def number_of(self, row: Row, pk: Any, username: str) -> str | None:
        """Return the number of ``row``; None if the row is refused."""
        try:
            if row.channel not in CHANNELS:
                raise NumberRefused("The channel is sms or voice.")
            return numbers.parse(row.number)
        except NumberRefused as error:
            self.note(f"refused: {error}", row, pk, username)
            self.refused.add(pk)
            return None

    def note(self, what: str, row: Row, pk: Any, username: str) -> None:
        self.counts[what] += 1
        masked = numbers.mask(row.number)
        self.findings.add(what, username=username, pk=pk, place=row.place, detail=masked)

    def summary(self) -> list[str]:
        lines = [f"{what}: {self.findings.named(what)}" for what in self.findings.counts]
        imported, called = self.counts.pop("imported", 0), self.counts.pop("called", 0)
        verb = "Imported" if self.write else "Would import"
        lines.append(f"{verb} {with_noun(imported, 'phone')}.")
        if called:
            lines.append(f"{called} of them will be called, as in the source{self.called_how()}")
        rows = [f"{with_noun(count, 'row')}: {what}" for what, count in self.counts.items()]
        return lines + rows

    def called_how(self) -> str:
        if "voice" in conf.channels():
            return ""
        return "; but without VOICE_APPLICATION_ID this site calls nobody, and sends text messages"

    def find_losses(self, table: str, database: str) -> None:
        """Record the users who lose a device, page by page."""
        progress, done = Progress(self.stderr, "users with other devices"), 0
        for page in other_devices.owners(database, besides=table):
            self.find_losses_of(page)
            done += len(page)
            progress.show(done)
        progress.end()
        # The other users have no other device.  They lose only the refused phone.
        rest = iter(self.refused.copy())
        while batch := list(islice(rest, BATCH)):
            self.find_losses_of({pk: [] for pk in batch})

    def find_losses_of(self, page: dict[Any, list[str]]) -> None:
        """Record what the users of ``page`` lose.

        :param page: the kinds of their other devices, by user.
        """
        model = get_user_model()
        users = model._default_manager.filter(pk__in=[pk for pk in page if pk is not None])
        here = set(
            Phone.objects.confirmed().filter(user__in=list(page)).values_list("user", flat=True)
        )
        for pk, username in users.order_by("pk").values_list("pk", model.USERNAME_FIELD):
            has_phone = pk in here or pk in self.would_have
            kinds = [*page[pk], *([REFUSED_PHONE] if pk in self.refused and not has_phone else [])]
            self.refused.discard(pk)
            if kinds:
                what = LOSE_ONE if has_phone else LOSE_ALL
                detail = ", ".join(kinds)
                self.findings.add(what, username=str(username), pk=pk, detail=detail)

    def losses(self) -> list[str]:
        """Return lines about the users who lose a device."""
        lines = [
            f"{with_noun(self.findings.counts[what], 'user')} with {what}: "
            f"{self.findings.named(what)}"
            for what in (LOSE_ALL, LOSE_ONE)
            if self.findings.counts[what]
        ]
        return lines or ["0 users with another device that is not imported"]


def with_noun(count: int, noun: str) -> str:
    """Return the number and the noun, such as "1 phone" or "2 phones"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def rows_of_csv(path: str) -> Iterator[Row]:
    """Yield the rows of a CSV file.

    :raises CommandError: it cannot be opened or read, or has other columns.
    """
    try:
        if path == "-":
            yield from parse_csv(sys.stdin)
        else:
            # Spreadsheets write a byte order mark at the start of a file.
            with open(path, encoding="utf-8-sig", newline="") as file:
                yield from parse_csv(file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{path} cannot be read as CSV in UTF-8: {error}") from error


def parse_csv(file: TextIO) -> Iterator[Row]:
    reader = csv.DictReader(file)
    if not {"username", "number"} <= set(reader.fieldnames or ()):
        raise CommandError(
            "The first line must name the columns username and number (and may name name, "
            f"primary and channel); it has {', '.join(reader.fieldnames or ()) or 'nothing'}."
        )
    for record in reader:
        yield Row(
            place=f"line {reader.line_num}",
            user=(record["username"] or "").strip(),
            number=(record["number"] or "").strip(),
            name=(record.get("name") or "").strip()[:40],
            is_primary=(record.get("primary") or "").strip().lower() in ("yes", "true", "1"),
            channel=(record.get("channel") or "").strip().lower(),
        )


def rows_of_table(table: str, database: str) -> Iterator[Row]:
    """Yield the rows of a table of another package.

    They are read page by page, by primary key, to save memory.

    :raises CommandError: there is no such table, or it has other columns.
    """
    if database not in connections:
        raise CommandError(f"There is no database {database!r} in DATABASES.")
    connection = connections[database]
    with connection.cursor() as cursor:
        if table not in connection.introspection.table_names(cursor):
            raise CommandError(f"There is no table {table} in the database {database!r}.")
        columns = {
            column.name for column in connection.introspection.get_table_description(cursor, table)
        }
        if missing := set(COLUMNS) - columns:
            raise CommandError(f"The table {table} has no column {', '.join(sorted(missing))}.")
        # django-otp-twilio sends only text messages, so it has no such column.
        has_method = "method" in columns
        read = (*COLUMNS, *(["method"] if has_method else []))
        quoted = ", ".join(map(connection.ops.quote_name, read))
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
            for last, user_id, number, name, confirmed, *method in page:
                yield Row(
                    place=f"row {last}",
                    user=other_devices.user_key(user_id),
                    number=number,
                    name="" if name in GIVEN_NAMES else name[:40],
                    is_confirmed=bool(confirmed),
                    is_primary=name == "default",
                    channel=method[0] if method and method[0] in CHANNELS else "",
                )
