"""Attacks that once succeeded against the app, each with a test."""

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


# The site under attack -----------------------------------------------------------------------


def raises_404(request: Any, user: Any) -> bool:
    raise Http404


def finds_no_profile(request: Any, user: Any) -> bool:
    raise ObjectDoesNotExist


class Careless:
    """A middleware that reads the user, as a request log does, and swallows errors."""

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


# Errors while a session is checked -----------------------------------------------------------


@pytest.mark.attack("P20")
@pytest.mark.parametrize("error", ["the policy's", "the database's"])
def test_an_error_that_a_middleware_swallows_signs_nobody_in(
    client: Client, newcomer: Any, configure: Any, settings: Any, error: str
) -> None:
    """Fails when ``request.user`` keeps the user from before the check."""
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
def test_an_error_that_a_template_swallows_signs_nobody_in(
    client: Client, newcomer: Any, configure: Any
) -> None:
    """Fails when ``request.user`` keeps the user from before the check."""
    client.force_login(newcomer)
    configure(RECHECK_SECONDS=0, REQUIRED=f"{HERE}.finds_no_profile")
    client.raise_request_exception = False
    assert b"in" not in client.get("/greeting/").content


@pytest.mark.attack("P20")
def test_a_policy_that_answers_404_leaves_nobody_logged_in(
    client: Client, user: Any, configure: Any
) -> None:
    """Fails when Django's keys stay in the session: the session is saved with a 404, too."""
    configure(REQUIRED=f"{HERE}.raises_404")
    assert give_password(client, user).status_code == 404
    assert "_auth_user_id" not in client.session


@pytest.mark.urls(HERE)
@pytest.mark.django_db(transaction=True)
def test_an_ended_session_stays_anonymous_when_its_user_is_read_twice() -> None:
    """Fails when ``request.auser`` keeps the user whose session was just emptied."""
    user = make_user("ada", NUMBER)
    client = AsyncClient()
    with time_machine.travel(START, tick=False) as clock:
        login_verified(client, user)
        clock.shift(1)
        service.end_sessions(user)
        clock.shift(300)
        assert b"ada" not in async_to_sync(client.get)("/twice/").content


# Ended sessions within RECHECK_SECONDS -------------------------------------------------------


@pytest.mark.standard("V7.4.5")
@pytest.mark.attack("P19")
@pytest.mark.parametrize("end", [reset_second_factor, service.end_sessions])
def test_an_ended_session_cannot_restore_itself(
    user: Any, bandwidth: Any, end: Callable[[Any], None]
) -> None:
    """Fails when the pages for signed-in users wait for ``RECHECK_SECONDS`` before they check the
    session. (A session that ends the others is checked once more, in case of a reset in between.
    A test of the sessions shows that.)"""
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
def test_of_two_sessions_that_end_each_other_the_first_one_stays(user: Any, bandwidth: Any) -> None:
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
def test_a_session_whose_phone_was_removed_cannot_add_a_phone(bandwidth: Any) -> None:
    """Fails when the page that adds a phone does not check the session at once: the session could
    stay valid for ever."""
    user = make_user("ada", NUMBER, OTHER_NUMBER)
    thief = Client()
    sign_in(thief, user, bandwidth)
    changes.remove(Phone.objects.get(number=NUMBER))
    answer = thief.post("/mfa/phones/add/", {"number": THIRD_NUMBER})
    assert answer["Location"].startswith("/mfa/verify/")
    assert not Phone.objects.filter(number=THIRD_NUMBER).exists()


# Where a right code leads --------------------------------------------------------------------


@pytest.mark.parametrize("next_", ["x", "account", "login", "javascript", "a b"])
def test_a_next_that_is_not_an_address_is_ignored(
    client: Client, user: Any, bandwidth: Any, next_: str
) -> None:
    """Fails when any word counts as an address of this site: ``redirect()`` takes it for the name
    of a view, and the code would be used up on an error page. (The views do not call
    ``redirect()`` for it. Each of the two measures is enough.)"""
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


def test_an_unusual_charset_causes_no_error_page(client: Client) -> None:
    """Fails when a lone surrogate from ``next`` becomes part of an address."""
    headers = {"content-type": "text/plain; charset=utf-7"}
    answer = client.get("/mfa/verify/?next=/%2B2AA-", headers=headers)
    assert answer.status_code == 302


# During a call to Bandwidth ------------------------------------------------------------------


@pytest.fixture
def meanwhile(configure: Any) -> Any:
    """Return ``meanwhile(work)``. It sets up a Bandwidth that accepts all codes, and runs ``work``
    during each call."""
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
def test_a_login_that_ends_during_a_call_to_bandwidth_leaves_no_mark(
    client: Client, user: Any, meanwhile: Any
) -> None:
    """Fails when an anonymous session gets the verified mark: the next login there would need no
    code."""
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
def test_a_phone_that_is_removed_while_a_code_is_sent_causes_no_error_page(
    client: Client, user: Any, meanwhile: Any, status: int
) -> None:
    """Fails when the app saves the challenge without a check that its row still exists."""
    meanwhile(lambda: Phone.objects.filter(user=user).delete(), status)
    give_password(client, user)
    assert client.get("/mfa/verify/").status_code == 200
    assert_shut(client)


@responses.activate
@pytest.mark.django_db(transaction=True)
def test_a_phone_that_is_removed_while_it_is_replaced_causes_no_error_page(
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


# Numbers from the site itself ----------------------------------------------------------------

KEPT: list[str] = []


def kept(user: Any) -> list[str]:
    return list(KEPT)


@pytest.mark.attack("P22")
def test_a_code_for_a_number_that_the_site_removed_does_not_pass(
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


# Other attacks -------------------------------------------------------------------------------


def test_the_data_of_a_parked_login_do_not_reach_another_user(
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
def test_refused_sends_leave_no_phone_rows(client: Client, newcomer: Any, bandwidth: Any) -> None:
    """Fails when the row is made although a limit refuses the send."""
    client.force_login(newcomer)
    for n in range(20):
        client.post("/mfa/phones/add/", {"number": f"+120255501{n:02}"})
    assert len(bandwidth.inbox) == 1
    assert Phone.objects.count() == 1


# Sessions that end during a call to Bandwidth ------------------------------------------------


def copy_of(client: Client) -> Client:
    """Return a browser with the same cookies, as another tab or a thief has them."""
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
def test_a_parked_login_that_is_ended_during_the_call_is_not_restored(
    client: Client, user: Any, meanwhile: Any, end: Callable[[Client], None]
) -> None:
    """Fails when the login is made from the copy that this request has in memory."""
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
def test_a_session_that_is_ended_during_the_call_does_not_step_up(
    client: Client, user: Any, meanwhile: Any, end: Callable[[Client], None]
) -> None:
    """Fails when a step-up saves a session that no longer exists in the store."""
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
def test_a_signed_out_session_uses_up_no_recovery_code(
    client: Client, user: Any, parked: bool, address: str
) -> None:
    """Fails when the session is checked after the code was used up: nobody was signed in, and the
    user had one code less."""
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
def test_a_stolen_session_that_was_signed_out_cannot_step_up(
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
def test_signing_out_on_other_devices_also_signs_out_a_copied_cookie(
    client: Client, user: Any
) -> None:
    """Fails when the session that stays keeps its key: a copied cookie would stay valid, too."""
    login_verified(client, user)
    thief = copy_of(client)
    client.post("/mfa/sign-out-others/")
    assert state(client) == "verified"
    assert state(thief) == "anonymous"
