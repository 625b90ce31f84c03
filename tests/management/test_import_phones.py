"""The import of phones from a file, and from tables of other packages."""

from __future__ import annotations

import csv as csv_files
import io
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_bandwidth_mfa.management import other_devices
from django_bandwidth_mfa.management.commands import mfa_import_phones
from django_bandwidth_mfa.models import Phone
from tests.browsing import give_password
from tests.conftest import NUMBER, OTHER_NUMBER, make_user

pytestmark = pytest.mark.django_db

TWO_FACTOR, TWILIO = "two_factor_phonedevice", "otp_twilio_twiliosmsdevice"
SOURCES = [("two-factor-auth", TWO_FACTOR), ("otp-twilio", TWILIO)]
THIRD_NUMBER = "+12025550188"
TOTP, STATIC, STATIC_TOKEN = (
    "otp_totp_totpdevice",
    "otp_static_staticdevice",
    "otp_static_statictoken",
)
WEBAUTHN = "two_factor_webauthn_webauthndevice"


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("mfa_import_phones", *arguments, stdout=out)
    return out.getvalue()


def phones() -> set[tuple[str, str, bool]]:
    return {(one.user.username, one.number, one.is_primary) for one in Phone.objects.all()}


# Tables ----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Create the other packages' tables, with the columns that the import reads.

    This happens once, outside of any test's transaction: MariaDB ends a transaction at each CREATE.
    """
    with django_db_blocker.unblock():
        user_id = get_user_model()._meta.pk.rel_db_type(connection)
        serial = {
            "sqlite": "integer PRIMARY KEY AUTOINCREMENT",
            "postgresql": "serial PRIMARY KEY",
            "mysql": "integer PRIMARY KEY AUTO_INCREMENT",
        }[connection.vendor]
        columns = f"id {serial}, user_id {user_id}, name varchar(64), confirmed bool"
        tables = {
            TWO_FACTOR: f"{columns}, number varchar(128), method varchar(4)",
            TWILIO: f"{columns}, number varchar(32)",
            TOTP: columns,
            STATIC: columns,
            STATIC_TOKEN: f"id {serial}, device_id integer, token varchar(16)",
            WEBAUTHN: columns,
        }
        with connection.cursor() as cursor:
            for table, its_columns in tables.items():
                cursor.execute(f"DROP TABLE IF EXISTS {table}")
                cursor.execute(f"CREATE TABLE {table} ({its_columns})")
        yield
        with connection.cursor() as cursor:
            for table in tables:
                cursor.execute(f"DROP TABLE {table}")


def insert(table: str, **values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(['%s'] * len(values))})",
            list(values.values()),
        )


def key(pk: Any) -> Any:
    return get_user_model()._meta.pk.get_db_prep_value(pk, connection)


def device(
    table: str,
    pk: Any,
    number: str,
    name: str = "default",
    confirmed: bool = True,
    method: str = "sms",
) -> None:
    more = {"method": method} if table == TWO_FACTOR else {}
    insert(table, user_id=key(pk), name=name, confirmed=confirmed, number=number, **more)


def other_device(table: str, user: Any, *, confirmed: bool = True, tokens: int = 1) -> None:
    """Insert a device that is not a phone. A device of backup codes has ``tokens`` codes."""
    insert(table, user_id=key(user.pk), name="default", confirmed=confirmed)
    if table == STATIC:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT max(id) FROM {STATIC}")
            [newest] = cursor.fetchone()
        for n in range(tokens):
            insert(STATIC_TOKEN, device_id=newest, token=f"token{n}")


@pytest.mark.parametrize(("source", "table"), SOURCES)
def test_a_devices_phone_is_imported_and_signs_in(
    client: Any, newcomer: Any, bandwidth: Any, tables: None, source: str, table: str
) -> None:
    device(table, newcomer.pk, NUMBER)
    assert run(source, "--write").startswith("Imported 1 phone.")
    assert phones() == {("newcomer", NUMBER, True)}
    give_password(client, newcomer)
    client.get("/mfa/verify/")
    assert bandwidth.inbox[0]["to"] == NUMBER


@pytest.mark.parametrize(("source", "table"), SOURCES)
def test_an_unconfirmed_device_is_left_out(
    newcomer: Any, tables: None, source: str, table: str
) -> None:
    """Fails when ``confirmed`` is not checked: codes would go to a number that nobody has
    confirmed."""
    device(table, newcomer.pk, NUMBER, confirmed=False)
    assert "1 row: unconfirmed, left out" in run(source, "--write")
    assert phones() == set()


@pytest.mark.package("django-two-factor-auth")
def test_the_default_device_is_the_primary_phone(newcomer: Any, tables: None) -> None:
    for number, name in ((NUMBER, "backup"), (OTHER_NUMBER, "default"), (THIRD_NUMBER, "work")):
        device(TWO_FACTOR, newcomer.pk, number, name)
    run("two-factor-auth", "--write")
    assert {(one.number, one.is_primary, one.name) for one in Phone.objects.all()} == {
        (NUMBER, False, ""),
        (OTHER_NUMBER, True, ""),
        (THIRD_NUMBER, False, "work"),
    }


def test_the_default_device_is_the_primary_phone_across_batches(
    newcomer: Any, tables: None, monkeypatch: Any
) -> None:
    monkeypatch.setattr(mfa_import_phones, "BATCH", 1)
    test_the_default_device_is_the_primary_phone(newcomer, tables)


def test_a_primary_phone_of_the_users_own_stays(user: Any, tables: None) -> None:
    """Fails when an imported phone replaces it: codes would go to another phone than before."""
    device(TWO_FACTOR, user.pk, OTHER_NUMBER)
    run("two-factor-auth", "--write")
    assert phones() == {("ada", NUMBER, True), ("ada", OTHER_NUMBER, False)}


def test_a_phone_that_waits_for_its_code_becomes_confirmed(newcomer: Any, tables: None) -> None:
    Phone.objects.create(user=newcomer, number=NUMBER)
    device(TWO_FACTOR, newcomer.pk, NUMBER)
    run("two-factor-auth", "--write")
    assert Phone.objects.get().confirmed_at is not None
    assert Phone.objects.get().is_primary


def test_a_device_without_a_user_is_reported(tables: None, db: None) -> None:
    is_uuid = isinstance(get_user_model()._meta.pk, models.UUIDField)
    device(TWO_FACTOR, uuid.uuid4() if is_uuid else 4242, NUMBER)
    output = run("two-factor-auth", "--write")
    assert "no such user: row " in output
    assert ", ••42)" in output
    assert "1 row: no such user" in output


def test_numbers_are_refused_as_everywhere_and_the_rest_goes_on(
    newcomer: Any, tables: None, configure: Any
) -> None:
    """Fails when an imported number is not checked in the same way as a typed number."""
    configure(ALLOWED_REGIONS=["US"])
    for number in ("+447400123456", "12", "+18005550199", "tel:+1-202-555-0142"):
        device(TWO_FACTOR, newcomer.pk, number, name="backup")
    output = run("two-factor-auth", "--write")
    assert phones() == {("newcomer", NUMBER, True)}
    assert "We cannot send codes to this country" in output
    assert "We cannot send codes to this kind of number" in output
    assert "Check the phone number." in output or "Begin with your country code" in output
    assert "7400123456" not in output


@pytest.mark.parametrize(("source", "table"), SOURCES)
def test_without_write_nothing_is_written(
    newcomer: Any, tables: None, source: str, table: str
) -> None:
    device(table, newcomer.pk, NUMBER)
    output = run(source)
    assert "Would import 1 phone." in output
    assert "Nothing was written. Add --write to import the phones." in output
    assert phones() == set()


def test_it_can_be_run_again(tables: None, db: None, monkeypatch: Any) -> None:
    monkeypatch.setattr(mfa_import_phones, "BATCH", 2)
    for n in range(5):
        device(TWO_FACTOR, make_user(f"user{n}").pk, f"+1206555{n:04}")
    assert "Imported 5 phones." in run("two-factor-auth", "--write")
    before = list(Phone.objects.order_by("pk").values())
    output = run("two-factor-auth", "--write")
    assert "Imported 0 phones." in output
    assert "5 rows: already there" in output
    assert list(Phone.objects.order_by("pk").values()) == before


@pytest.mark.django_db(transaction=True)
def test_an_interruption_loses_nothing_and_it_goes_on(tables: None, monkeypatch: Any) -> None:
    """Rows that were written stay. A batch is written completely or not at all."""
    monkeypatch.setattr(mfa_import_phones, "BATCH", 2)
    users = [make_user(f"user{n}") for n in range(6)]
    try:
        for n, user in enumerate(users):
            device(TWO_FACTOR, user.pk, f"+1206555{n:04}")

        def interrupt(*args: Any, **kwargs: Any) -> None:
            if Phone.objects.count() == 2:
                raise KeyboardInterrupt

        with (
            connection.execute_wrapper(_before_inserts(interrupt)),
            pytest.raises(KeyboardInterrupt),
        ):
            run("two-factor-auth", "--write")
        assert Phone.objects.count() == 2
        assert "Imported 4 phones." in run("two-factor-auth", "--write")
        assert Phone.objects.filter(is_primary=True).count() == 6
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {TWO_FACTOR}")


def _before_inserts(work: Any) -> Any:
    def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("INSERT") and "bandwidth_mfa_phone" in sql:
            work()
        return execute(sql, params, many, context)

    return wrapper


def test_more_devices_in_a_batch_take_no_more_queries(tables: None, db: None) -> None:
    def count_queries(first: int, end: int) -> int:
        for n in range(first, end):
            user = make_user(f"user{n}")
            device(TWO_FACTOR, user.pk, f"+1206555{n:04}")
            other_device(TOTP, user)
        with CaptureQueriesContext(connection) as queries:
            run("two-factor-auth", "--write")
        return len(queries)

    assert count_queries(0, 2) >= count_queries(2, 50)
    assert Phone.objects.count() == 50


def test_a_table_that_is_missing_or_has_other_columns_is_reported(
    db: None, monkeypatch: Any
) -> None:
    monkeypatch.setitem(mfa_import_phones.TABLES, "otp-twilio", "nowhere")
    with pytest.raises(CommandError, match="There is no table nowhere"):
        run("otp-twilio")
    monkeypatch.setitem(mfa_import_phones.TABLES, "otp-twilio", "django_session")
    with pytest.raises(CommandError, match="django_session has no column confirmed, id"):
        run("otp-twilio")


def test_a_missing_database_is_reported(db: None) -> None:
    with pytest.raises(CommandError, match="no database 'elsewhere'"):
        run("otp-twilio", "--database", "elsewhere")


def test_a_device_that_is_called_there_is_called_here(
    client: Any, newcomer: Any, bandwidth: Any, tables: None
) -> None:
    """Fails when ``method`` is not read: a landline would get a text message."""
    device(TWO_FACTOR, newcomer.pk, NUMBER, method="call")
    device(TWO_FACTOR, newcomer.pk, OTHER_NUMBER, name="backup", method="sms")
    output = run("two-factor-auth", "--write")
    assert "1 of them will be called, as in the source\n" in output
    assert [(one.number, one.channel) for one in Phone.objects.all()] == [
        (NUMBER, "voice"),
        (OTHER_NUMBER, "sms"),
    ]
    give_password(client, newcomer)
    client.get("/mfa/verify/")
    assert [(one["to"], one["channel"]) for one in bandwidth.inbox] == [(NUMBER, "voice")]


def test_the_output_says_that_the_site_makes_no_calls(
    newcomer: Any, tables: None, configure: Any
) -> None:
    configure(VOICE_APPLICATION_ID=None)
    device(TWO_FACTOR, newcomer.pk, NUMBER, method="call")
    assert "without VOICE_APPLICATION_ID this site calls nobody" in run("two-factor-auth")


def test_a_phone_of_somebody_who_began_to_add_it_is_called_too(newcomer: Any, tables: None) -> None:
    Phone.objects.create(user=newcomer, number=NUMBER)
    device(TWO_FACTOR, newcomer.pk, NUMBER, method="call")
    run("two-factor-auth", "--write")
    assert Phone.objects.confirmed().get().channel == "voice"


# Users' names -----------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [(), ("--write",)])
def test_a_refused_row_names_its_user_and_not_its_number(
    newcomer: Any, tables: None, configure: Any, arguments: tuple[str, ...]
) -> None:
    """Fails when only the row is named: staff would have to search for the user by hand."""
    configure(ALLOWED_REGIONS=["US"])
    device(TWO_FACTOR, newcomer.pk, "+447400123456")
    output = run("two-factor-auth", *arguments)
    assert f"(newcomer, pk {newcomer.pk}, ••56)" in output
    assert "7400123456" not in output


def test_a_name_that_is_a_number_is_masked_and_one_with_control_characters_is_tamed(
    tables: None, db: None, tmp_path: Path
) -> None:
    """Fails when the name is printed without a change: it may be a full number, or contain control
    characters that forge a line."""
    for name in ("+1 (202) 555-0199", "ada\nImported 9 phones."):
        device(TWO_FACTOR, make_user(name).pk, "12")
    path = tmp_path / "list.csv"
    output = run("two-factor-auth", "--list", str(path))
    assert "(••99, pk " in output
    assert "555-0199" not in output + path.read_text()
    assert "\nImported 9 phones." not in output


@pytest.mark.parametrize("arguments", [(), ("--write",)])
def test_users_who_lose_a_device_are_named_and_counted(
    tables: None, db: None, bandwidth: Any, configure: Any, arguments: tuple[str, ...]
) -> None:
    """Fails when one table of django-otp is not read. Fails when unconfirmed devices count, or
    backup codes that are all used. Fails when the phones that this run imports are ignored."""
    configure(ALLOWED_REGIONS=["US"])
    both, app_only, refused, phone_only, had_one, nothing_there = (
        make_user(name) for name in ("both", "apponly", "refused", "phoneonly", "hadone", "nothing")
    )
    device(TWO_FACTOR, both.pk, NUMBER)
    other_device(STATIC, both)
    other_device(WEBAUTHN, both)
    other_device(TOTP, app_only)
    device(TWO_FACTOR, refused.pk, "+447400123456")
    device(TWO_FACTOR, phone_only.pk, OTHER_NUMBER)
    Phone.objects.create(user=had_one, number=NUMBER, confirmed_at=timezone.now(), is_primary=True)
    other_device(TOTP, had_one)
    device(TWO_FACTOR, had_one.pk, "12", name="backup")
    other_device(STATIC, nothing_there, tokens=0)
    other_device(TOTP, nothing_there, confirmed=False)
    output = run("two-factor-auth", *arguments).splitlines()
    [none] = [line for line in output if " NO second factor" in line]
    [one] = [line for line in output if " with a phone here" in line]
    assert none == (
        "2 users with NO second factor once the other package is gone: "
        f"apponly, pk {app_only.pk} (authenticator app), "
        f"refused, pk {refused.pk} (phone that is refused)"
    )
    assert one.startswith("2 users with a phone here, and another device that is not imported: ")
    assert f"both, pk {both.pk} (backup codes, security key)" in one
    assert f"hadone, pk {had_one.pk} (authenticator app)" in one


def test_the_output_says_that_nobody_loses_a_device(newcomer: Any, tables: None) -> None:
    device(TWO_FACTOR, newcomer.pk, NUMBER)
    output = run("two-factor-auth", "--write")
    assert "0 users with another device that is not imported" in output
    assert "NO second factor" not in output


def test_phones_of_the_other_package_are_not_imported_either(newcomer: Any, tables: None) -> None:
    device(TWILIO, newcomer.pk, NUMBER)
    output = run("two-factor-auth")
    assert (
        "1 user with NO second factor once the other package is gone: "
        f"newcomer, pk {newcomer.pk} (phone in django-otp-twilio)\n"
    ) in output


def test_a_file_from_elsewhere_says_nothing_of_devices(
    newcomer: Any, tables: None, csv: Any
) -> None:
    """A site that imports a file may continue to use the other package."""
    other_device(TOTP, newcomer)
    assert "authenticator" not in run(csv(f"username,number\nnewcomer,{NUMBER}\n"))


def test_the_devices_are_read_page_by_page_and_each_user_is_named_once(
    tables: None, db: None, monkeypatch: Any, tmp_path: Path
) -> None:
    """Fails when a page ends between two devices of one user, or when the next page begins with the
    same user."""
    monkeypatch.setattr(other_devices, "PAGE", 2)
    users = [make_user(f"user{n}") for n in range(7)]
    for n, user in enumerate(users):
        for table in ((TOTP, STATIC, WEBAUTHN), (STATIC,), (TOTP, WEBAUTHN))[n % 3]:
            other_device(table, user)
            other_device(table, user)
    path = tmp_path / "list.csv"
    output = run("two-factor-auth", "--list", str(path))
    assert "7 users with NO second factor once the other package is gone: " in output
    rows = list(csv_files.DictReader(path.read_text().splitlines()))
    kinds = ["authenticator app, backup codes, security key", "backup codes"]
    kinds.append("authenticator app, security key")
    assert sorted((row["username"], row["detail"]) for row in rows) == [
        (f"user{n}", kinds[n % 3]) for n in range(7)
    ]


def test_the_list_names_all_and_only_its_owner_can_read_it(
    tables: None, db: None, tmp_path: Path
) -> None:
    """Fails when the file has the default permissions of a new file. Fails when the file has only
    the names that the screen shows."""
    path = tmp_path / "list.csv"
    users = [make_user(f"user{n:02}") for n in range(25)]
    for user in users:
        other_device(TOTP, user)
    short = run("two-factor-auth")
    assert " and 5 more (--list FILE names all)" in short
    output = run("two-factor-auth", "--list", str(path))
    assert f"The whole lists are in {path}." in output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    rows = list(csv_files.DictReader(path.read_text().splitlines()))
    # Rows are in the order of the keys. For UUIDs, users were not created in that order.
    assert next(row for row in rows if row["username"] == "user00") == {
        "what": "NO second factor once the other package is gone",
        "username": "user00",
        "pk": str(users[0].pk),
        "place": "",
        "detail": "authenticator app",
    }
    assert len(rows) == 25


def test_a_name_is_no_formula_in_a_spreadsheet(tables: None, db: None, tmp_path: Path) -> None:
    """Fails when the cell contains the name unchanged: a spreadsheet would run it as a formula."""
    path = tmp_path / "list.csv"
    other_device(TOTP, make_user("@SUM(A1:A9)"))
    run("two-factor-auth", "--list", str(path))
    [row] = csv_files.DictReader(path.read_text().splitlines())
    assert row["username"] == "'@SUM(A1:A9)"


def test_a_list_that_cannot_be_written_is_reported_before_anything_is_done(
    newcomer: Any, tables: None, tmp_path: Path
) -> None:
    device(TWO_FACTOR, newcomer.pk, NUMBER)
    with pytest.raises(CommandError, match="cannot be written"):
        run("two-factor-auth", "--write", "--list", str(tmp_path))
    assert phones() == set()


@pytest.mark.parametrize("arguments", [(), ("--write",)])
def test_the_same_number_twice_is_counted_once_and_named(
    newcomer: Any, tables: None, monkeypatch: Any, arguments: tuple[str, ...]
) -> None:
    """The number is in two batches. Fails when a run without --write does not remember the numbers
    that it would write."""
    monkeypatch.setattr(mfa_import_phones, "BATCH", 1)
    device(TWO_FACTOR, newcomer.pk, NUMBER)
    device(TWO_FACTOR, newcomer.pk, NUMBER, name="backup")
    output = run("two-factor-auth", *arguments)
    assert ("Imported 1 phone." if arguments else "Would import 1 phone.") in output
    assert "1 row: the same number again, left out" in output
    assert "the same number again, left out: row " in output
    assert f"(newcomer, pk {newcomer.pk}, ••42)" in output


def test_a_table_of_devices_with_other_columns_is_reported(
    newcomer: Any, tables: None, monkeypatch: Any
) -> None:
    monkeypatch.setitem(other_devices.KINDS, "django_session", "session")
    with pytest.raises(CommandError, match="django_session has no column confirmed, user_id"):
        run("two-factor-auth")


# CSV -------------------------------------------------------------------------------------------


@pytest.fixture
def csv(tmp_path: Path) -> Any:
    def write(text: str, encoding: str = "utf-8") -> str:
        path = tmp_path / "phones.csv"
        path.write_text(text, encoding=encoding)
        return str(path)

    return write


def test_a_file_is_taken_over(newcomer: Any, user: Any, csv: Any) -> None:
    file = csv(
        "username,number,name,primary\n"
        f"newcomer,{OTHER_NUMBER},work,\n"
        f"newcomer,(202) 555-0188,mine,yes\n"
        f"ada,{NUMBER},,\n",
        encoding="utf-8-sig",
    )
    output = run(file, "--write")
    assert "Imported 1 phone." in output  # no DEFAULT_REGION: the second has no country code
    assert "line 3" in output
    assert "1 row: already there" in output


def test_a_file_says_which_phones_are_called(newcomer: Any, csv: Any) -> None:
    file = csv(
        "username,number,channel\n"
        f"newcomer,{NUMBER},voice\nnewcomer,{OTHER_NUMBER},\nnewcomer,{THIRD_NUMBER},fax\n"
    )
    output = run(file, "--write")
    assert "refused: The channel is sms or voice.: line 4 (newcomer, " in output
    assert {(one.number, one.channel) for one in Phone.objects.all()} == {
        (NUMBER, "voice"),
        (OTHER_NUMBER, ""),
    }


def test_numbers_are_read_in_the_sites_region(newcomer: Any, csv: Any, configure: Any) -> None:
    configure(DEFAULT_REGION="US")
    file = csv(
        f"number,username,primary\n{OTHER_NUMBER},newcomer,no\n(202) 555-0188,newcomer,yes\n"
    )
    run(file, "--write")
    assert phones() == {("newcomer", OTHER_NUMBER, False), ("newcomer", THIRD_NUMBER, True)}


def test_an_unknown_user_is_reported_with_the_line(newcomer: Any, csv: Any) -> None:
    file = csv("username,number\n" + "".join(f"nobody,+1206555{n:04}\n" for n in range(25)))
    output = run(file, "--write")
    assert "no such user: line 2 (nobody, ••00), " in output
    assert " and 5 more" in output
    assert "25 rows: no such user" in output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it has nothing"),
        ("user;phone\n", "it has user;phone"),
        ("number\n+1", "it has number"),
    ],
)
def test_other_columns_are_reported(db: None, csv: Any, text: str, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run(csv(text))


def test_a_file_that_cannot_be_read_is_reported(db: None, csv: Any, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        run(csv("username,number\nada,é", encoding="latin-1"))
    with pytest.raises(CommandError, match="cannot be read"):
        run(str(tmp_path / "missing.csv"))
    with pytest.raises(CommandError, match="cannot be read"):
        run(str(tmp_path))


def test_short_lines_are_reported(newcomer: Any, csv: Any) -> None:
    output = run(csv("username,number\nnewcomer\n,\n"), "--write")
    assert "refused" in output
    assert "no such user: line 3" in output


def test_standard_input_is_read(newcomer: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"username,number\nnewcomer,{NUMBER}\n"))
    assert "Imported 1 phone." in run("-", "--write")


def test_a_site_that_keeps_the_numbers_imports_none(db: None, csv: Any, configure: Any) -> None:
    configure(GET_PHONES="tests.test_admin.numbers")
    with pytest.raises(CommandError, match="GET_PHONES"):
        run(csv("username,number\n"))


def test_a_phone_added_at_the_same_moment_is_reported(newcomer: Any, csv: Any) -> None:
    """Fails when the output shows the database's own error."""

    def add() -> None:
        Phone.objects.create(user=newcomer, number=NUMBER, confirmed_at=timezone.now())

    file = csv(f"username,number\nnewcomer,{NUMBER}\n")
    with (
        connection.execute_wrapper(_before_inserts(_once(add))),
        pytest.raises(CommandError, match="Run the command again"),
    ):
        run(file, "--write")


def _once(work: Any) -> Any:
    done: list[bool] = []

    def once() -> None:
        if not done:
            done.append(True)
            work()

    return once
