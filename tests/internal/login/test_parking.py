"""What a parked session contains, and when a parked login ends."""

from __future__ import annotations

import json
from typing import Any

import pytest
import time_machine
from django.test import Client

from django_bandwidth_mfa import signals
from django_bandwidth_mfa.internal.login.mark import MARK
from django_bandwidth_mfa.internal.login.parking import PARKED
from django_bandwidth_mfa.internal.login.recheck import recheck
from tests.browsing import give_password, state
from tests.conftest import NUMBER, PASSWORD, make_user


@pytest.mark.attack("T13")
def test_a_parked_session_holds_no_password_no_code_and_no_number(
    client: Client, user: Any, bandwidth: Any
) -> None:
    give_password(client, user)
    client.get("/mfa/verify/")
    client.post("/mfa/verify/", {"code": "12345"})
    held = json.dumps(dict(client.session))
    for secret in (PASSWORD, bandwidth.inbox[0]["code"], NUMBER, NUMBER[2:]):
        assert secret not in held


@pytest.mark.standard("V7.2.4", "63B-5.1a")
@pytest.mark.attack("P34", "P35")
def test_the_session_key_changes_at_the_password_and_at_the_code(
    client: Client, user: Any, bandwidth: Any
) -> None:
    """Fails when the session is marked as verified without ``login`` or ``cycle_key``."""
    session = client.session
    session["basket"] = "planted"
    session.save()
    client.cookies["sessionid"] = planted = session.session_key
    give_password(client, user)
    client.get("/mfa/verify/")
    parked = client.session.session_key
    client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert state(client) == "verified"
    assert len({planted, parked, client.session.session_key}) == 3
    old = Client()
    old.cookies["sessionid"] = parked
    assert state(old) == "anonymous"


@pytest.mark.attack("P29")
def test_a_second_user_over_the_firsts_parked_login_starts_empty(
    client: Client, user: Any, newcomer: Any, bandwidth: Any
) -> None:
    """Fails when the session is not flushed: the second user would see the basket of the first
    user."""
    session = client.session
    give_password(client, user, "/account/?of=ada")
    session = client.session
    session["basket"] = "ada's"
    session.save()
    give_password(client, newcomer)
    assert client.get("/whoami/").json()["user"] == "newcomer"
    assert "basket" not in client.session
    assert PARKED not in client.session


@pytest.mark.attack("P29")
def test_a_second_parked_user_takes_nothing_over(client: Client, user: Any, bandwidth: Any) -> None:
    bob = make_user("bob", "+12025550188")
    give_password(client, user, "/account/?of=ada")
    give_password(client, bob)
    assert client.get("/whoami/").json()["pending"] == "bob"
    client.get("/mfa/verify/")
    assert [message["to"] for message in bandwidth.inbox] == ["+12025550188"]


@pytest.mark.attack("S2")
def test_another_right_password_sends_nothing_again(
    client: Client, user: Any, bandwidth: Any
) -> None:
    for _ in range(4):
        give_password(client, user)
        client.get("/mfa/verify/")
        client.get("/mfa/verify/")
    assert len(bandwidth.inbox) == 1


def test_a_login_in_another_browser_adopts_the_code_that_just_came(
    client: Client, user: Any, bandwidth: Any
) -> None:
    give_password(client, user)
    client.get("/mfa/verify/")
    other = Client()
    give_password(other, user)
    other.get("/mfa/verify/")
    assert len(bandwidth.inbox) == 1
    answer = other.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert answer.status_code == 302
    assert state(other) == "verified"


@pytest.mark.standard("V7.3.2")
@pytest.mark.attack("P30")
def test_a_parked_login_ends_after_login_seconds(client: Client, user: Any, bandwidth: Any) -> None:
    """Fails when the age of a parked login (``at``) is not checked."""
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        give_password(client, user)
        client.get("/mfa/verify/")
        clock.shift(601)
        answer = client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
        assert answer["Location"].startswith("/accounts/login/")
        assert state(client) == "anonymous"


@pytest.mark.standard("V7.4.2")
@pytest.mark.attack("P31")
@pytest.mark.parametrize("change", ["password", "inactive", "removed"])
def test_what_happens_to_the_user_ends_the_parked_login(
    client: Client, user: Any, bandwidth: Any, change: str
) -> None:
    """Fails when the session hash is not compared: the old password would still count."""
    give_password(client, user)
    client.get("/mfa/verify/")
    code = bandwidth.inbox[0]["code"]
    if change == "password":
        user.set_password("another")
        user.save()
    elif change == "inactive":
        user.is_active = False
        user.save()
    else:
        user.delete()
    client.post("/mfa/verify/", {"code": code})
    assert client.get("/whoami/").json()["user"] == "AnonymousUser"
    assert state(client) == "anonymous"
    assert PARKED not in client.session


