"""The figures, two commands for a site's owner, and the alarm when few codes are entered."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_bandwidth_mfa import service, signals
from django_bandwidth_mfa.exceptions import Limited, Locked, MFAError
from django_bandwidth_mfa.internal.limits import rules, store
from django_bandwidth_mfa.internal.notify.statistics import Conversion
from django_bandwidth_mfa.management.console import Progress
from django_bandwidth_mfa.models import Challenge, Counter, Phone, SpentCode, TrustedBrowser
from tests.browsing import give_password, state, wrong
from tests.conftest import NUMBER, OTHER_NUMBER, WRONG_RECOVERY_CODE, give_recovery_codes, make_user

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def challenges(user: Any, sent: int, entered: int, minutes_ago: float = 10) -> None:
    at = timezone.now() - timedelta(minutes=minutes_ago)
    Challenge.objects.bulk_create(
        Challenge(
            user=user,
            purpose="login",
            channel="sms",
            number=NUMBER,
            digits=6,
            sent_at=at,
            expires_at=at + timedelta(minutes=3),
            passed_at=at if n < entered else None,
        )
        for n in range(sent)
    )


# mfa_status -----------------------------------------------------------------------------------


def test_the_sites_figures_are_counted(user: Any, bandwidth: Any, configure: Any) -> None:
    configure(RESEND_COOLDOWN=[0], FAILURES_BEFORE_LOCK=2)
    other = make_user("bob", OTHER_NUMBER)
    make_user("newcomer")
    make_user("gone", "+12025550190", is_active=False)
    assert service.verify_code(service.send_code(user), bandwidth.inbox[0]["code"])
    challenge = service.send_code(other, channel="voice")
    for _ in range(2):
        service.verify_code(challenge, wrong(bandwidth.inbox[0]["code"]))
    bandwidth.fault(on="messaging", status=500, times=1)
    with pytest.raises(MFAError):
        service.send_code(user)
    bandwidth.fault(on="messaging", status=429, times=1)
    with pytest.raises(MFAError):
        service.send_code(user)
    service.use_recovery_code(user, give_recovery_codes(user)[0])
    assert json.loads(run("mfa_status", "--json")) == {
        "hours": 24,
        "codes_sent": {"sms": 1, "voice": 1},
        "codes_entered": 1,
        "conversion": 0.5,
        "wrong_codes": 2,
        "sends_failed": 2,
        "messages_delivered": 0,
        "messages_undelivered": 0,
        "delivery_errors": [],
        "recovery_codes_used": 1,
        "users": 3,
        "users_with_a_phone": 2,
        "users_locked": 1,
        "numbers_held": 1,
    }


def test_yesterdays_codes_are_not_todays(user: Any) -> None:
    challenges(user, 3, 3, minutes_ago=25 * 60)
    assert json.loads(run("mfa_status", "--json"))["codes_sent"] == {"sms": 0, "voice": 0}


def test_one_users_figures_mask_the_number(user: Any, bandwidth: Any) -> None:
    Phone.objects.create(user=user, number=OTHER_NUMBER, confirmed_at=timezone.now())
    challenge = service.send_code(user)
    service.verify_code(challenge, wrong(bandwidth.inbox[0]["code"]))
    figures = json.loads(run("mfa_status", "ada", "--json"))
    assert figures.pop("last_code_sent") == challenge.sent_at.isoformat()
    assert 25 <= figures.pop("seconds_until_send") <= 30
    assert figures == {
        "user": "ada",
        "phones": [
            {"number": "••42", "primary": True, "channel": "sms"},
            {"number": "••77", "primary": False, "channel": "sms"},
        ],
        "recovery_codes_left": 0,
        "trusted_browsers": 0,
        "locked": False,
        "wrong_codes_in_a_row": 1,
        "seconds_until_try": 0,
        "last_code_entered": None,
    }


def test_the_wait_of_a_user_who_has_used_up_the_hour_is_shown(
    client: Client, user: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when only the cooldown is checked: the command would show 0 for a user who must wait
    for 29 minutes."""
    configure(RESEND_COOLDOWN=[0], SEND_LIMITS={"user": "2/h"})
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        for _ in range(2):
            service.send_code(user)
        clock.shift(60)
        with pytest.raises(Limited) as refusal:
            service.send_code(user)
        assert refusal.value.retry_after == 29 * 60
        assert json.loads(run("mfa_status", "ada", "--json"))["seconds_until_send"] == 29 * 60
        give_password(client, user)
        page = client.get("/mfa/verify/")
        # Two seconds are added because clocks differ, so the wait is rounded up to the next minute.
        assert 'data-wait="1742"' in page.content.decode()
        assert "Wait 30 minutes before you get a new code." in page.content.decode()


