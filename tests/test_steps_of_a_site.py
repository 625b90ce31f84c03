"""``park_login`` and ``request_of_session``, for sites with their own steps and sessions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth import authenticate, login
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from django_bandwidth_mfa import service
from django_bandwidth_mfa.request import request_of_session
from tests import urls
from tests.browsing import assert_shut, give_password, let_in, state
from tests.conftest import OTHER_NUMBER, PASSWORD, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

BACKEND = "django.contrib.auth.backends.ModelBackend"
START = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
LATER = timedelta(seconds=10)


def last_step(request: HttpRequest) -> HttpResponse:
    """A login view that has its own steps before it calls ``login()``."""
    user: Any = authenticate(request, username=request.POST["username"], password=PASSWORD)
    if service.park_login(user, backend=BACKEND, request=request, next="/whoami/"):
        return HttpResponse(f"waits {request.user.is_authenticated}")
    login(request, user, backend=BACKEND)
    return HttpResponse("in")


urlpatterns = [path("last-step/", last_step), *urls.urlpatterns]


def take_last_step(client: Client, user: Any) -> str:
    return client.post("/last-step/", {"username": user.get_username()}).text


@pytest.mark.attack("P1")
def test_park_login_parks_a_login_that_django_has_not_made(
    client: Client, user: Any, bandwidth: Any
) -> None:
    """Fails when ``park_login`` writes no parked login."""
    assert take_last_step(client, user) == "waits False"
    assert state(client) == "parked"
    assert_shut(client)
    assert bandwidth.inbox == []
    client.get("/mfa/verify/")
    answer = client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert answer["Location"] == "/whoami/"
    assert state(client) == "verified"


def test_the_site_itself_makes_a_login_that_owes_no_code(client: Client, newcomer: Any) -> None:
    assert take_last_step(client, newcomer) == "in"
    assert state(client) == "exempt"


def test_a_user_who_is_verified_in_this_session_owes_no_second_code(
    client: Client, user: Any
) -> None:
    let_in(client, user)
    assert take_last_step(client, user) == "in"
    assert state(client) == "verified"


def test_a_trusted_browser_owes_no_code(
    client: Client, user: Any, bandwidth: Any, configure: Any
) -> None:
    configure(TRUST_DAYS=30)
    client.defaults["wsgi.url_scheme"] = "https"
    give_password(client, user)
    client.get("/mfa/verify/")
    client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"], "trust": "on"})
    client.cookies.pop("sessionid")
    assert take_last_step(client, user) == "in"
    assert client.get("/whoami/").json()["method"] == "trusted_browser"


@pytest.mark.attack("P29", "P34")
@pytest.mark.parametrize("first", ["anonymous", "parked", "verified"])
def test_the_session_gets_a_new_key_and_loses_the_data_of_another_user(
    client: Client, user: Any, first: str
) -> None:
    """Fails without the new key, and when the session is not flushed."""
    other = make_user("mallory", OTHER_NUMBER)
    if first == "parked":
        take_last_step(client, other)
    if first == "verified":
        let_in(client, other)
    session = client.session
    session["theirs"] = True
    session.save()
    # Without this, a new session would have no cookie.
    client.cookies["sessionid"] = session.session_key
    assert take_last_step(client, user) == "waits False"
    assert client.session.session_key != session.session_key
    assert not SessionStore().exists(session.session_key)
    assert ("theirs" in client.session) is (first == "anonymous")
    assert client.get("/whoami/").json()["state"] == "parked"


def test_a_user_who_signed_in_without_a_code_and_owes_one_now_is_parked(
    client: Client, user: Any, configure: Any
) -> None:
    """Fails when the user's session is emptied, as the session of another user would be."""
    configure(REQUIRED="never")
    client.force_login(user)
    session = client.session
    session["theirs"] = True
    session.save()
    configure(REQUIRED="enrolled")
    assert take_last_step(client, user) == "waits False"
    assert state(client) == "parked"
    assert_shut(client)
    assert client.session["theirs"]


@pytest.mark.attack("P18", "P32")
def test_a_session_without_a_cookie_can_be_checked(
    client: Client, user: Any, configure: Any
) -> None:
    """Fails when the session is only read, as Django does, and not checked."""
    with time_machine.travel(START, tick=False) as clock:
        let_in(client, user)
        key = client.session.session_key
        request = request_of_session(SessionStore(key))
        assert (request.user, request.mfa.state, request.mfa.method) == (user, "verified", "sms")
        clock.shift(LATER)
        service.require_new_code(user)
        clock.shift(LATER)
        # The last check is less than RECHECK_SECONDS ago.
        assert request_of_session(SessionStore(key)).user == user
        again = request_of_session(SessionStore(key), anew=True)
        assert not again.user.is_authenticated
        assert again.mfa.pending_user == user
        # The result is saved.
        assert request_of_session(SessionStore(key)).mfa.state == "parked"
        clock.shift(LATER)
        let_in(client, user)
        clock.shift(LATER)
        service.end_sessions(user)
        ended = SessionStore(client.session.session_key)
        assert request_of_session(ended, anew=True).mfa.state == "anonymous"
        assert ended.session_key is None


@pytest.mark.attack("P18")
def test_a_session_that_is_ended_while_it_is_checked_signs_nobody_in(
    client: Client, user: Any
) -> None:
    """Fails when the app does not handle that the session cannot be saved any more: an error page,
    or a user who is signed in once more."""
    with time_machine.travel(START, tick=False) as clock:
        let_in(client, user)
        session = SessionStore(client.session.session_key)
        # The session is read before the logout.
        session.keys()
        client.post("/accounts/logout/")
        clock.shift(timedelta(hours=1))
        request = request_of_session(session)
        assert (request.user.is_authenticated, request.mfa.state) == (False, "anonymous")
        assert session.session_key is None
