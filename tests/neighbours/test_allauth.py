"""allauth headless: the password, then the code, then the tokens."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from allauth.account.signals import user_logged_in as logged_in_by_allauth
from django.contrib.auth.signals import user_logged_in
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import URLResolver
from django.urls.resolvers import RegexPattern
from django.utils.module_loading import import_string
from rest_framework.authentication import BaseAuthentication

from django_bandwidth_mfa import service
from django_bandwidth_mfa.contrib.allauth.stages import CodeStage
from django_bandwidth_mfa.internal.phones import changes
from django_bandwidth_mfa.middleware import BandwidthMFAMiddleware
from django_bandwidth_mfa.models import Phone
from django_bandwidth_mfa.signals import login_completed
from tests.browsing import state
from tests.code_blocks import code
from tests.conftest import NUMBER, OTHER_NUMBER, PASSWORD, make_user

from .allauth_clients import API, CODE, App, pending
from .site import visit

HERE = "tests.neighbours.test_allauth"
OURS = "django_bandwidth_mfa.contrib.allauth"
SITE = "tests.neighbours.allauth_clients"

pytestmark = [pytest.mark.django_db, pytest.mark.urls(SITE)]

START = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
LATER = timedelta(seconds=10)


@pytest.fixture(autouse=True)
def as_documented(settings: Any) -> None:
    settings.ACCOUNT_ADAPTER = f"{OURS}.adapter.AccountAdapter"
    settings.HEADLESS_TOKEN_STRATEGY = f"{OURS}.strategies.SessionTokenStrategy"


@pytest.fixture
def jwt(settings: Any) -> None:
    settings.HEADLESS_TOKEN_STRATEGY = f"{OURS}.strategies.JWTTokenStrategy"


def look_at_user(get_response: Callable[[HttpRequest], HttpResponse]) -> Any:
    """Add a middleware that reads the user before allauth puts its session into the request."""

    def middleware(request: HttpRequest) -> HttpResponse:
        str(request.user.is_authenticated)
        # Its place is before our middleware, or after it.
        if hasattr(request, "mfa"):
            assert request.mfa.pending_user or request.mfa.state != "parked"
        return get_response(request)

    return middleware


def claims_of(token: str) -> dict[str, Any]:
    middle = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return claims


# The two steps -----------------------------------------------------------------------------------


@pytest.mark.package("allauth-session-token")
def test_an_app_gives_the_password_then_the_code(user: Any, bandwidth: Any) -> None:
    """Fails without the stage: allauth answers the password with 200 and the user."""
    app = App()
    first = app.give_password(user)
    assert first.status_code == 401
    assert pending(first) == ["mfa_bandwidth"]
    assert "user" not in first.json()["data"]
    parked_token = app.session_token
    assert app.get(API + "auth/session").status_code == 401
    assert app.get("/who/").status_code in (401, 403)
    assert bandwidth.inbox == []

    answer = app.get(CODE + "state").json()
    assert (answer["status"], answer["data"]["state"]) == (200, "parked")
    assert app.post(CODE + "send").status_code == 200
    wrong = app.post(CODE + "verify", code="000000")
    assert wrong.status_code == 400
    assert [one["code"] for one in wrong.json()["errors"]] == ["wrong_code"]
    assert pending(app.get(API + "auth/session")) == ["mfa_bandwidth"]

    last = app.post(CODE + "verify", code=bandwidth.inbox[0]["code"])
    assert last.status_code == 200
    assert last.json()["data"]["user"]["username"] == "ada"
    assert last.json()["meta"]["is_authenticated"] is True
    assert app.session_token != parked_token
    for address in (API + "auth/session", "/who/", "/who/stock/", "/who/verified/", "/who/recent/"):
        assert app.get(address).status_code == 200, address
    assert app.get(CODE + "state").json()["data"]["state"] == "verified"
    assert len(bandwidth.inbox) == 1


@pytest.mark.package("allauth-jwt")
def test_the_strategy_for_json_web_tokens_makes_them_after_the_code(
    user: Any, bandwidth: Any, jwt: None
) -> None:
    """Fails without the stage: the answer to the password contains an access token."""
    app = App()
    first = app.give_password(user)
    assert first.status_code == 401
    assert set(first.json()["meta"]) == {"is_authenticated", "session_token"}
    app.post(CODE + "send")
    assert app.access_token is None
    last = app.post(CODE + "verify", code=bandwidth.inbox[0]["code"])
    assert {"access_token", "refresh_token"} <= set(last.json()["meta"])
    for address in ("/who/", "/who/stock/", "/who/verified/", API + "auth/session"):
        assert app.get(address, by="access").status_code == 200, address


@pytest.mark.package("allauth-jwt")
def test_an_access_token_says_what_its_login_has_shown_and_so_does_the_next(
    user: Any, bandwidth: Any, jwt: None
) -> None:
    app = App()
    with time_machine.travel(START, tick=False) as clock:
        app.sign_in(user, bandwidth)
        assert app.access_token is not None
        first = claims_of(app.access_token)
        assert first["amr"] == ["mfa", "sms"]
        assert first["mfa_at"] == START.timestamp()
        for address in ("/who/", "/who/stock/", "/who/verified/", "/who/recent/"):
            assert app.get(address, by="access").status_code == 200, address
        clock.shift(timedelta(seconds=90))
        old = app.access_token
        refreshed = app.post(API + "tokens/refresh", refresh_token=app.refresh_token)
        assert refreshed.status_code == 200
        assert app.access_token != old
        next_claims = claims_of(app.access_token)
        assert (next_claims["amr"], next_claims["mfa_at"]) == (first["amr"], first["mfa_at"])
        assert app.get("/who/verified/", by="access").status_code == 200
        refused = app.get("/who/recent/", by="access")
        assert refused.json() == {
            "detail": "A code is needed here.",
            "code": "code_required",
            "next": {"api": CODE + "send"},
        }
        # A second code changes the session key, and the app gets new tokens.
        assert app.post(CODE + "send").status_code == 200
        app.post(CODE + "verify", code=bandwidth.inbox[0]["code"])
        assert app.get("/who/recent/", by="access").status_code == 200
        token = app.refresh_token
        again = app.ask("post", API + "tokens/refresh", by="nothing", refresh_token=token)
        assert again.status_code == 200


def test_an_app_that_owes_no_code_gets_its_token_at_once(newcomer: Any, jwt: None) -> None:
    app = App()
    answer = app.give_password(newcomer)
    assert answer.status_code == 200
    assert app.access_token is not None
    assert "amr" not in claims_of(app.access_token)
    assert app.get("/who/", by="access").status_code == 200
    assert app.get("/who/verified/", by="access").status_code == 403


def test_an_app_adds_the_first_phone_of_a_user_who_needs_one(
    newcomer: Any, bandwidth: Any, configure: Any
) -> None:
    configure(REQUIRED="all")
    app = App()
    assert pending(app.give_password(newcomer)) == ["mfa_bandwidth"]
    assert app.get(CODE + "state").json()["data"]["needs"] == "phone"
    added = app.post(CODE + "phones/add", number=NUMBER)
    assert added.status_code == 200
    last = app.post(CODE + "phones/confirm", code=bandwidth.inbox[0]["code"])
    assert last.json()["meta"]["is_authenticated"] is True
    phones = app.get(CODE + "phones").json()["data"]["phones"]
    assert [phone["is_primary"] for phone in phones] == [True]


def test_a_browser_client_signs_in_with_its_cookie(user: Any, bandwidth: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    start = "/_allauth/browser/v1/"
    client.get(start + "config")

    def post(address: str, **body: str) -> Any:
        token = client.cookies["csrftoken"].value
        return client.post(
            start + address, body, "application/json", headers={"x-csrftoken": token}
        )

    assert pending(post("auth/login", username="ada", password=PASSWORD)) == ["mfa_bandwidth"]
    no_token = client.post(start + "bandwidth-mfa/send", {}, "application/json")
    assert (no_token.status_code, bandwidth.inbox) == (403, [])
    assert post("bandwidth-mfa/send").status_code == 200
    last = post("bandwidth-mfa/verify", code=bandwidth.inbox[0]["code"])
    assert last.json()["data"]["user"]["username"] == "ada"
    assert client.get("/account/").status_code == 200


@pytest.mark.attack("P36")
def test_no_other_site_sends_a_code_for_a_browser_client(
    user: Any, bandwidth: Any, settings: Any
) -> None:
    """Fails when the views for browsers have no CSRF check, like the views for apps."""
    settings.MIDDLEWARE = [one for one in settings.MIDDLEWARE if "csrf" not in one]
    client = Client(enforce_csrf_checks=True)
    start = "/_allauth/browser/v1/"
    client.post(start + "auth/login", {"username": "ada", "password": PASSWORD}, "application/json")
    answer = client.post(start + "bandwidth-mfa/send", {}, "application/json")
    assert (answer.status_code, bandwidth.inbox) == (403, [])
    assert [one["code"] for one in answer.json()["errors"]] == ["csrf_failed"]


def test_a_login_of_a_browser_client_can_go_on_at_the_code_page(user: Any, bandwidth: Any) -> None:
    client = Client()
    client.post(
        "/_allauth/browser/v1/auth/login",
        {"username": "ada", "password": PASSWORD},
        "application/json",
    )
    assert client.get("/mfa/verify/").status_code == 200
    client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert client.get("/account/").status_code == 200
    assert "account_login" not in client.session


@pytest.mark.package("allauth")
def test_a_login_on_allauths_pages_is_told_by_each_package_once_after_the_code(
    user: Any, bandwidth: Any
) -> None:
    heard: list[str] = []

    def note(name: str) -> Callable[..., None]:
        def receiver(**kwargs: Any) -> None:
            heard.append(name)

        return receiver

    signals = {
        "django": (user_logged_in, note("django")),
        "allauth": (logged_in_by_allauth, note("allauth")),
        "ours": (login_completed, note("ours")),
    }
    client = Client()
    for signal, receiver in signals.values():
        signal.connect(receiver, weak=False)
    try:
        answer = client.post(
            "/allauth/login/?next=/whoami/", {"login": "ada", "password": PASSWORD}
        )
        assert answer["Location"] == "/mfa/verify/"
        assert (state(client), heard) == ("parked", [])
        client.get("/mfa/verify/")
        answer = client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    finally:
        for signal, receiver in signals.values():
            signal.disconnect(receiver)
    assert answer["Location"] == "/whoami/"
    assert sorted(heard) == ["allauth", "django", "ours"]
    assert state(client) == "verified"


@pytest.mark.django_db(transaction=True)
def test_the_code_is_sent_and_tried_outside_a_transaction_of_the_request(
    bandwidth: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails when the view does not leave ATOMIC_REQUESTS: a rollback could undo the count."""
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    assert App().sign_in(make_user("ada", NUMBER), bandwidth).status_code == 200


