"""Taking phones over from a file, and from other packages' tables."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.utils import timezone

from django_bandwidth_mfa.management.commands import mfa_import_phones
from django_bandwidth_mfa.models import Phone
from tests.browsing import give_password
from tests.conftest import NUMBER, OTHER_NUMBER, make_user

pytestmark = pytest.mark.django_db

TWO_FACTOR, TWILIO = "two_factor_phonedevice", "otp_twilio_twiliosmsdevice"
SOURCES = [("two-factor-auth", TWO_FACTOR), ("otp-twilio", TWILIO)]
THIRD_NUMBER = "+12025550188"


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("mfa_import_phones", *arguments, stdout=out)
    return out.getvalue()


def phones() -> set[tuple[str, str, bool]]:
    return {(one.user.username, one.number, one.is_primary) for one in Phone.objects.all()}


# Tables ----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The two packages' tables, with the columns that their migrations make.

    Once, outside of any test's transaction: MariaDB ends one at each CREATE.
    """
    with django_db_blocker.unblock():
        user_id = get_user_model()._meta.pk.rel_db_type(connection)
        serial = {
            "sqlite": "integer PRIMARY KEY AUTOINCREMENT",
            "postgresql": "serial PRIMARY KEY",
            "mysql": "integer PRIMARY KEY AUTO_INCREMENT",
        }[connection.vendor]
        with connection.cursor() as cursor:
            for table, length in ((TWO_FACTOR, 128), (TWILIO, 32)):
                cursor.execute(f"DROP TABLE IF EXISTS {table}")
                cursor.execute(
                    f"CREATE TABLE {table} (id {serial}, user_id {user_id}, name varchar(64), "
                    f"confirmed bool, number varchar({length}))"
                )
        yield
        with connection.cursor() as cursor:
            for table in (TWO_FACTOR, TWILIO):
                cursor.execute(f"DROP TABLE {table}")


def device(table: str, pk: Any, number: str, name: str = "default", confirmed: bool = True) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (user_id, name, confirmed, number) VALUES (%s, %s, %s, %s)",
            [get_user_model()._meta.pk.get_db_prep_value(pk, connection), name, confirmed, number],
        )


@pytest.mark.parametrize(("source", "table"), SOURCES)
def test_a_devices_phone_is_taken_over_and_signs_in(
    client: Any, newcomer: Any, bandwidth: Any, tables: None, source: str, table: str
) -> None:
    device(table, newcomer.pk, NUMBER)
    assert run(source, "--write").startswith("Imported 1 phones.")
    assert phones() == {("newcomer", NUMBER, True)}
    give_password(client, newcomer)
    client.get("/mfa/verify/")
    assert bandwidth.inbox[0]["to"] == NUMBER


@pytest.mark.parametrize(("source", "table"), SOURCES)
def test_an_unconfirmed_device_is_left_out(
    newcomer: Any, tables: None, source: str, table: str
) -> None:
    """Fails when ``confirmed`` is not looked at: codes would go to a number nobody has proven."""
    device(table, newcomer.pk, NUMBER, confirmed=False)
    assert "1 unconfirmed, left out" in run(source, "--write")
    assert phones() == set()


def test_the_default_device_is_the_primary_phone(newcomer: Any, tables: None) -> None:
    for number, name in ((NUMBER, "backup"), (OTHER_NUMBER, "default"), (THIRD_NUMBER, "work")):
        device(TWO_FACTOR, newcomer.pk, number, name)
    run("two-factor-auth", "--write")
    assert {(one.number, one.is_primary, one.name) for one in Phone.objects.all()} == {
        (NUMBER, False, ""),
        (OTHER_NUMBER, True, ""),
        (THIRD_NUMBER, False, "work"),
    }


def test_so_it_is_across_batches(newcomer: Any, tables: None, monkeypatch: Any) -> None:
    monkeypatch.setattr(mfa_import_phones, "BATCH", 1)
    test_the_default_device_is_the_primary_phone(newcomer, tables)


def test_a_primary_phone_of_the_users_own_stays(user: Any, tables: None) -> None:
    """Fails when an imported phone takes its place: codes would go elsewhere than yesterday."""
    device(TWO_FACTOR, user.pk, OTHER_NUMBER)
    run("two-factor-auth", "--write")
    assert phones() == {("ada", NUMBER, True), ("ada", OTHER_NUMBER, False)}


def test_a_phone_that_waits_for_its_code_becomes_confirmed(newcomer: Any, tables: None) -> None:
    Phone.objects.create(user=newcomer, number=NUMBER)
    device(TWO_FACTOR, newcomer.pk, NUMBER)
    run("two-factor-auth", "--write")
    assert Phone.objects.get().confirmed_at is not None
    assert Phone.objects.get().is_primary


def test_a_device_of_nobody_is_told(tables: None, db: None) -> None:
    is_uuid = isinstance(get_user_model()._meta.pk, models.UUIDField)
    device(TWO_FACTOR, uuid.uuid4() if is_uuid else 4242, NUMBER)
    told = run("two-factor-auth", "--write")
    assert "no such user: row " in told
    assert "(••42)" in told
    assert "1 no such user" in told


