"""Fill a site with many users and many codes, and measure it."""

from __future__ import annotations

import io
import random
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from benchmarks.browser import Browser, get, post
from benchmarks.tasks.sign_in import sign_in_each
from benchmarks.worker import Site

if TYPE_CHECKING:
    from django.db.models import Model

# The keys of the first rows are left to the users whom the benchmark makes before.
OFFSET = 1000
# The codes are spread over this number of days until now.
DAYS = 60
# The number of letters of a key that a number replaces. The length of the key stays the same.
SUFFIX = 7


def fill(site: Site, users: int, challenges: int, counters: int) -> Any:
    """Fill the tables with copies of what a real sign-in leaves; returns the seconds it took.

    A copy has what must differ, and else the columns of the original, whatever there are: the
    n-th user and their phone, a code to one of the users at a moment of its own, a counter.
    """
    from django.contrib.auth.models import User

    from django_bandwidth_mfa.models import Challenge, Counter, Phone, SpentCode

    began = time.perf_counter()
    [n] = site.add_people(1)
    site.sign_in(n)
    user = User.objects.get()
    key = f"{OFFSET} + n"
    copy(user, users, {"id": key, "username": "'user' || n"})
    phone = Phone.objects.get()
    copy(phone, users, {"id": key, "user": key, "number": number_of("n")})
    owner = f"{OFFSET} + 1 + n %% {users}"
    copy(
        Challenge.objects.get(),
        challenges,
        {
            "id": new_uuid(),
            "user": owner,
            "phone": owner,
            "number": number_of(f"(1 + n %% {users})"),
        }
        | {
            field: moment(f"{DAYS * 86400.0 / challenges} * ({challenges} - n) - {later}")
            for field, later in (("sent_at", 0), ("passed_at", 20), ("expires_at", 180))
        },
    )
    copy(SpentCode.objects.get(), challenges, {"digest": numbered("digest")})
    originals = list(Counter.objects.all())
    for original in originals:
        copy(original, counters // len(originals), {"key": numbered("key")})
    site.next_person = users + 1
    tidy(User, Phone)
    return time.perf_counter() - began


def number_of(n: str) -> str:
    """Return SQL for a user's phone number, as :func:`benchmarks.sites.making.number` makes it."""
    from benchmarks.sites.making import AREAS

    areas = " ".join(f"WHEN {place} THEN '{area}'" for place, area in enumerate(AREAS))
    count = len(AREAS)
    return f"'+1' || CASE {n} %% {count} {areas} END || CAST(2000000 + {n} / {count} AS varchar(7))"


def new_uuid() -> str:
    from django.db import connection

    # Django keeps a UUID on SQLite as 32 letters.
    return "lower(hex(randomblob(16)))" if connection.vendor == "sqlite" else "gen_random_uuid()"


def moment(seconds_ago: str) -> str:
    """Return SQL for a moment."""
    from django.db import connection

    if connection.vendor == "sqlite":
        return f"strftime('%Y-%m-%d %H:%M:%f', 'now', (-({seconds_ago})) || ' seconds')"
    return f"now() - ({seconds_ago}) * interval '1 second'"


def numbered(column: str) -> str:
    """Return SQL for a text column whose last letters are replaced by a number."""
    digits = f"substr('{'0' * SUFFIX}' || n, length('{'0' * SUFFIX}' || n) - {SUFFIX - 1})"
    return f"substr(original.{column}, 1, length(original.{column}) - {SUFFIX}) || {digits}"


def copy(row: Model, times: int, different: Mapping[str, str]) -> None:
    """Copy a row of a table ``times`` times.

    :param different: SQL for the fields that differ; ``n`` counts from 1, and ``%%`` is the
        remainder of a division.
    """
    from django.db import connection

    fields = [field for field in row._meta.local_concrete_fields if not field.generated]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    values = ", ".join(different.get(field.name, f'original."{field.column}"') for field in fields)
    table, key = row._meta.db_table, row._meta.pk.column
    series = f"generate_series(1, {times}) AS series(n)"
    if connection.vendor == "sqlite":
        rest = f"SELECT n + 1 FROM numbers WHERE n < {times}"  # noqa: S608
        numbers = f"WITH RECURSIVE numbers(n) AS (VALUES (1) UNION ALL {rest})"
        series = f"({numbers} SELECT n FROM numbers) AS series"  # noqa: S608
    value = row._meta.pk.get_db_prep_value(row.pk, connection)
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{table}" ({columns}) '  # noqa: S608
            f'SELECT {values} FROM "{table}" AS original, {series} WHERE original."{key}" = %s',
            [value],
        )


