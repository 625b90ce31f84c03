"""Attacks that got through while the app was made: one test each."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest
import responses
import time_machine
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ObjectDoesNotExist
from django.db import OperationalError, connection
from django.http import Http404, HttpRequest, HttpResponse
from django.template import engines
from django.test import AsyncClient, Client
from django.urls import path

from django_bandwidth_mfa import service
from django_bandwidth_mfa.conf import settings as mfa_settings
from django_bandwidth_mfa.decorators import mfa_suggested
from django_bandwidth_mfa.internal.phones import changes
from django_bandwidth_mfa.internal.staff.reset import reset_second_factor
from django_bandwidth_mfa.models import Phone, RecoveryCode
from django_bandwidth_mfa.testing import login_verified

from . import urls
from .browsing import assert_shut, give_password, sign_in, state
from .conftest import NUMBER, OTHER_NUMBER, PASSWORD, give_recovery_codes, make_user

pytestmark = pytest.mark.django_db

HERE = "tests.test_attacks"
THIRD_NUMBER = "+12025550199"
START = 1_800_000_000


# What the site under attack has --------------------------------------------------------------


def raises_404(request: Any, user: Any) -> bool:
    raise Http404


def finds_no_profile(request: Any, user: Any) -> bool:
    raise ObjectDoesNotExist


class Careless:
    """Looks at the user, as what logs requests does, and takes no error from it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with suppress(Exception):
            str(request.user.pk)
        return self.get_response(request)


def greeting(request: HttpRequest) -> HttpResponse:
    """A template swallows ObjectDoesNotExist."""
    template = "[{{ request.user.username }}]{% if request.user.is_authenticated %}in{% endif %}"
    return HttpResponse(engines["django"].from_string(template).render({}, request))


@mfa_suggested
@login_required
async def twice(request: Any) -> HttpResponse:
    return HttpResponse(f"page of {await request.auser()}")


urlpatterns = [path("greeting/", greeting), path("twice/", twice), *urls.urlpatterns]


# Errors while a session is judged ------------------------------------------------------------


@pytest.mark.attack("P20")
@pytest.mark.parametrize("error", ["the policy's", "the database's"])
def test_an_error_that_a_middleware_swallows_lets_nobody_in(
    client: Client, newcomer: Any, configure: Any, settings: Any, error: str
) -> None:
    """Fails when ``request.user`` stays what it was before it was judged."""
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{HERE}.Careless"]
    client.force_login(newcomer)
    configure(RECHECK_SECONDS=0)
    client.raise_request_exception = False

    def fail(execute: Any, sql: str, *args: Any) -> Any:
        if "bandwidth_mfa_secondfactor" in sql:
            raise OperationalError("gone")
        return execute(sql, *args)

    def pass_(execute: Any, *args: Any) -> Any:
        return execute(*args)

    if error == "the policy's":
        configure(REQUIRED=f"{HERE}.finds_no_profile")
    with connection.execute_wrapper(fail if error == "the database's" else pass_):
        answer = client.get("/account/")
    assert b"account of" not in answer.content


@pytest.mark.urls(HERE)
def test_an_error_that_a_template_swallows_lets_nobody_in(
    client: Client, newcomer: Any, configure: Any
) -> None:
    """Fails when ``request.user`` stays what it was before it was judged."""
    client.force_login(newcomer)
    configure(RECHECK_SECONDS=0, REQUIRED=f"{HERE}.finds_no_profile")
    client.raise_request_exception = False
    assert b"in" not in client.get("/greeting/").content


@pytest.mark.attack("P20")
def test_a_policy_that_answers_404_leaves_nobody_logged_in(
    client: Client, user: Any, configure: Any
) -> None:
    """Fails when Django's keys are left in the session: it is saved with a 404."""
    configure(REQUIRED=f"{HERE}.raises_404")
    assert give_password(client, user).status_code == 404
    assert "_auth_user_id" not in client.session


@pytest.mark.urls(HERE)
@pytest.mark.django_db(transaction=True)
def test_a_session_that_was_ended_is_nobodys_when_it_is_asked_twice() -> None:
    """Fails when ``request.auser`` keeps the user whose session was just emptied."""
    user = make_user("ada", NUMBER)
    client = AsyncClient()
    with time_machine.travel(START, tick=False) as clock:
        login_verified(client, user)
        clock.shift(1)
        service.end_sessions(user)
        clock.shift(300)
        assert b"ada" not in async_to_sync(client.get)("/twice/").content


