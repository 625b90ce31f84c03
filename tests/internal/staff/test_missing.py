"""Users who need a phone and have none: the reminder, ``mfa_status --missing``, the admin's
filter."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from django_bandwidth_mfa.internal.staff import missing
from django_bandwidth_mfa.models import Phone
from django_bandwidth_mfa.policies import (
    all_of,
    any_of,
    enrolled,
    everyone,
    from_date,
    groups,
    staff,
    unless,
)
from django_bandwidth_mfa.testing import login_verified
from tests.browsing import give_password, state
from tests.conftest import NUMBER, OTHER_NUMBER, make_user

pytestmark = pytest.mark.django_db

DAY, LATER = date(2027, 3, 1), date(2027, 4, 1)
FIRST_OF_FEBRUARY = datetime(2027, 2, 1, 12, tzinfo=UTC)
STAFF_FROM_MARCH = any_of(enrolled, from_date(DAY, staff))


@pytest.fixture(autouse=True)
def clock(settings: Any) -> Any:
    settings.TIME_ZONE = "UTC"
    with time_machine.travel(FIRST_OF_FEBRUARY, tick=False) as frozen_clock:
        yield frozen_clock


@pytest.fixture
def people(user: Any, newcomer: Any) -> dict[str, Any]:
    """Create users. ``ada`` and the member of staff ``boss`` have a phone; the others have none.
    ``clerk`` has begun to add a phone and has not confirmed it."""
    made = {
        "ada": user,
        "newcomer": newcomer,
        "clerk": make_user("clerk", is_staff=True),
        "boss": make_user("boss", OTHER_NUMBER, is_staff=True),
        "teller": make_user("teller"),
        "gone": make_user("gone", is_staff=True, is_active=False),
    }
    Phone.objects.create(user=made["clerk"], number="+12025550188")
    made["teller"].groups.add(Group.objects.create(name="finance"))
    return made


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("mfa_status", *arguments, stdout=out)
    return out.getvalue()


def only_tellers(request: Any, user: Any) -> bool:
    assert request is None
    return bool(user.get_username() == "teller")


# The reminder ------------------------------------------------------------------------------------


def messages_after_login(client: Client, user: Any) -> list[str]:
    give_password(client, user)
    answer = client.get("/mfa/phones/")
    return [str(message) for message in answer.context["messages"]]


def test_before_the_day_a_login_names_it_and_leads_to_the_page_that_adds_a_phone(
    client: Client, people: dict[str, Any], configure: Any, bandwidth: Any
) -> None:
    configure(REQUIRED=STAFF_FROM_MARCH)
    assert messages_after_login(client, people["clerk"]) == [
        "From March 1, 2027 on, you need a code from your phone to sign in. "
        '<a href="/mfa/phones/add/">Add my phone</a>'
    ]
    # This login is recent enough to open that page without a new code.
    client.post("/mfa/phones/add/", {"number": NUMBER})
    client.post("/mfa/phones/confirm/", {"code": bandwidth.inbox[0]["code"]})
    assert state(client) == "verified"


@pytest.mark.parametrize(
    ("who", "required", "days_before"),
    [
        ("newcomer", STAFF_FROM_MARCH, 28),  # not of the staff
        ("clerk", STAFF_FROM_MARCH, 31),  # too early
        ("clerk", any_of(enrolled, from_date(DAY, staff, remind_days=0)), 1),
        ("clerk", any_of(enrolled, from_date(DAY, unless(staff, everyone))), 28),
        ("clerk", enrolled, 28),
        ("boss", from_date(DAY, staff), 28),  # a user with a phone who needs no code yet
    ],
)
def test_nobody_else_is_reminded(
    who: str,
    required: Any,
    days_before: int,
    client: Client,
    people: dict[str, Any],
    configure: Any,
    clock: Any,
) -> None:
    configure(REQUIRED=required)
    clock.move_to(datetime(2027, 3, 1, 12, tzinfo=UTC) - timedelta(days=days_before))
    assert messages_after_login(client, people[who]) == []
    assert state(client) == "exempt"


def raise_error(request: Any, user: Any) -> bool:
    raise RuntimeError("no answer")


def test_a_reminder_that_fails_stops_no_login(
    client: Client, people: dict[str, Any], configure: Any, caplog: Any
) -> None:
    """Fails when an error of the reminder stops the login: before the day, only the reminder
    evaluates the policy inside ``from_date``."""
    configure(REQUIRED=any_of(enrolled, from_date(DAY, all_of(staff, raise_error))))
    assert give_password(client, people["clerk"]).status_code == 302
    assert state(client) == "exempt"
    [record] = [one for one in caplog.records if getattr(one, "event", "") == "reminder_failed"]
    assert record.exc_info is not None


def test_of_two_days_the_first_that_is_the_users_is_named(
    client: Client, people: dict[str, Any], configure: Any
) -> None:
    """Fails when the reminder names a day of the policy that does not apply to this user."""
    configure(REQUIRED=any_of(from_date(DAY, staff), from_date(LATER, everyone, remind_days=90)))
    [message] = messages_after_login(client, people["newcomer"])
    assert message.startswith("From April 1, 2027 on,")
    [message] = messages_after_login(Client(), people["clerk"])
    assert message.startswith("From March 1, 2027 on,")


def test_where_the_site_keeps_the_numbers_the_reminder_leads_nowhere(
    client: Client, people: dict[str, Any], configure: Any
) -> None:
    configure(REQUIRED=STAFF_FROM_MARCH, GET_PHONES="tests.policies.numbers_of")
    [message] = messages_after_login(client, people["clerk"])
    assert message == "From March 1, 2027 on, you need a code from your phone to sign in."


# mfa_status --missing ----------------------------------------------------------------------------


def test_the_report_names_who_needs_a_phone_and_from_when_on(
    people: dict[str, Any], configure: Any
) -> None:
    """Fails when the report is empty before the day, or when it contains users with a phone or
    inactive users."""
    configure(REQUIRED=any_of(groups("finance"), STAFF_FROM_MARCH))
    assert run("--missing") == (
        "now         teller  teller@example.com\n"
        "2027-03-01  clerk  clerk@example.com\n"
        "Users who need a phone and have none: 2\n"
    )


@pytest.mark.parametrize(
    ("required", "named"),
    [
        ("all", "newcomer clerk teller"),
        ("staff", "clerk"),
        ("enrolled", ""),
        ("never", ""),
        (unless(staff, everyone), "newcomer teller"),
        (unless(groups("finance"), everyone), "newcomer clerk"),
        (all_of(everyone, staff), "clerk"),
        (any_of(from_date(DAY, staff), from_date(LATER, everyone)), "clerk newcomer teller"),
        # A function of the site is asked about each user.
        (only_tellers, "teller"),
        (any_of(staff, only_tellers), "clerk teller"),
        (unless(only_tellers, everyone), "newcomer clerk"),
    ],
)
def test_each_policy_is_read_alike_by_the_report_and_at_the_login(
    required: Any, named: str, people: dict[str, Any], configure: Any
) -> None:
    """Fails when an empty ``Q()``, which Django drops, stands for all users or for none."""
    configure(REQUIRED=required)
    rows = json.loads(run("--missing", "--json"))
    # The order is by day, and then by key. The order of UUIDs is random.
    assert sorted(row["username"] for row in rows) == sorted(named.split())


def test_where_the_site_keeps_the_numbers_each_user_is_asked_about(
    people: dict[str, Any], configure: Any
) -> None:
    configure(REQUIRED="all", GET_PHONES="tests.policies.numbers_of")
    rows = json.loads(run("--missing", "--json"))
    assert {row["username"] for row in rows} == {"ada", "clerk", "boss", "teller"}


def test_the_csv_has_a_line_for_each_user(people: dict[str, Any], configure: Any) -> None:
    configure(REQUIRED=STAFF_FROM_MARCH)
    with_login = people["clerk"]
    with_login.last_login = timezone.now()
    with_login.save()
    [row] = csv.DictReader(io.StringIO(run("--missing", "--csv")))
    assert row == {
        "id": str(with_login.pk),
        "username": "clerk",
        "email": "clerk@example.com",
        "last_login": "2027-02-01T12:00:00+00:00",
        "needed_from": "2027-03-01",
    }


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_no_name_becomes_a_formula_in_a_spreadsheet(configure: Any, start: str) -> None:
    """Users choose their own names. Fails when the cells contain the names without a change."""
    configure(REQUIRED="all")
    make_user(f"{start}HYPERLINK")
    [row] = csv.DictReader(io.StringIO(run("--missing", "--csv")))
    assert row["username"] == f"'{start}HYPERLINK"


def test_a_missing_group_is_reported(people: dict[str, Any], configure: Any, capsys: Any) -> None:
    configure(REQUIRED=any_of(enrolled, groups("finance", "finanec")))
    run("--missing")
    assert (
        capsys.readouterr().err == 'REQUIRED contains the group "finanec", which does not exist.\n'
    )


@pytest.mark.parametrize(
    "arguments", [("--csv",), ("ada", "--missing"), ("--missing", "--csv", "--json")]
)
def test_options_that_do_not_go_together_are_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        run(*arguments)


# The filter in the admin -------------------------------------------------------------------------


@pytest.fixture
def admin(client: Client, db: None) -> Client:
    login_verified(client, make_user("root", "+12025550111", is_staff=True, is_superuser=True))
    return client


def users_page() -> str:
    return reverse(f"admin:{get_user_model()._meta.label_lower.replace('.', '_')}_changelist")


def names_listed(admin: Client) -> set[str]:
    answer = admin.get(f"{users_page()}?second_factor=missing")
    return {user.get_username() for user in answer.context["cl"].result_list}


def test_the_filter_lists_whom_the_report_names(
    admin: Client, people: dict[str, Any], configure: Any
) -> None:
    configure(REQUIRED=any_of(groups("finance"), STAFF_FROM_MARCH))
    assert names_listed(admin) == {"teller", "clerk"}
    assert "Needs a phone, and has none" in admin.get(users_page()).text


@pytest.mark.parametrize(
    "changes", [{"REQUIRED": only_tellers}, {"GET_PHONES": "tests.policies.numbers_of"}]
)
def test_the_filter_is_not_offered_where_no_query_can_tell(
    admin: Client, people: dict[str, Any], configure: Any, changes: dict[str, Any]
) -> None:
    """Fails when the filter lists all users, or evaluates the policy for each user."""
    configure(**changes)
    assert "Needs a phone, and has none" not in admin.get(users_page()).text


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the plans of SQLite")
def test_the_filter_reads_by_indexes(people: dict[str, Any], configure: Any) -> None:
    """The query finds phones by user, and members of groups by their keys. Django's own table has
    no index for ``is_staff``.

    Fails when the query reads all phones, or when a join with groups reads all users.
    """

    def plan() -> list[str]:
        users = missing.among(get_user_model()._default_manager.all())
        return str(users.explain()).splitlines()

    for required in ("all", STAFF_FROM_MARCH, any_of(enrolled, groups("finance"))):
        configure(REQUIRED=required)
        assert [line for line in plan() if "SCAN" in line and Phone._meta.db_table in line] == []
    table = get_user_model()._meta.db_table
    assert [line for line in plan() if f"SCAN {table}" in line] == []