@pytest.mark.parametrize("backend_user", ["the parked one", "another"])
def test_a_user_whom_a_middleware_set_is_nobody_only_while_that_user_is_parked(
    client: Client, user: Any, bandwidth: Any, backend_user: str
) -> None:
    """Fails when the two users are not compared: both would get in, or both would be shut out."""
    give_password(client, user)
    session = client.session
    someone = user if backend_user == "the parked one" else make_user("bob", "+12025550188")
    judged = recheck(session, someone, None)
    assert judged.is_anonymous is (someone is user)


def test_an_exempt_session_that_is_asked_each_time_is_not_written_each_time(
    client: Client, newcomer: Any, configure: Any
) -> None:
    configure(RECHECK_SECONDS=0)
    give_password(client, newcomer)
    before = dict(client.session.items())
    assert state(client) == "exempt"
    assert dict(client.session.items()) == before
    configure(RECHECK_SECONDS=300)
    with time_machine.travel(before[MARK]["checked"] + 1000, tick=False):
        assert state(client) == "exempt"
        assert client.session[MARK]["checked"] > before[MARK]["checked"]


def test_a_parked_login_ends_to_the_second(client: Client, user: Any, bandwidth: Any) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        give_password(client, user)
        clock.shift(599)
        assert state(client) == "parked"
        clock.shift(1)
        assert state(client) == "anonymous"


def test_a_parked_login_from_the_future_is_none(client: Client, user: Any, bandwidth: Any) -> None:
    """Fails when only the end of the parked login is checked: a clock that was set back would keep
    it for too long."""
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        give_password(client, user)
        clock.shift(-3)
        assert state(client) == "anonymous"


@pytest.mark.parametrize("behind", [0.3, 2])
def test_a_machine_whose_clock_is_behind_goes_on_with_the_login(
    client: Client, user: Any, bandwidth: Any, behind: float
) -> None:
    """Fails when a moment in the near future makes the parked login invalid."""
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        give_password(client, user)
        clock.shift(-behind)
        client.get("/mfa/verify/")
        clock.shift(behind)
        client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
        clock.shift(-behind)
        assert state(client) == "verified"
        assert client.get("/transfer/").status_code == 200


@pytest.mark.parametrize("first", ["ada", "bob"])
def test_the_second_user_gets_no_data_of_the_first(
    client: Client, user: Any, bandwidth: Any, first: str
) -> None:
    """The second user gets no data of the first user. The test tries both orders of the users'
    keys."""
    both = {"ada": user, "bob": make_user("bob", "+12025550188")}
    second = next(name for name in both if name != first)
    give_password(client, both[first])
    session = client.session
    session["basket"] = first
    session.save()
    give_password(client, both[second])
    assert client.get("/whoami/").json()["pending"] == second
    assert "basket" not in client.session


@pytest.mark.standard("V7.4.1")
def test_cancel_forgets_the_parked_login(client: Client, user: Any, bandwidth: Any) -> None:
    give_password(client, user)
    assert client.get("/mfa/cancel/").status_code == 405
    assert client.post("/mfa/cancel/")["Location"] == "/accounts/login/"
    assert client.get("/accounts/login/").status_code == 200
    assert PARKED not in client.session


def test_a_deactivated_user_is_refused_whatever_the_backend_says(
    client: Client, user: Any, bandwidth: Any, settings: Any
) -> None:
    """Fails when only the backend checks ``is_active``: the backend of this test does not check
    it."""
    settings.AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.AllowAllUsersModelBackend"]
    give_password(client, user)
    client.get("/mfa/verify/")
    user.is_active = False
    user.save()
    client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert state(client) == "anonymous"


def test_a_password_changed_while_bandwidth_answers_lets_nobody_in(
    client: Client, user: Any, bandwidth: Any
) -> None:
    """Fails when the user is not loaded again after the request to Bandwidth."""

    def change(challenge: Any, **kwargs: Any) -> None:
        user.set_password("another")
        user.save()

    give_password(client, user)
    client.get("/mfa/verify/")
    signals.code_verified.connect(change)
    try:
        client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    finally:
        signals.code_verified.disconnect(change)
    assert state(client) == "anonymous"


@pytest.mark.parametrize("record", [{"user": "x"}, {"user": ""}, {"backend": "no.Such"}, {"at": 0}])
def test_a_parked_record_that_makes_no_sense_is_none(
    client: Client, user: Any, bandwidth: Any, record: dict[str, Any]
) -> None:
    give_password(client, user)
    session = client.session
    session[PARKED] |= record
    session.save()
    assert client.get("/mfa/verify/").status_code == 302
    assert state(client) == "anonymous"