# Sessions that were ended, and have RECHECK_SECONDS left -------------------------------------


@pytest.mark.standard("V7.4.5")
@pytest.mark.attack("P19")
@pytest.mark.parametrize("end", [reset_second_factor, service.end_sessions])
def test_a_session_that_was_ended_cannot_save_itself(
    user: Any, bandwidth: Any, end: Callable[[Any], None]
) -> None:
    """Fails when the pages for signed-in users wait for ``RECHECK_SECONDS`` before they ask about
    the session. (A session that ends the others is asked about once more, for a reset that comes
    in between; a test of the sessions shows that.)"""
    thief = Client()
    with time_machine.travel(START, tick=False) as clock:
        sign_in(thief, user, bandwidth)
        clock.shift(1)
        end(user)
        clock.shift(1)
        thief.post("/mfa/sign-out-others/")
        clock.shift(300)
        assert state(thief) != "verified"


@pytest.mark.attack("P19")
def test_of_two_that_end_each_other_the_first_stays(user: Any, bandwidth: Any) -> None:
    mine, theirs = Client(), Client()
    with time_machine.travel(START, tick=False) as clock:
        sign_in(theirs, user, bandwidth)
        login_verified(mine, user)
        clock.shift(1)
        mine.post("/mfa/sign-out-others/")
        clock.shift(1)
        theirs.post("/mfa/sign-out-others/")
        clock.shift(300)
        assert state(theirs) == "anonymous"
        assert state(mine) == "verified"


@pytest.mark.attack("P19")
def test_a_session_whose_phone_is_gone_adds_none(bandwidth: Any) -> None:
    """Fails when the page that adds a phone does not ask about the session at once: what was left
    of it would last for ever."""
    user = make_user("ada", NUMBER, OTHER_NUMBER)
    thief = Client()
    sign_in(thief, user, bandwidth)
    changes.remove(Phone.objects.get(number=NUMBER))
    answer = thief.post("/mfa/phones/add/", {"number": THIRD_NUMBER})
    assert answer["Location"].startswith("/mfa/verify/")
    assert not Phone.objects.filter(number=THIRD_NUMBER).exists()


# Where a right code leads --------------------------------------------------------------------


@pytest.mark.parametrize("next_", ["x", "account", "login", "javascript", "a b"])
def test_a_next_that_is_no_address_does_no_harm(
    client: Client, user: Any, bandwidth: Any, next_: str
) -> None:
    """Fails when any word counts as an address of this site: to ``redirect()`` it is the name of a
    view, and the code would be spent on an error page. (The views do not call ``redirect()`` for
    it; either is enough.)"""
    give_password(client, user)
    client.get("/mfa/verify/")
    client.get("/accounts/login/", {"next": next_})
    data = {"code": bandwidth.inbox[0]["code"]}
    assert client.post("/mfa/verify/", data)["Location"] == "/account/"
    assert state(client) == "verified"
    code = give_recovery_codes(user)[0]
    for page, form in (("recovery-code", {"recovery_code": code}), ("suggestion", {})):
        assert client.post(f"/mfa/{page}/?next={next_}", form)["Location"] == "/account/"
    assert state(client) == "verified"
    assert RecoveryCode.objects.left(user) == 9


def test_an_odd_charset_makes_no_error_page(client: Client) -> None:
    """Fails when half a character from ``next`` is put into an address."""
    headers = {"content-type": "text/plain; charset=utf-7"}
    answer = client.get("/mfa/verify/?next=/%2B2AA-", headers=headers)
    assert answer.status_code == 302


# While Bandwidth is being asked --------------------------------------------------------------


