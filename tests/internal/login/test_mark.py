"""The mark of a verified session: to which user it belongs, and how long it is valid."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from django.test import Client

from django_bandwidth_mfa.internal.login.mark import MARK
from django_bandwidth_mfa.models import Phone
from tests.browsing import assert_shut, give_password, let_in, sign_in, state
from tests.conftest import NUMBER, make_user


def test_tests_that_begin_with_a_verified_session_have_the_one_that_pages_make(
    user: Any, bandwidth: Any
) -> None:
    """Fails when ``let_in`` leaves out a part of the mark, such as the phone that got the code."""
    client, other = Client(), Client()
    with time_machine.travel(1_800_000_000, tick=False):
        sign_in(client, user, bandwidth)
        let_in(other, user)
    assert dict(client.session) == dict(other.session)
    assert client.get("/whoami/").json() == other.get("/whoami/").json()
    assert len(bandwidth.inbox) == 1


@pytest.mark.attack("P29")
def test_the_mark_is_void_for_another_user(client: Client, user: Any, bandwidth: Any) -> None:
    """Fails when the user of the mark is not compared with the user of the session."""
    sign_in(client, user, bandwidth)
    bob = make_user("bob", "+12025550188")
    session = client.session
    session["_auth_user_id"] = str(bob.pk)
    session["_auth_user_hash"] = bob.get_session_auth_hash()
    session.save()
    assert client.get("/account/").status_code == 302
    assert state(client) == "parked"


def test_the_mark_survives_the_users_own_password_change(
    client: Client, user: Any, bandwidth: Any, rf: Any
) -> None:
    from django.contrib.auth import update_session_auth_hash

    sign_in(client, user, bandwidth)
    user.set_password("another")
    user.save()
    request = rf.get("/")
    request.session, request.user = client.session, user
    update_session_auth_hash(request, user)
    request.session.save()
    client.cookies["sessionid"] = request.session.session_key
    assert state(client) == "verified"


@pytest.mark.attack("P7")
def test_a_session_from_before_the_app_is_judged_when_the_user_is_looked_at(
    client: Client, user: Any, bandwidth: Any
) -> None:
    sign_in(client, user, bandwidth)
    session = client.session
    del session[MARK]
    session.save()
    assert client.get("/").status_code == 200
    assert "_auth_user_id" in client.session
    assert client.get("/account/").status_code == 302
    assert_shut(client)
    answer = client.get("/account/", follow=True)
    assert answer.redirect_chain[-1][0] == "/mfa/verify/"


def test_an_exempt_session_is_asked_again_after_recheck_seconds(
    client: Client, newcomer: Any, bandwidth: Any
) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        give_password(client, newcomer)
        Phone.objects.create(
            user=newcomer, number=NUMBER, is_primary=True, confirmed_at="2026-01-01T00:00:00Z"
        )
        clock.shift(299)
        assert client.get("/account/").status_code == 200
        clock.shift(2)
        assert client.get("/account/").status_code == 302
        assert state(client) == "parked"


@pytest.mark.attack("P32")
def test_removing_the_phone_ends_the_verified_state_within_recheck_seconds(
    client: Client, user: Any, bandwidth: Any, configure: Any
) -> None:
    configure(REQUIRED="all")
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        sign_in(client, user, bandwidth)
        Phone.objects.all().delete()
        assert state(client) == "verified"
        clock.shift(301)
        assert state(client) == "parked"


def test_recheck_seconds_of_zero_asks_each_time(
    client: Client, newcomer: Any, configure: Any, bandwidth: Any
) -> None:
    configure(RECHECK_SECONDS=0)
    give_password(client, newcomer)
    assert client.get("/account/").status_code == 200
    Phone.objects.create(
        user=newcomer, number=NUMBER, is_primary=True, confirmed_at="2026-01-01T00:00:00Z"
    )
    assert client.get("/account/").status_code == 302
