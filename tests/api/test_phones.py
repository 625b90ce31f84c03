"""The phones of the user, over the JSON API."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from django_bandwidth_mfa.models import Phone
from django_bandwidth_mfa.testing import login_verified
from tests.browsing import assert_shut, give_password, sign_in, state, wrong
from tests.conftest import NUMBER, OTHER_NUMBER, make_user

from .calls import api_state, error_of, get, newest_code, post

pytestmark = pytest.mark.django_db

START = 1_800_000_000
NEW_NUMBER = "+12025550188"
ACTIONS: dict[str, dict[str, Any]] = {
    "primary": {},
    "channel": {"channel": "voice"},
    "rename": {"name": "Work"},
    "remove": {},
}


def phone(number: str = OTHER_NUMBER) -> Phone:
    return Phone.objects.get(number=number)


def everything() -> list[tuple[Any, ...]]:
    fields = ("user", "number", "is_primary", "name", "channel", "confirmed_at")
    return list(Phone.objects.order_by("pk").values_list(*fields))


def site_numbers(user: Any) -> list[str]:
    return [NUMBER]


# The list ---------------------------------------------------------------------------------------


@pytest.mark.attack("T4")
def test_the_list_shows_no_full_number(fresh: Client) -> None:
    answer = get(fresh, "phones")
    assert answer.json() == {
        "phones": [
            {
                "id": phone(NUMBER).choice,
                "number": "••42",
                "name": "",
                "is_primary": True,
                "channel": "sms",
            },
            {
                "id": phone().choice,
                "number": "••77",
                "name": "",
                "is_primary": False,
                "channel": "sms",
            },
        ],
        "channels": ["sms", "voice"],
        "can_change": True,
        "must_stay": False,
    }
    assert "2025550" not in answer.content.decode()


def test_a_phone_is_named_made_the_first_called_and_removed(fresh: Client) -> None:
    one = f"phones/{phone().choice}"
    assert post(fresh, f"{one}/rename", name=" Work ").json()["phones"][1]["name"] == "Work"
    data = post(fresh, f"{one}/channel", channel="voice").json()["phones"][1]
    assert (data["channel"], phone().channel) == ("voice", "voice")
    data = post(fresh, f"{one}/primary").json()["phones"]
    assert [row["number"] for row in data] == ["••77", "••42"]
    data = post(fresh, f"{one}/remove").json()["phones"]
    assert [row["number"] for row in data] == ["••42"]
    assert state(fresh) == "verified"


def test_a_name_with_a_number_in_it_is_refused(fresh: Client) -> None:
    answer = post(fresh, f"phones/{phone().choice}/rename", name=OTHER_NUMBER)
    assert error_of(answer) == (400, "invalid")
    assert phone().name == ""


def test_the_only_phone_of_a_user_who_must_have_one_stays(
    client: Client, user: Any, configure: Any
) -> None:
    configure(REQUIRED="all")
    login_verified(client, user)
    assert get(client, "phones").json()["must_stay"]
    answer = post(client, f"phones/{phone(NUMBER).choice}/remove")
    assert error_of(answer) == (409, "last_phone")
    assert Phone.objects.count() == 1


@pytest.mark.attack("P15")
def test_the_only_phone_can_be_removed_where_none_is_required(client: Client, user: Any) -> None:
    login_verified(client, user)
    assert post(client, f"phones/{phone(NUMBER).choice}/remove").json()["phones"] == []
    assert api_state(client) == "verified"


# Who may ----------------------------------------------------------------------------------------


@pytest.mark.attack("P13")
@pytest.mark.parametrize("action", ACTIONS)
def test_another_users_phone_cannot_be_touched(fresh: Client, action: str) -> None:
    """Fails when the view accepts the phones of all users."""
    make_user("bob", NEW_NUMBER, "+12025550189")
    theirs, before = phone("+12025550189"), everything()
    for choice in (theirs.choice, theirs.number, "0"):
        answer = post(fresh, f"phones/{choice}/{action}", **ACTIONS[action])
        assert error_of(answer) == (404, "no_such_phone")
    answer = post(fresh, "phones/add", number="+12025550190", replaces=theirs.choice)
    assert error_of(answer) == (404, "no_such_phone")
    assert everything() == before


@pytest.mark.slow
@pytest.mark.attack("P14", "P11")
@pytest.mark.parametrize(
    "address", ["phones", "phones/pending", "recovery-codes", "browsers", *ACTIONS]
)
def test_a_parked_login_reads_and_changes_none(
    client: Client, two: Any, bandwidth: Any, address: str
) -> None:
    """Fails when the view accepts a parked login: the password alone would be enough."""
    give_password(client, two)
    before = everything()
    if address in ACTIONS:
        answers = [post(client, f"phones/{phone().choice}/{address}", **ACTIONS[address])]
    else:
        answers = [get(client, address)]
    answers += [
        post(client, "phones/add", number=NEW_NUMBER),
        post(client, "phones/resend"),
        post(client, "phones/confirm", code="123456"),
        post(client, "recovery-codes"),
        post(client, "browsers/forget"),
        post(client, "sign-out-others"),
    ]
    assert {error_of(answer) for answer in answers} == {(403, "code_required")}
    assert (everything(), bandwidth.inbox) == (before, [])
    assert_shut(client)


@pytest.mark.attack("P12")
@pytest.mark.parametrize("action", [action for action in ACTIONS if action != "rename"])
def test_a_change_takes_a_code_of_the_last_minutes(
    client: Client, two: Any, bandwidth: Any, action: str
) -> None:
    """Fails when the view needs no code, or accepts a code of any age."""
    before = everything()
    with time_machine.travel(START, tick=False) as clock:
        login_verified(client, two)
        clock.shift(300)
        for address, body in (
            (f"phones/{phone().choice}/{action}", ACTIONS[action]),
            ("phones/add", {"number": NEW_NUMBER}),
            ("phones/confirm", {"code": "123456"}),
            ("recovery-codes", {}),
        ):
            assert error_of(post(client, address, **body)) == (403, "code_required")
        assert (everything(), bandwidth.inbox) == (before, [])
        assert post(client, f"phones/{phone().choice}/rename", name="x").status_code == 200
        post(client, "send")
        post(client, "verify", code=newest_code(bandwidth))
        answer = post(client, f"phones/{phone().choice}/{action}", **ACTIONS[action])
    assert answer.status_code == 200


@pytest.mark.parametrize("address", ["phones", "phones/pending", "recovery-codes", "browsers"])
def test_an_anonymous_visitor_is_asked_to_sign_in(client: Client, address: str) -> None:
    assert error_of(get(client, address)) == (401, "sign_in_required")


@pytest.mark.attack("P39")
def test_staff_who_act_on_behalf_of_a_user_are_refused(client: Client, user: Any) -> None:
    """Fails when the API asks only whether somebody is signed in."""
    login_verified(client, make_user("staff", OTHER_NUMBER, is_staff=True))
    session = client.session
    before = everything()
    from dataclasses import asdict

    from django_bandwidth_mfa.internal.login.mark import mark_of_login
    from django_bandwidth_mfa.internal.login.on_behalf import Actor, begin
    from django_bandwidth_mfa.internal.login.parking import login_of

    login, mark = login_of(session), mark_of_login(session)
    assert login is not None
    assert mark is not None
    actor = Actor(**asdict(login), mark=mark._asdict())
    session["_auth_user_id"] = str(user.pk)
    session["_auth_user_hash"] = user.get_session_auth_hash()
    begin(session, user, actor)
    session.save()
    for address in ("state", "phones", "phones/pending", "browsers"):
        assert error_of(get(client, address)) == (403, "on_behalf")
    for address in ("send", "cancel", "recovery-codes", "sign-out-others"):
        assert error_of(post(client, address)) == (403, "on_behalf")
    assert error_of(post(client, "phones/add", number=NEW_NUMBER)) == (403, "on_behalf")
    assert everything() == before


@pytest.mark.attack("P19")
def test_a_session_that_was_ended_changes_nothing(user: Any, bandwidth: Any) -> None:
    """Fails when the API waits for ``RECHECK_SECONDS`` before it asks about the session."""
    from django_bandwidth_mfa import service

    thief = Client()
    with time_machine.travel(START, tick=False) as clock:
        sign_in(thief, user, bandwidth)
        clock.shift(1)
        service.end_sessions(user)
        clock.shift(1)
        assert error_of(post(thief, "phones/add", number=NEW_NUMBER)) == (401, "sign_in_required")
        assert error_of(post(thief, "sign-out-others")) == (401, "sign_in_required")
        clock.shift(300)
        assert state(thief) == "anonymous"


# Adding one -------------------------------------------------------------------------------------


def test_a_phone_is_added_with_its_own_code(fresh: Client, bandwidth: Any) -> None:
    data = post(fresh, "phones/add", number="(202) 555-0188", channel="voice")
    assert error_of(data) == (400, "number_refused")
    data = post(fresh, "phones/add", number=NEW_NUMBER, channel="voice").json()
    assert data["phone"]["number"] == "••88"
    assert data["challenge"]["channel"] == "voice"
    assert bandwidth.inbox[0]["to"] == NEW_NUMBER
    assert get(fresh, "phones/pending").json() == data
    code = newest_code(bandwidth)
    assert error_of(post(fresh, "phones/confirm", code=wrong(code))) == (400, "wrong_code")
    data = post(fresh, "phones/confirm", code=code).json()
    assert (data["state"], data["recovery_codes"]["owed"]) == ("verified", False)
    assert phone(NEW_NUMBER).confirmed_at is not None
    assert get(fresh, "phones/pending").json()["phone"] is None
    assert error_of(post(fresh, "phones/confirm", code=code)) == (409, "no_enrolment")
    assert error_of(post(fresh, "phones/resend")) == (409, "no_enrolment")
    assert error_of(post(fresh, "phones/add", number=NEW_NUMBER)) == (400, "number_refused")


def test_another_code_goes_to_the_phone_that_is_being_added(fresh: Client, bandwidth: Any) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        post(fresh, "phones/add", number=NEW_NUMBER)
        assert error_of(post(fresh, "phones/resend")) == (429, "limited")
        clock.shift(31)
        assert error_of(post(fresh, "phones/resend", channel="x")) == (400, "invalid")
        assert post(fresh, "phones/resend", channel="voice").status_code == 200
    assert [one["channel"] for one in bandwidth.inbox] == ["voice", "sms"]


def test_a_phone_takes_the_place_of_another(fresh: Client, bandwidth: Any) -> None:
    post(fresh, "phones/add", number=NEW_NUMBER, replaces=phone(NUMBER).choice)
    assert Phone.objects.confirmed().count() == 2
    post(fresh, "phones/confirm", code=newest_code(bandwidth))
    data = get(fresh, "phones").json()["phones"]
    assert [(row["number"], row["is_primary"]) for row in data] == [("••88", True), ("••77", False)]
    assert state(fresh) == "verified"


def test_the_first_phone_ends_a_login_and_brings_recovery_codes(
    client: Client, newcomer: Any, bandwidth: Any, configure: Any
) -> None:
    configure(REQUIRED="all")
    give_password(client, newcomer)
    before = client.session.session_key
    data = post(client, "phones/add", number=NEW_NUMBER).json()
    assert data["phone"]["number"] == "••88"
    assert get(client, "phones/pending").status_code == 200
    assert error_of(get(client, "phones")) == (403, "phone_required")
    data = post(client, "phones/confirm", code=newest_code(bandwidth)).json()
    assert (data["state"], data["recovery_codes"]["owed"]) == ("verified", True)
    assert client.session.session_key != before
    codes = post(client, "recovery-codes").json()
    assert (len(codes["codes"]), codes["left"], codes["owed"]) == (10, 10, False)
    # The page makes no recovery codes after that, so the codes of the API stay valid.
    client.get("/mfa/recovery-codes/")
    give_password(client, newcomer)
    second = Client()
    give_password(second, newcomer)
    answer = post(second, "recovery-code", recovery_code=codes["codes"][0])
    assert answer.json()["state"] == "verified"


@pytest.mark.attack("P12")
def test_the_first_phone_takes_a_recent_sign_in(
    client: Client, newcomer: Any, bandwidth: Any
) -> None:
    with time_machine.travel(START, tick=False) as clock:
        give_password(client, newcomer)
        clock.shift(900)
        answer = post(client, "phones/add", number=NEW_NUMBER)
    assert error_of(answer) == (403, "sign_in_again")
    assert not Phone.objects.exists()


def test_where_the_site_keeps_the_numbers_nothing_changes_them(
    client: Client, newcomer: Any, configure: Any
) -> None:
    configure(GET_PHONES="tests.api.test_phones.site_numbers")
    login_verified(client, newcomer)
    data = get(client, "phones").json()
    assert not data["can_change"]
    choice = data["phones"][0]["id"]
    assert NUMBER not in choice
    for action, body in ACTIONS.items():
        answer = post(client, f"phones/{choice}/{action}", **body)
        assert error_of(answer) == (403, "phones_kept_by_site")
    answer = post(client, "phones/add", number=NEW_NUMBER)
    assert error_of(answer) == (403, "phones_kept_by_site")