@pytest.fixture
def meanwhile(configure: Any) -> Any:
    """``meanwhile(work)``: a Bandwidth that takes all codes, and during whose calls ``work`` is
    done."""
    configure(USERNAME="user", PASSWORD="secret", CLIENT_ID=None, CLIENT_SECRET=None)
    base = f"{mfa_settings.BASE_URL}/accounts/{mfa_settings.ACCOUNT_ID}/code"

    def meanwhile(work: Callable[[], Any], status: int = 200) -> None:
        def answer(body: dict[str, Any]) -> Callable[[Any], tuple[int, dict[str, str], str]]:
            def callback(request: Any) -> tuple[int, dict[str, str], str]:
                work()
                return status, {"Content-Type": "application/json"}, json.dumps(body)

            return callback

        responses.add_callback("POST", f"{base}/messaging", answer({"messageId": "m-1"}))
        responses.add_callback("POST", f"{base}/verify", answer({"valid": True}))

    return meanwhile


@pytest.mark.attack("P21")
@responses.activate
def test_a_login_that_ends_while_bandwidth_is_asked_leaves_no_mark(
    client: Client, user: Any, meanwhile: Any
) -> None:
    """Fails when a session that nobody is signed in to is marked: the next password there would
    need no code."""
    with time_machine.travel(START, tick=False) as clock:
        meanwhile(lambda: None)
        give_password(client, user)
        client.get("/mfa/verify/")
        responses.reset()
        clock.shift(100)
        meanwhile(lambda: clock.shift(mfa_settings.LOGIN_SECONDS))
        client.post("/mfa/verify/", {"code": "123456"})
        assert state(client) == "anonymous"
        client.post("/accounts/login/", {"username": "ada", "password": PASSWORD})
        assert_shut(client)


@responses.activate
@pytest.mark.parametrize("status", [200, 500])
def test_a_phone_that_goes_while_a_code_is_sent_makes_no_error_page(
    client: Client, user: Any, meanwhile: Any, status: int
) -> None:
    """Fails when the challenge is saved as if its row must be there."""
    meanwhile(lambda: Phone.objects.filter(user=user).delete(), status)
    give_password(client, user)
    assert client.get("/mfa/verify/").status_code == 200
    assert_shut(client)


@responses.activate
@pytest.mark.django_db(transaction=True)
def test_a_replaced_phone_that_goes_meanwhile_makes_no_error_page(
    client: Client, meanwhile: Any
) -> None:
    """Fails when an integrity error of the database reaches the page."""
    meanwhile(lambda: None)
    user = make_user("ada", NUMBER, OTHER_NUMBER)
    login_verified(client, user)
    old = Phone.objects.get(number=OTHER_NUMBER)

    def remove(execute: Any, sql: str, *args: Any) -> Any:
        if sql.startswith("UPDATE") and "replaces_id" in sql and args[0][0] == old.pk:
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM bandwidth_mfa_phone WHERE id = %s", [old.pk])
        return execute(sql, *args)

    with connection.execute_wrapper(remove):
        answer = client.post("/mfa/phones/add/", {"number": THIRD_NUMBER, "phone": old.choice})
    assert answer.status_code == 200
    assert "There is no such phone on this account" in answer.content.decode()


# Numbers that the site keeps -----------------------------------------------------------------

KEPT: list[str] = []


def kept(user: Any) -> list[str]:
    return list(KEPT)