def test_a_login_that_was_left_is_pending_no_more(user: Any) -> None:
    app = App()
    app.give_password(user)
    assert app.post(CODE + "cancel").status_code == 200
    assert pending(app.get(API + "auth/session")) == []


def test_a_parked_login_that_is_too_old_is_pending_no_more(user: Any) -> None:
    app = App()
    with time_machine.travel(START, tick=False) as clock:
        app.give_password(user)
        clock.shift(timedelta(seconds=601))
        late = app.post(CODE + "send")
        assert (late.status_code, pending(late)) == (401, [])


# Attacks -----------------------------------------------------------------------------------------


@pytest.mark.attack("P60")
@pytest.mark.parametrize("strategy", ["SessionTokenStrategy", "JWTTokenStrategy"])
def test_the_token_of_a_parked_login_is_good_for_the_code_and_nothing_else(
    user: Any, bandwidth: Any, settings: Any, strategy: str
) -> None:
    """Fails with a stage that parks no login, together with allauth's own strategy for JSON Web
    Tokens. For session tokens, it also fails without the receiver."""
    settings.HEADLESS_TOKEN_STRATEGY = f"{OURS}.strategies.{strategy}"
    app = App()
    app.give_password(user)
    assert app.session_token is not None
    shut = [
        app.get("/who/"),
        app.get("/who/stock/"),
        app.get(API + "auth/session"),
        app.get(API + "account/email"),
        app.post(API + "account/password/change", new_password="pwned-by-a-thief"),
        app.get(CODE + "phones"),
        app.post(CODE + "phones/add", number=OTHER_NUMBER),
        app.post(CODE + "recovery-codes"),
        app.post(CODE + "sign-out-others"),
        app.post("/mfa/api/phones/add", number=OTHER_NUMBER),
        app.post(API + "tokens/refresh", refresh_token=app.session_token),
    ]
    assert {answer.status_code for answer in shut} <= {400, 401, 403}
    assert app.access_token is None
    # The token is sent as a cookie, as a bearer token, and as a ticket.
    cookie, bearer = Client(), Client(headers={"authorization": f"Bearer {app.session_token}"})
    cookie.cookies["sessionid"] = app.session_token
    assert cookie.get("/account/").status_code == 302
    assert bearer.get("/who/stock/").status_code in (401, 403)
    ticket = {"authorization": f"MFA-Ticket {app.session_token}"}
    assert Client(headers=ticket).get("/mfa/api/state").status_code == 401
    assert list(Phone.objects.filter(user=user).values_list("number", flat=True)) == [NUMBER]
    user.refresh_from_db()
    assert user.check_password(PASSWORD)
    assert bandwidth.inbox == []