def test_a_user_who_was_sent_nothing_has_nothing_to_wait_for(newcomer: Any) -> None:
    assert json.loads(run("mfa_status", "newcomer", "--json")) == {
        "user": "newcomer",
        "phones": [],
        "recovery_codes_left": 0,
        "trusted_browsers": 0,
        "locked": False,
        "wrong_codes_in_a_row": 0,
        "seconds_until_try": 0,
        "seconds_until_send": 0,
        "last_code_sent": None,
        "last_code_entered": None,
    }


def test_reasons_of_failed_messages_are_listed_the_most_frequent_first(user: Any) -> None:
    challenges(user, sent=5, entered=0)
    rows = list(Challenge.objects.all())
    for row, code in zip(rows, [4476, 4721, 4476, None, 4999], strict=True):
        row.delivery, row.delivery_error = "failed", code
    Challenge.objects.bulk_update(rows, ["delivery", "delivery_error"])
    errors = json.loads(run("mfa_status", "--json"))["delivery_errors"]
    assert errors[0] == {
        "code": 4476,
        "messages": 2,
        "means": "FROM_NUMBER belongs to no registered 10DLC campaign.",
        "is_senders_fault": True,
    }
    assert {(one["code"], one["messages"]) for one in errors[1:]} == {
        (4721, 1),
        (None, 1),
        (4999, 1),
    }
    output = run("mfa_status")
    assert "messages undelivered    5\n" in output
    assert (
        "undelivered, 4476       2: OUR FAULT: FROM_NUMBER belongs to no registered 10DLC campaign."
    ) in output
    assert "undelivered, 4721       1: The number is deactivated." in output
    assert "undelivered, no code    1: The receipt gave no reason." in output


def test_the_output_for_people_has_the_same_figures(user: Any) -> None:
    site, one = run("mfa_status"), run("mfa_status", "ada")
    assert "codes sent              sms 0, voice 0\n" in site
    assert "conversion              -\n" in site
    assert "phones                  number ••42, primary yes, channel sms\n" in one
    assert "locked                  no\n" in one
    assert NUMBER[2:] not in one


def test_an_unknown_user_is_an_error(db: None) -> None:
    nameless = make_user("ada")
    nameless.email = ""
    nameless.save()
    with pytest.raises(CommandError, match="no user ''"):
        run("mfa_reset", "")
    for command in ("mfa_status", "mfa_reset"):
        with pytest.raises(CommandError, match="no user 'nobody'"):
            run(command, "nobody")


def test_a_user_is_found_by_what_people_type_at_login(user: Any, monkeypatch: Any) -> None:
    """Fails when only the user name is searched: users who sign in by e-mail would not be found."""

    def name_of_user(name: str) -> object:
        return json.loads(run("mfa_status", name, "--json"))["user"]

    make_user("ada@example.com")
    assert name_of_user("ada") == "ada"
    assert name_of_user("ada@example.com") == "ada@example.com"  # the name comes first
    make_user("bob")
    assert name_of_user("Bob@Example.com") == "bob"
    assert "can ask for a code" not in run("mfa_reset", "bob@example.com")
    if connection.vendor != "mysql":  # its user names ignore case
        with pytest.raises(CommandError, match="no user 'ADA'"):
            name_of_user("ADA")
    # If the login of a manager ignores case, the command ignores it, too.
    manager = type(get_user_model()._default_manager)
    monkeypatch.setattr(
        manager, "get_by_natural_key", lambda self, name: self.get(username__iexact=name)
    )
    assert name_of_user("ADA") == "ada"


def test_an_address_of_several_users_is_an_error(user: Any) -> None:
    """Fails when the first user is chosen: staff would reset the wrong user."""
    other = make_user("bob")
    other.email = "Ada@example.com"
    other.save()
    with pytest.raises(CommandError, match="several users: ada, bob"):
        run("mfa_reset", "ada@example.com")


def test_a_site_that_keeps_the_numbers_itself_is_not_asked_for_every_user(
    user: Any, configure: Any
) -> None:
    configure(GET_PHONES=lambda user: [NUMBER])
    assert json.loads(run("mfa_status", "--json"))["users_with_a_phone"] is None
    assert json.loads(run("mfa_status", "ada", "--json"))["phones"][0]["number"] == "••42"


# mfa_reset --------------------------------------------------------------------------------------