def tidy(*models: type[Model]) -> None:
    """Make keys continue after the copies, and update the statistics of the query planner."""
    from django.core.management.color import no_style
    from django.db import connection

    with connection.cursor() as cursor:
        for sql in connection.ops.sequence_reset_sql(no_style(), models):
            cursor.execute(sql)
        cursor.execute("ANALYZE" if connection.vendor == "sqlite" else "VACUUM ANALYZE")


def sign_in(site: Site, people: int) -> Any:
    """Sign in users chosen among all users, with :func:`benchmarks.tasks.sign_in.sign_in`."""
    chosen = random.Random(2).sample(range(1, site.next_person), people)
    return {which: sign_in_each(site, chosen) for which in ("first", "steady")}


def commands(site: Site, times: int) -> Any:
    """Run the commands of a site's staff, and return ``{command: [seconds, ...]}``."""
    return {
        "mfa_status": [timed_command("mfa_status") for _ in range(times)],
        "mfa_status USER": [timed_command("mfa_status", "user7") for _ in range(times)],
    }


def timed_command(*arguments: str) -> float:
    from django.core.management import call_command

    began = time.perf_counter()
    call_command(*arguments, stdout=io.StringIO())
    return time.perf_counter() - began


ADMIN_PAGES = {
    "users": "admin/auth/user/",
    "users, as Django lists them": "plain-admin/auth/user/",
    "users, searched by name": "admin/auth/user/?q=user77",
    "users, searched by name, as Django does": "plain-admin/auth/user/?q=user77",
    "phones": "admin/bandwidth_mfa/phone/",
    "phones, searched by name": "admin/bandwidth_mfa/phone/?q=user77",
    "codes": "admin/bandwidth_mfa/challenge/",
    "codes, searched by name": "admin/bandwidth_mfa/challenge/?q=user77",
    "counters": "admin/bandwidth_mfa/counter/",
}


def admin(site: Site, times: int) -> Any:
    """Ask for pages of the admin, and return ``{page: [seconds, ...]}``."""
    from django.contrib.auth.models import User

    from benchmarks.sites.making import PASSWORD

    User.objects.create_superuser("staff", password=PASSWORD)
    browser = Browser(site.application)
    browser.ask(get("/login/"))
    browser.ask(post("/login/", username="staff", password=PASSWORD))
    durations = {}
    for name, path in ADMIN_PAGES.items():
        answers = [browser.ask(get(f"/{path}")) for _ in range(times)]
        if {answer.status for answer in answers} != {200}:
            raise RuntimeError(f"/{path} answers {answers[0].status} {answers[0].location}")
        durations[name] = [answer.wall / 1e9 for answer in answers]
    return durations


def sizes(site: Site) -> Any:
    """Return the size of each table: ``{table: {"rows": n, "bytes": n, "indexes": bytes}}``.

    The result is empty on SQLite, which keeps all tables in one file.
    """
    from django.apps import apps
    from django.db import connection

    if connection.vendor == "sqlite":
        return {}
    tables = {}
    with connection.cursor() as cursor:
        for model in apps.get_app_config("bandwidth_mfa").get_models():
            name = model._meta.db_table
            cursor.execute("SELECT pg_table_size(%s), pg_indexes_size(%s)", [name, name])
            table, indexes = cursor.fetchone()
            rows = model._default_manager.count()
            tables[name] = {"rows": rows, "bytes": table, "indexes": indexes}
    return tables


def purge(site: Site) -> Any:
    """Run ``mfa_purge`` a day later, when all spent codes and counters have expired.

    :returns: ``{table: [[seconds, rows], ...]}``: the duration of each deletion, with the work
        since the previous deletion, and the number of deleted rows.
    """
    import time_machine
    from django.core.management import call_command
    from django.db import connection

    deletions = Deletions()
    with (
        time_machine.travel(time.time() + 86400, tick=True),
        connection.execute_wrapper(deletions.note),
    ):
        call_command("mfa_purge", stdout=io.StringIO(), stderr=io.StringIO())
    return deletions.by_table


class Deletions:
    """The deletions that were made while :meth:`note` was the wrapper of all statements."""

    PATTERN = re.compile('DELETE FROM "(\\w+)"')

    def __init__(self) -> None:
        self.by_table: dict[str, list[tuple[float, int]]] = {}
        self._last = time.perf_counter()

    def note(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        # Work between two deletions, such as finding the rows, counts for the second deletion.
        now = time.perf_counter()
        if match := self.PATTERN.match(sql):
            rows = context["cursor"].rowcount
            self.by_table.setdefault(match[1], []).append((now - self._last, rows))
            self._last = now
        return result