@pytest.mark.attack("P60")
def test_our_strategy_makes_no_access_token_for_a_login_that_another_view_has_parked(
    user: Any, settings: Any, jwt: None
) -> None:
    """Fails with allauth's own strategy: without the stage, the password is enough."""
    settings.ACCOUNT_ADAPTER = "allauth.account.adapter.DefaultAccountAdapter"
    app = App()
    app.give_password(user)
    assert app.access_token is None
    assert app.get("/who/").status_code in (401, 403)


@pytest.mark.attack("P61")
@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda user: service.end_sessions(user), id="signed out"),
        pytest.param(lambda user: service.require_new_code(user), id="new code"),
        pytest.param(lambda user: changes.remove(Phone.objects.get(number=NUMBER)), id="phone"),
        pytest.param(lambda user: user.delete(), id="user"),
    ],
)
def test_what_ends_a_login_ends_its_tokens_at_the_next_refresh(
    bandwidth: Any, jwt: None, end: Any
) -> None:
    """Fails with allauth's own strategy and classes, which refresh a token for a day. Without
    ``anew`` it fails until ``RECHECK_SECONDS`` have passed."""
    user = make_user("ada", NUMBER, OTHER_NUMBER)
    app = App()
    with time_machine.travel(START, tick=False) as clock:
        app.sign_in(user, bandwidth)
        clock.shift(LATER)
        end(user)
        clock.shift(LATER)
        token = app.refresh_token
        refused = app.ask("post", API + "tokens/refresh", by="nothing", refresh_token=token)
        assert refused.status_code == 400
        clock.shift(timedelta(seconds=300))
        for by in ("access", "session"):
            for address in ("/who/", "/who/verified/", API + "auth/session"):
                answer = app.get(address, by=by)
                assert answer.status_code in (401, 403, 410), (by, address)