@pytest.mark.attack("P22")
def test_a_number_that_the_site_took_away_passes_no_more(
    client: Client, user: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when no check asks whether the number still belongs to the user."""
    KEPT[:] = [NUMBER]
    configure(GET_PHONES=f"{HERE}.kept", TRUST_DAYS=30)
    give_password(client, user)
    client.get("/mfa/verify/")
    KEPT[:] = [OTHER_NUMBER]
    client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"], "trust": "on"})
    assert_shut(client)


# Odds and ends -------------------------------------------------------------------------------


def test_what_one_user_left_parked_reaches_no_other(
    client: Client, user: Any, newcomer: Any
) -> None:
    """Fails when a login with a verification does not empty the session first."""
    give_password(client, user)
    session = client.session
    session["cart"] = "ada's"
    session.save()
    login_verified(client, newcomer)
    assert "cart" not in client.session


@pytest.mark.slow
def test_refused_numbers_leave_no_rows(client: Client, newcomer: Any, bandwidth: Any) -> None:
    """Fails when the row is made although nothing may be sent."""
    client.force_login(newcomer)
    for n in range(20):
        client.post("/mfa/phones/add/", {"number": f"+120255501{n:02}"})
    assert len(bandwidth.inbox) == 1
    assert Phone.objects.count() == 1


# Sessions that end while Bandwidth is asked -----------------------------------------------------


def copy_of(client: Client) -> Client:
    """A browser with the same cookies: another tab, or a thief's copy."""
    other = Client()
    other.cookies = deepcopy(client.cookies)
    return other


def messages_in(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def log_out(client: Client) -> None:
    copy_of(client).post("/accounts/logout/")


def cancel(client: Client) -> None:
    copy_of(client).post("/mfa/cancel/")


def sign_out_everywhere(client: Client) -> None:
    service.end_sessions(get_user_model()._default_manager.get())


@pytest.mark.attack("P21")
@responses.activate
@pytest.mark.parametrize("end", [cancel, sign_out_everywhere])
def test_a_parked_login_that_is_ended_meanwhile_does_not_come_back(
    client: Client, user: Any, meanwhile: Any, end: Callable[[Client], None]
) -> None:
    """Fails when the login is made from what this request still has in memory."""
    meanwhile(lambda: None)
    give_password(client, user)
    client.get("/mfa/verify/")
    responses.reset()
    meanwhile(lambda: end(client))
    answer = client.post("/mfa/verify/", {"code": "123456"}, follow=True)
    assert messages_in(answer) == ["You were signed out in the meantime. Please sign in again."]
    assert state(client) == "anonymous"
    assert client.get("/account/").status_code == 302


@pytest.mark.attack("P21")
@responses.activate
@pytest.mark.parametrize("end", [log_out, sign_out_everywhere])
def test_a_session_that_is_ended_meanwhile_does_not_step_up(
    client: Client, user: Any, meanwhile: Any, end: Callable[[Client], None]
) -> None:
    """Fails when a step-up stores a session anew that is not there any more."""
    login_verified(client, user)
    meanwhile(lambda: None)
    client.post("/mfa/send/")
    responses.reset()
    meanwhile(lambda: end(client))
    answer = client.post("/mfa/verify/", {"code": "123456"}, follow=True)
    assert messages_in(answer) == ["You were signed out in the meantime. Please sign in again."]
    assert state(client) == "anonymous"


@pytest.mark.attack("P19")
@pytest.mark.parametrize("parked", [True, False], ids=["parked", "signed in"])
@pytest.mark.parametrize("address", ["/mfa/recovery-code/", "/mfa/api/recovery-code"])
def test_a_session_that_was_signed_out_spends_no_recovery_code(
    client: Client, user: Any, parked: bool, address: str
) -> None:
    """Fails when the session is asked about after the code was used up: nobody got in by it, and
    its owner had one less."""
    code = give_recovery_codes(user)[0]
    with time_machine.travel(START, tick=False) as clock:
        if parked:
            give_password(client, user)
        else:
            login_verified(client, user)
        clock.shift(60)
        service.end_sessions(user)
        clock.shift(10)
        client.post(address, {"recovery_code": code}, **json_if_api(address))
        assert state(client) == "anonymous"
    assert RecoveryCode.objects.left(user) == 10


def json_if_api(address: str) -> dict[str, Any]:
    return {"content_type": "application/json"} if "/api/" in address else {}


@pytest.mark.attack("P19")
@pytest.mark.parametrize("minutes", [0, 4])
def test_a_stolen_session_that_was_signed_out_cannot_step_up_and_stay(
    client: Client, user: Any, bandwidth: Any, minutes: int
) -> None:
    """Fails when a right code marks a session that was signed out within RECHECK_SECONDS."""
    with time_machine.travel(START, tick=False) as clock:
        login_verified(client, user)
        clock.shift(60)
        client.post("/mfa/send/")
        service.end_sessions(user)
        clock.shift(minutes * 60)
        client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
        assert state(client) == "anonymous"


@pytest.mark.attack("P19")
def test_signing_out_everywhere_else_leaves_a_copied_cookie_behind(
    client: Client, user: Any
) -> None:
    """Fails when the session that stays keeps its key: its copy would stay, too."""
    login_verified(client, user)
    thief = copy_of(client)
    client.post("/mfa/sign-out-others/")
    assert state(client) == "verified"
    assert state(thief) == "anonymous"