@pytest.mark.attack("S13")
def test_a_locked_user_gets_in_after_a_reset_and_nobody_else_does(
    client: Client, user: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when the reset clears no count, or the counts of all users."""
    configure(FAILURES_BEFORE_LOCK=1, RESEND_COOLDOWN=[0])
    other = make_user("bob", OTHER_NUMBER)
    for someone in (other, user):
        challenge = service.send_code(someone)
        service.verify_code(challenge, wrong(bandwidth.inbox[0]["code"]))
    assert "unlocked" in run("mfa_reset", "ada")
    give_password(client, user)
    client.get("/mfa/verify/")
    client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert state(client) == "verified"
    with pytest.raises(Locked):
        service.verify_code(service.send_code(other), bandwidth.inbox[0]["code"])


def test_a_reset_keeps_phones_and_recovery_codes(user: Any) -> None:
    codes = give_recovery_codes(user)
    assert "The phone factor was not locked." in run("mfa_reset", "ada")
    assert Phone.objects.confirmed().filter(user=user)
    assert service.use_recovery_code(user, codes[0])


def test_a_reset_ends_each_limit_of_the_user_and_of_the_users_numbers(
    user: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when a reset clears the cooldown only: the text "can ask for a code now" would be
    false."""
    configure(RESEND_COOLDOWN=[0], SEND_LIMITS={"user": "3/h", "number": "1/h,2/d"})
    Phone.objects.create(user=user, number=OTHER_NUMBER)
    new = Phone.objects.get(number=OTHER_NUMBER)
    service.send_code(user)
    challenge = service.send_code(user, purpose="enrol", phone=new)
    for _ in range(5):
        assert not service.verify_code(challenge, wrong(bandwidth.inbox[0]["code"]))
    for purpose, phone in (("login", None), ("enrol", new)):
        with pytest.raises(Limited):
            service.send_code(user, purpose=purpose, phone=phone)
    assert "ada can ask for a code now." in run("mfa_reset", "ada")
    assert json.loads(run("mfa_status", "ada", "--json"))["seconds_until_send"] == 0
    service.send_code(user)
    challenge = service.send_code(user, purpose="enrol", phone=new)
    assert service.verify_code(challenge, bandwidth.inbox[0]["code"])


def test_a_reset_leaves_the_limits_of_others(user: Any, bandwidth: Any, configure: Any) -> None:
    configure(RESEND_COOLDOWN=[60], SEND_LIMITS={"user": "1/h"})
    other = make_user("bob", OTHER_NUMBER)
    service.send_code(other)
    run("mfa_reset", "ada")
    with pytest.raises(Limited):
        service.send_code(other)


def test_a_reset_says_why_no_code_can_be_sent_yet(
    user: Any, newcomer: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when the output is a fixed text."""
    with time_machine.travel(1_800_000_000, tick=False):
        bandwidth.fault(on="messaging", status=429, times=1)
        with pytest.raises(Limited) as refusal:
            service.send_code(user)
        wait = refusal.value.retry_after
        assert f"ada can ask for a code in {wait} seconds" in run("mfa_reset", "ada")
        configure(SEND_LIMITS={"site": "1/h"})
        service.send_code(make_user("bob", OTHER_NUMBER))
        assert "ada can ask for a code in 3600 seconds. A limit" in run("mfa_reset", "ada")
    assert "newcomer has no phone, so" in run("mfa_reset", "newcomer")
    configure(ALLOWED_REGIONS=["GB"])
    assert "No code can be sent to the phone ••42: " in run("mfa_reset", "ada")
    user.is_active = False
    user.save()
    assert "ada is not active, and cannot sign in." in run("mfa_reset", "ada")


def test_a_reset_that_forgets_phones_says_whose_they_are(user: Any, configure: Any) -> None:
    """Fails when the output says that numbers were deleted which the site itself stores."""
    configure(GET_PHONES=lambda user: [NUMBER])
    output = run("mfa_reset", "ada", "--forget-phones")
    assert "ada now has no recovery codes. ada can ask for a code now." in output
    configure(GET_PHONES=None)
    assert "ada now has no phone and no recovery codes" in run(
        "mfa_reset", "ada", "--forget-phones"
    )


# The conversion -------------------------------------------------------------------------------


@pytest.fixture
def alarms() -> Any:
    heard: list[Conversion] = []

    def hear(conversion: Conversion, **kwargs: Any) -> None:
        heard.append(conversion)

    signals.conversion_fell.connect(hear)
    yield heard
    signals.conversion_fell.disconnect(hear)


@pytest.mark.attack("S7")
def test_codes_that_nobody_types_raise_an_alarm_once_in_ten_minutes(
    user: Any, bandwidth: Any, configure: Any, alarms: Any, caplog: Any
) -> None:
    """Fails when the conversion is never checked, or when every send checks it."""
    configure(RESEND_COOLDOWN=[0])
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        challenges(user, 30, 14)
        service.send_code(user)
        service.send_code(user)
        assert alarms == [Conversion(30, 14)]
        assert alarms[0].rate == 0.467
        clock.shift(600)
        service.send_code(user)
        assert len(alarms) == 2
    records = [record for record in caplog.records if record.levelname == "CRITICAL"]
    assert [(record.event, record.sent, record.entered) for record in records][:1] == [
        ("conversion_fell", 30, 14)
    ]


@pytest.mark.parametrize(
    ("sent", "entered", "minutes_ago"),
    [(30, 15, 10), (19, 0, 10), (30, 0, 2), (30, 0, 70)],
    ids=["half are typed", "too few to tell", "can still be typed", "long ago"],
)
def test_no_alarm_without_a_reason(
    user: Any, bandwidth: Any, alarms: Any, sent: int, entered: int, minutes_ago: float
) -> None:
    challenges(user, sent, entered, minutes_ago)
    service.send_code(user)
    assert alarms == []


def test_an_alarm_that_fails_is_logged_and_the_code_is_sent(
    client: Client, user: Any, bandwidth: Any, caplog: Any
) -> None:
    """Fails when the error is not caught: the page would report an outage although the code was
    sent."""

    def fail(execute: Any, sql: str, parameters: Any, *args: Any) -> Any:
        if "every:conversion" in str(parameters):
            raise DatabaseError("the alarm's")
        return execute(sql, parameters, *args)

    give_password(client, user)
    with connection.execute_wrapper(fail):
        answer = client.get("/mfa/verify/")
    assert answer.status_code == 200
    [code] = [message["code"] for message in bandwidth.inbox]
    assert [record.event for record in caplog.records if record.exc_info] == ["alarm_failed"]
    client.post("/mfa/verify/", {"code": code})
    assert state(client) == "verified"


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no connection to lose")
@pytest.mark.django_db(transaction=True)
def test_a_connection_that_the_alarm_loses_stops_nobody(
    client: Client, user: Any, bandwidth: Any, caplog: Any
) -> None:
    """Fails when the lost connection is not closed: the next query of the page would fail."""

    def lose(execute: Any, sql: str, *args: Any) -> Any:
        if "COUNT(" in sql and "passed_at" in sql:
            connection.connection.close()
        return execute(sql, *args)

    give_password(client, user)
    with connection.execute_wrapper(lose):
        answer = client.get("/mfa/verify/")
    assert answer.status_code == 200
    assert [record.event for record in caplog.records if record.exc_info] == ["alarm_failed"]


# mfa_purge --------------------------------------------------------------------------------------


def test_a_purge_forgets_what_is_over_and_nothing_else(
    user: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when the purge also deletes counts of wrong codes: the count would begin again at
    zero."""
    configure(RESEND_COOLDOWN=[0])
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        assert service.verify_code(service.send_code(user), bandwidth.inbox[0]["code"])
        challenge = service.send_code(user)
        service.verify_code(challenge, wrong(bandwidth.inbox[0]["code"]))
        service.use_recovery_code(user, WRONG_RECOVERY_CODE)
        clock.shift(86_400 + 1)
        live = make_user("bob", OTHER_NUMBER)
        service.send_code(live)
        over = Counter.objects.filter(moment__lte=store.now()).count()
        many = f"1 spent codes, {over} counters"
        dry = run("mfa_purge", "--dry-run")
        assert dry == f"Would delete 0 challenges, {many}, 0 trusted browsers.\n"
        assert SpentCode.objects.count() == 1
        assert run("mfa_purge") == dry.replace("Would delete", "Deleted")
        assert over
        assert rules.count_failures(user) == rules.count_recovery_failures(user) == 1
        assert Counter.objects.exists()
        assert Challenge.objects.count() == 3
        clock.shift(30 * 86_400)
        assert run("mfa_purge").startswith("Deleted 2 challenges, 0 spent codes, ")
        assert not Counter.objects.exists()
        assert Challenge.objects.count() == 1


@pytest.mark.slow
def test_a_purge_goes_through_many_rows_and_keeps_the_new_ones(user: Any) -> None:
    challenges(user, 2500, 0, minutes_ago=60 * 24 * 31)
    challenges(user, 3, 0)
    assert run("mfa_purge").startswith("Deleted 2500 challenges")
    assert Challenge.objects.count() == 3


def old_challenges(user: Any, many: int) -> list[Any]:
    """Make ``many`` challenges, sent one minute after another, and return their keys in that order.

    They are stored in another order than they were sent in.
    """
    first = timezone.now() - timedelta(days=60)
    rows = [
        Challenge(user=user, digits=6, sent_at=at, expires_at=at + timedelta(minutes=3))
        for at in (first + timedelta(minutes=n) for n in range(many))
    ]
    Challenge.objects.bulk_create(rows[1::2] + rows[::2])
    return [row.pk for row in rows]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_purge_that_is_stopped_has_deleted_the_oldest_and_goes_on_when_run_again(
    user: Any,
) -> None:
    """Fails when the batches follow the random primary key, or share a transaction."""
    keys = old_challenges(user, 2200)
    challenges(user, 3, 0)
    batches = 0

    def stop(execute: Any, sql: str, *args: Any) -> Any:
        nonlocal batches
        batches += sql.startswith("DELETE")
        if batches == 3:
            raise KeyboardInterrupt
        return execute(sql, *args)

    with connection.execute_wrapper(stop), pytest.raises(KeyboardInterrupt):
        run("mfa_purge")
    left = set(Challenge.objects.values_list("pk", flat=True))
    assert left & set(keys) == set(keys[2000:])
    assert run("mfa_purge").startswith("Deleted 200 challenges")
    assert Challenge.objects.count() == 3


@pytest.mark.slow
def test_a_purge_never_looks_again_at_what_it_has_deleted(user: Any) -> None:
    """Fails when each batch begins at the oldest row. Until the database has cleaned up, such a
    batch reads every deleted entry of the index, so each batch is slower than the one before."""
    keys = old_challenges(user, 2200)
    reached = list(Challenge.objects.in_bulk(keys[999::1000]).values())
    with CaptureQueriesContext(connection) as queries:
        run("mfa_purge")
    looks = [
        query["sql"]
        for query in queries
        if "ORDER BY" in query["sql"] and "bandwidth_mfa_challenge" in query["sql"]
    ]
    assert len(looks) == 4  # three batches, and one batch without rows
    for look, row in zip(looks[1:], sorted(reached, key=lambda row: row.sent_at), strict=False):
        assert f"{row.sent_at:%Y-%m-%d %H:%M:%S.%f}" in look


@pytest.mark.slow
def test_a_purge_of_rows_of_one_moment_deletes_a_batch_at_a_time(user: Any) -> None:
    """Fails when a batch contains all rows up to a moment, or begins after that moment."""
    challenges(user, 2200, 0, minutes_ago=60 * 24 * 31)
    with CaptureQueriesContext(connection) as queries:
        assert run("mfa_purge").startswith("Deleted 2200 challenges")
    assert sum(query["sql"].startswith("DELETE") for query in queries) == 3


def test_spent_codes_are_purged_in_batches_in_the_order_of_their_end(db: None) -> None:
    now = timezone.now()
    SpentCode.objects.bulk_create(
        SpentCode(digest=f"{n % 7}-{n}", expires_at=now - timedelta(seconds=n)) for n in range(2200)
    )
    SpentCode.objects.create(digest="alive", expires_at=now + timedelta(minutes=3))
    assert "2200 spent codes" in run("mfa_purge")
    assert SpentCode.objects.get().digest == "alive"


def test_a_purge_forgets_browsers_that_are_trusted_no_more(user: Any, configure: Any) -> None:
    configure(TRUST_DAYS=30)
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        TrustedBrowser.objects.create(user=user, digest="old")
        clock.shift(30 * 86_400)
        TrustedBrowser.objects.create(user=user, digest="new")
        assert run("mfa_purge").endswith(" 1 trusted browsers.\n")
    assert TrustedBrowser.objects.get().digest == "new"


def test_a_purge_of_today_is_refused(db: None) -> None:
    with pytest.raises(CommandError, match="1 or more"):
        run("mfa_purge", "--older-than", "0")


@pytest.mark.parametrize(
    ("whole", "shown"), [(4, "[#######                       ] 1 of 4"), (None, "rows: 1")]
)
def test_a_long_run_shows_its_progress_in_a_terminal_and_not_in_a_file(
    whole: int | None, shown: str
) -> None:
    terminal, file = StringIO(), StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    for stream in (terminal, file):
        progress = Progress(OutputWrapper(stream), "rows", whole)
        progress.show(1)
        progress.end()
    assert shown in terminal.getvalue()
    assert file.getvalue() == ""