@pytest.mark.attack("P61")
@pytest.mark.parametrize("address", ["/who/", "/who/verified/"])
def test_our_class_takes_no_access_token_of_a_session_that_has_ended(
    user: Any, bandwidth: Any, jwt: None, configure: Any, address: str
) -> None:
    """Fails with allauth's own class: its access token is valid until it expires."""
    configure(RECHECK_SECONDS=0)
    app = App()
    with time_machine.travel(START, tick=False) as clock:
        app.sign_in(user, bandwidth)
        assert app.get(address, by="access").status_code == 200
        clock.shift(LATER)
        service.end_sessions(user)
        refused = app.get(address, by="access")
        assert refused.status_code in (401, 403)
        assert refused.json()["code"] == "session_ended"


@pytest.mark.attack("P61")
def test_signing_out_everywhere_else_keeps_the_apps_own_tokens(
    user: Any, bandwidth: Any, jwt: None, configure: Any
) -> None:
    configure(RECHECK_SECONDS=0)
    app, other = App(), App()
    with time_machine.travel(START, tick=False) as clock:
        app.sign_in(user, bandwidth)
        clock.shift(timedelta(seconds=60))
        other.sign_in(user, bandwidth)
        clock.shift(LATER)
        assert app.post(CODE + "sign-out-others").status_code == 200
        clock.shift(LATER)
        assert app.get("/who/verified/").status_code == 200
        assert app.get("/who/verified/", by="access").status_code == 200
        assert other.get("/who/").status_code in (401, 403)
        assert other.get("/who/", by="access").status_code in (401, 403)


@pytest.mark.attack("P61", "P7", "P18", "P32")
@pytest.mark.parametrize("by_stock", [True, False])
def test_a_session_that_has_ended_lets_no_app_in(
    user: Any, bandwidth: Any, configure: Any, settings: Any, by_stock: bool
) -> None:
    """The test uses allauth's class with our strategy, and our class with allauth's strategy. Fails
    with allauth's class and strategy: they read the session without a check."""
    configure(RECHECK_SECONDS=0)
    address = "/who/stock/" if by_stock else "/who/"
    app = App()
    with time_machine.travel(START, tick=False) as clock:
        app.sign_in(user, bandwidth)
        if not by_stock:
            settings.HEADLESS_TOKEN_STRATEGY = (
                "allauth.headless.tokens.strategies.sessions.SessionTokenStrategy"
            )
        assert app.get(address).status_code == 200
        clock.shift(LATER)
        service.end_sessions(user)
        assert app.get(address).status_code in (401, 403)