def test_numbers_are_refused_as_everywhere_and_the_rest_goes_on(
    newcomer: Any, tables: None, configure: Any
) -> None:
    """Fails when an imported number is not checked as a typed one is."""
    configure(ALLOWED_REGIONS=["US"])
    for number in ("+447400123456", "12", "+18005550199", "tel:+1-202-555-0142"):
        device(TWO_FACTOR, newcomer.pk, number, name="backup")
    told = run("two-factor-auth", "--write")
    assert phones() == {("newcomer", NUMBER, True)}
    assert "We cannot send codes to this country" in told
    assert "We cannot send codes to this kind of number" in told
    assert "This is not a phone number" in told or "Start with +" in told
    assert "7400123456" not in told


@pytest.mark.parametrize(("source", "table"), SOURCES)
def test_without_write_nothing_is_written(
    newcomer: Any, tables: None, source: str, table: str
) -> None:
    device(table, newcomer.pk, NUMBER)
    told = run(source)
    assert "Would import 1 phones." in told
    assert "Nothing was written; add --write to do it." in told
    assert phones() == set()


def test_it_can_be_run_again(tables: None, db: None, monkeypatch: Any) -> None:
    monkeypatch.setattr(mfa_import_phones, "BATCH", 2)
    for n in range(5):
        device(TWO_FACTOR, make_user(f"user{n}").pk, f"+1206555{n:04}")
    assert "Imported 5 phones." in run("two-factor-auth", "--write")
    before = list(Phone.objects.order_by("pk").values())
    told = run("two-factor-auth", "--write")
    assert "Imported 0 phones." in told
    assert "5 already there" in told
    assert list(Phone.objects.order_by("pk").values()) == before


@pytest.mark.django_db(transaction=True)
def test_an_interruption_loses_nothing_and_it_goes_on(tables: None, monkeypatch: Any) -> None:
    """What was written stays; a batch is written whole or not at all."""
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


def test_a_batch_takes_few_queries(
    tables: None, db: None, django_assert_max_num_queries: Any
) -> None:
    for n in range(50):
        device(TWO_FACTOR, make_user(f"user{n}").pk, f"+1206555{n:04}")
    with django_assert_max_num_queries(20):
        run("two-factor-auth", "--write")
    assert Phone.objects.count() == 50


def test_a_table_that_is_not_there_or_has_other_columns_is_told(db: None, monkeypatch: Any) -> None:
    monkeypatch.setitem(mfa_import_phones.TABLES, "otp-twilio", "nowhere")
    with pytest.raises(CommandError, match="There is no table nowhere"):
        run("otp-twilio")
    monkeypatch.setitem(mfa_import_phones.TABLES, "otp-twilio", "django_session")
    with pytest.raises(CommandError, match="django_session has no column confirmed, id"):
        run("otp-twilio")


def test_a_database_that_is_not_there_is_told(db: None) -> None:
    with pytest.raises(CommandError, match="no database 'elsewhere'"):
        run("otp-twilio", "--database", "elsewhere")


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
    told = run(file, "--write")
    assert "Imported 1 phones." in told  # no DEFAULT_REGION: the second has no country code
    assert "line 3" in told
    assert "1 already there" in told


def test_numbers_are_read_in_the_sites_region(newcomer: Any, csv: Any, configure: Any) -> None:
    configure(DEFAULT_REGION="US")
    file = csv(
        f"number,username,primary\n{OTHER_NUMBER},newcomer,no\n(202) 555-0188,newcomer,yes\n"
    )
    run(file, "--write")
    assert phones() == {("newcomer", OTHER_NUMBER, False), ("newcomer", THIRD_NUMBER, True)}


def test_an_unknown_user_is_told_by_line(newcomer: Any, csv: Any) -> None:
    file = csv("username,number\n" + "".join(f"nobody,+1206555{n:04}\n" for n in range(25)))
    told = run(file, "--write")
    assert "no such user: line 2 (••00), " in told
    assert " and 5 more" in told
    assert "25 no such user" in told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it has nothing"),
        ("user;phone\n", "it has user;phone"),
        ("number\n+1", "it has number"),
    ],
)
def test_other_columns_are_told(db: None, csv: Any, text: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run(csv(text))


def test_a_file_that_cannot_be_read_is_told(db: None, csv: Any, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        run(csv("username,number\nada,é", encoding="latin-1"))
    with pytest.raises(CommandError, match="cannot be read"):
        run(str(tmp_path / "missing.csv"))
    with pytest.raises(CommandError, match="cannot be read"):
        run(str(tmp_path))


def test_short_lines_are_told(newcomer: Any, csv: Any) -> None:
    told = run(csv("username,number\nnewcomer\n,\n"), "--write")
    assert "refused" in told
    assert "no such user: line 3" in told


def test_standard_input_is_read(newcomer: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"username,number\nnewcomer,{NUMBER}\n"))
    assert "Imported 1 phones." in run("-", "--write")


def test_a_site_that_keeps_the_numbers_imports_none(db: None, csv: Any, configure: Any) -> None:
    configure(GET_PHONES="tests.test_admin.numbers")
    with pytest.raises(CommandError, match="GET_PHONES"):
        run(csv("username,number\n"))


def test_a_phone_added_at_the_same_moment_is_told(newcomer: Any, csv: Any) -> None:
    """Fails when the database's error is shown as it is."""

    def add() -> None:
        Phone.objects.create(user=newcomer, number=NUMBER, confirmed_at=timezone.now())

    file = csv(f"username,number\nnewcomer,{NUMBER}\n")
    with (
        connection.execute_wrapper(_before_inserts(_once(add))),
        pytest.raises(CommandError, match="Run it again"),
    ):
        run(file, "--write")


def _once(work: Any) -> Any:
    done: list[bool] = []

    def once() -> None:
        if not done:
            done.append(True)
            work()

    return once
