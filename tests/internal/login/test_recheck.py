"""How a session is checked on later requests: the exact second, and the right user."""

from __future__ import annotations

import time
from typing import Any

import pytest
import time_machine
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
)
from django.contrib.sessions.backends.db import SessionStore
from django.test import Client
from django.utils import timezone

from django_bandwidth_mfa.internal.login.first_factor import settle_login
from django_bandwidth_mfa.internal.login.mark import MARK, outlive, read_mark
from django_bandwidth_mfa.internal.login.parking import PARKED, park
from django_bandwidth_mfa.internal.login.recheck import is_settled, recheck
from django_bandwidth_mfa.models import SecondFactor
from django_bandwidth_mfa.request import RequestMFA
from django_bandwidth_mfa.verification import Verification
from tests.browsing import sign_in
from tests.conftest import make_user


def session_of(user: Any, mark: dict[str, Any] | None = None) -> Any:
    """Return an unsaved, logged-in session. It is verified, with the changes in ``mark``; without a
    mark if ``mark`` is None."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    if mark is not None:
        now = time.time()
        session[MARK] = {"user": str(user.pk), "at": now, "checked": now, "state": "verified"}
        session[MARK] |= {"method": None, "phone": None} | mark
    return session


def request_with(rf: Any, session: Any, user: Any) -> Any:
    request = rf.get("/")
    request.session, request.user = session, user
    request.mfa = RequestMFA(request)
    return request


@pytest.fixture
def three(db: None) -> list[Any]:
    """Create users whose keys sort in the same order as numbers and as texts."""
    return [make_user(name, f"+1202555016{n}") for n, name in enumerate(("ada", "bob", "eve"))]


@pytest.mark.parametrize("whose", [0, 1, 2])
def test_a_mark_is_its_own_users_only(three: list[Any], whose: int) -> None:
    session = session_of(three[1], {"user": str(three[whose].pk)})
    assert (read_mark(session, three[1]) is not None) is (whose == 1)


@pytest.mark.parametrize("whose", [0, 1, 2])
def test_a_parked_session_makes_nobody_of_its_own_user_only(three: list[Any], whose: int) -> None:
    session = session_of(three[1])
    park(session)
    judged = recheck(session, three[whose], None)
    assert judged.is_anonymous is (whose == 1)


@pytest.mark.parametrize("method", ["sms", "voice", "recovery_code", "trusted_browser"])
def test_max_age_takes_every_method_but_a_trusted_browser(user: Any, rf: Any, method: str) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        mfa = request_with(rf, session_of(user, {"method": method}), user).mfa
        assert mfa.is_verified()
        assert mfa.is_verified(60) is (method != "trusted_browser")
        clock.shift(59)
        assert mfa.is_verified(60) is (method != "trusted_browser")
        clock.shift(1)
        assert not mfa.is_verified(60)
        clock.shift(-62)
        assert mfa.is_verified(60) is (method != "trusted_browser")
        clock.shift(-1)
        assert not mfa.is_verified(60)
        assert mfa.is_verified()


@pytest.mark.parametrize("state", ["verified", "exempt"])
def test_a_mark_is_asked_about_again_when_its_seconds_are_over(user: Any, state: str) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        session = session_of(user, {"state": state})
        assert is_settled(session, user)
        clock.shift(299)
        assert is_settled(session, user)
        clock.shift(1)
        assert not is_settled(session, user)
        clock.shift(-302)
        assert is_settled(session, user)
        clock.shift(-1)
        assert not is_settled(session, user)


def test_asked_each_time_a_verified_session_is_not_written_each_time(
    user: Any, configure: Any
) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        session = session_of(user, {})
        before = dict(session[MARK])
        clock.shift(1000)
        configure(RECHECK_SECONDS=0)
        assert recheck(session, user, None) is user
        assert session[MARK] == before
        configure(RECHECK_SECONDS=300)
        assert recheck(session, user, None) is user
        assert session[MARK].items() >= (before | {"checked": time.time()}).items()


def test_a_view_that_asks_for_any_code_opens_once_one_passed(
    client: Client, user: Any, bandwidth: Any
) -> None:
    assert client.get("/verified/").status_code == 302
    sign_in(client, user, bandwidth)
    assert client.get("/verified/").content == b"verified"


@pytest.mark.parametrize("moment", ["verified_since", "signed_in_since"])
def test_a_session_that_was_ended_does_not_outlive_another_end(user: Any, moment: str) -> None:
    """Fails when the earlier state of a session is not checked before it is kept: two sessions that
    end each other at the same moment would both stay."""
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        session = session_of(user, {})
        clock.shift(1)
        before = dict(session[MARK])
        outlive(session, user, SecondFactor(**{moment: timezone.now()}))
        assert session[MARK] == before
        outlive(session, user, SecondFactor())
        assert session[MARK]["kept"] == time.time()


@pytest.mark.parametrize("whose", [0, 1, 2])
def test_a_verification_lets_in_its_own_user_only(three: list[Any], rf: Any, whose: int) -> None:
    """Fails when a login does not check to which user the verification belongs."""
    user = three[1]
    user.mfa_verification = Verification(three[whose], "sms", verified_at=timezone.now())
    session = session_of(user)
    request = request_with(rf, session, user)
    settle_login(None, request, user)
    assert (MARK in session) is (whose == 1)
    assert (PARKED in session) is (whose != 1)