@pytest.mark.attack("P61")
def test_allauths_own_views_ask_after_a_middleware_that_looked_at_the_user(
    user: Any, bandwidth: Any, configure: Any, settings: Any
) -> None:
    """Fails with allauth's own strategy: it loads the user again, and our middleware is not
    used."""
    configure(RECHECK_SECONDS=0)
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{HERE}.look_at_user"]
    app = App()
    with time_machine.travel(START, tick=False) as clock:
        app.sign_in(user, bandwidth)
        assert app.get(API + "auth/session").status_code == 200
        clock.shift(LATER)
        service.end_sessions(user)
        assert app.get(API + "auth/session").status_code in (401, 410)


def outside_the_office(request: HttpRequest, user: Any) -> bool:
    """Require a code outside the office. An app on this machine is in the office."""
    return request.META["REMOTE_ADDR"] != "127.0.0.1"


@pytest.mark.parametrize("strategy", ["SessionTokenStrategy", "JWTTokenStrategy"])
def test_the_policy_sees_the_request_that_brings_the_token(
    user: Any, configure: Any, settings: Any, strategy: str
) -> None:
    """Fails when the strategies check a session with a new request. A policy that reads the
    client's address would raise an error on each request of the app, or end its login."""
    configure(REQUIRED=outside_the_office, RECHECK_SECONDS=0)
    settings.HEADLESS_TOKEN_STRATEGY = f"{OURS}.strategies.{strategy}"
    app = App()
    with time_machine.travel(START, tick=False) as clock:
        assert app.give_password(user).status_code == 200
        clock.shift(LATER)
        assert app.get(API + "auth/session").status_code == 200
        assert app.get("/who/").json() == {"user": "ada"}
        if app.access_token:
            assert app.get("/who/", by="access").json() == {"user": "ada"}
            clock.shift(LATER)
            body = {"refresh_token": app.refresh_token}
            assert app.post(API + "tokens/refresh", **body).status_code == 200


@pytest.mark.attack("P62")
def test_a_code_signs_in_one_app_and_no_second_one(user: Any, bandwidth: Any) -> None:
    """Fails with a ``spending.spend`` that always returns True."""
    first, second = App(), App()
    first.give_password(user)
    second.give_password(user)
    first.post(CODE + "send")
    code = bandwidth.inbox[0]["code"]
    parked_token = first.session_token
    assert first.post(CODE + "verify", code=code).status_code == 200
    assert second.post(CODE + "verify", code=code).status_code in (400, 409)
    # The code does not pass after a second code was sent, although Bandwidth still accepts it.
    assert second.post(CODE + "send").status_code == 200
    assert second.post(CODE + "verify", code=code).status_code == 400
    assert second.get("/who/").status_code in (401, 403)
    # The old token does not sign in again.
    thief = App()
    thief.session_token = parked_token
    assert thief.post(CODE + "verify", code=code).status_code in (401, 410)
    assert thief.get("/who/").status_code in (401, 403)


@pytest.mark.attack("P63")
@pytest.mark.parametrize("is_before_ours", [True, False])
def test_a_cookie_beside_the_token_lends_nothing(
    user: Any, bandwidth: Any, settings: Any, is_before_ours: bool
) -> None:
    """Fails when our middleware keeps the user of the cookie for the session of the token, and when
    the view keeps ``request.mfa``."""
    # These two keep the user of the cookie themselves.
    middleware = [
        one for one in settings.MIDDLEWARE if not one.startswith(("hijack.", "impersonate."))
    ]
    place = middleware.index(BandwidthMFAMiddleware.__module__ + ".BandwidthMFAMiddleware")
    middleware.insert(place + (not is_before_ours), f"{HERE}.look_at_user")
    settings.MIDDLEWARE = middleware
    mallory = make_user("mallory", OTHER_NUMBER)
    with_cookie = Client()
    with_cookie.post("/accounts/login/", {"username": "mallory", "password": PASSWORD})
    app = App()
    app.give_password(user)
    headers = {"x-session-token": app.session_token}
    # Parked as mallory with the cookie, and as ada with the token.
    sent = with_cookie.post(CODE + "send", {}, "application/json", headers=headers)
    assert sent.status_code == 200
    assert bandwidth.inbox[0]["to"] == NUMBER

    with_cookie.get("/mfa/verify/")
    with_cookie.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert with_cookie.get("/account/").content == b"account of mallory"
    # Signed in as mallory with the cookie: the token stays ada's, and parked.
    answer = with_cookie.get(API + "auth/session", headers=headers)
    assert (answer.status_code, pending(answer)) == (401, ["mfa_bandwidth"])
    nobody = with_cookie.get(API + "auth/session")
    assert nobody.status_code == 401
    assert mallory.is_active


@pytest.mark.attack("P34", "P60")
def test_a_session_that_was_planted_before_the_password_is_not_parked(user: Any) -> None:
    """Fails when ``park_before_login`` does not change the session key."""
    app = App()
    app.post(API + "auth/login", username="ada", password="wrong")
    planted = Client()
    planted.post("/allauth/login/", {"login": "ada", "password": "wrong"})
    session = planted.session
    session["cart"] = "full"
    session.save()
    key = session.session_key
    app.session_token = key
    app.give_password(user)
    assert app.session_token != key
    thief = App()
    thief.session_token = key
    assert thief.post(CODE + "send").status_code in (401, 410)


def test_the_json_web_tokens_of_the_page_are_signed_with_its_key(tmp_path: Path) -> None:
    """Fails with django-allauth 65.22.1 when the page's settings do not import the module of
    ``cryptography``: the login ends with an error (500)."""
    options = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
    subprocess.run(["openssl", "genpkey", *options, "-out", tmp_path / "jwt.pem"], check=True)
    page = "docs/allauth.md"
    outcome = visit(
        apps=("allauth", "allauth.account", "allauth.headless"),
        settings=f"from pathlib import Path\nBASE_DIR = Path({str(tmp_path)!r})\n"
        + code("settings.py, allauth headless", page)
        + code("settings.py, allauth's JSON Web Tokens", page)
        + "HEADLESS_ONLY = True\n",
        urls=code("urls.py, allauth headless", page),
        program="""
import json
from base64 import b64decode
from django_bandwidth_mfa.testing import FakeBandwidth
client.raise_request_exception = False
def post(address, **body):
    return client.post(
        "/_allauth/app/v1/" + address, body, content_type="application/json", headers=headers
    )
headers = {}
with FakeBandwidth() as bandwidth:
    first = post("auth/login", username="ada", password=password).json()
    headers = {"x-session-token": first["meta"]["session_token"]}
    post("bandwidth-mfa/send")
    last = post("bandwidth-mfa/verify", code=bandwidth.outbox[0]["code"])
result = [last.status_code]
if last.status_code == 200:
    start = last.json()["meta"]["access_token"].split(".")[0]
    result.append(json.loads(b64decode(start + "=="))["alg"])
""",
    )
    assert outcome.result == [200, "RS256"]
    assert outcome.messages == []


def test_the_settings_of_the_page_are_those_of_these_tests(settings: Any) -> None:
    values: dict[str, Any] = {"INSTALLED_APPS": []}
    exec(code("settings.py, allauth headless", "docs/allauth.md"), values)  # noqa: S102
    assert values["ACCOUNT_ADAPTER"] == settings.ACCOUNT_ADAPTER
    assert values["HEADLESS_TOKEN_STRATEGY"] == settings.HEADLESS_TOKEN_STRATEGY
    assert OURS in values["INSTALLED_APPS"]


def test_the_other_code_of_the_page_runs() -> None:
    """Fails when a name in it is misspelt, or when allauth renames a class that it uses."""
    page = "docs/allauth.md"
    urls: dict[str, Any] = {"urlpatterns": []}
    exec(code("urls.py, allauth headless", page), urls)  # noqa: S102
    resolver = URLResolver(RegexPattern("^/"), urls["urlpatterns"])
    assert resolver.resolve(CODE + "send")
    assert resolver.resolve(API + "auth/login")
    adapter: dict[str, Any] = {}
    exec(code("adapter.py", page), adapter)  # noqa: S102
    assert import_string(adapter["Adapter"]().get_login_stages()[-1]) is CodeStage
    values: dict[str, Any] = {}
    exec(code("settings.py, allauth's tokens in REST framework", page), values)  # noqa: S102
    for path in values["REST_FRAMEWORK"]["DEFAULT_AUTHENTICATION_CLASSES"]:
        assert issubclass(import_string(path), BaseAuthentication)
