"""Token logins in two steps, for REST framework's own tokens and for simplejwt's tokens."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.test import Client
from rest_framework.authtoken.models import Token as TokenRow
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, SlidingToken

from django_bandwidth_mfa import service
from django_bandwidth_mfa.contrib.rest_framework.models import TokenLogin
from django_bandwidth_mfa.internal.phones import changes
from django_bandwidth_mfa.internal.staff.reset import reset_second_factor
from django_bandwidth_mfa.models import Phone
from django_bandwidth_mfa.signals import login_completed
from tests.api.calls import TicketClient, get, post
from tests.conftest import OTHER_NUMBER, make_user

from .token_logins import (
    TOKENS,
    Token,
    ask,
    ask_with_password,
    completion_for,
    sign_in,
    status,
)

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("tests.neighbours.token_logins"),
]

START = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)
LATER = timedelta(seconds=10)
# REST framework answers 403 if the first authentication class is the one for sessions.
SHUT = (401, 403)

each_token = pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)


def made_tokens() -> int:
    return TokenRow.objects.count() + OutstandingToken.objects.count()


# The two steps -----------------------------------------------------------------------------------


@pytest.mark.attack("P45")
@pytest.mark.parametrize("door", ["/token/", "/jwt/", "/sliding/"])
def test_the_password_alone_makes_no_token(user: Any, bandwidth: Any, door: str) -> None:
    """Fails when ``CompletionMixin.after_password`` lets in a user who needs a code."""
    answer = ask_with_password(door, user)
    assert answer.status_code == 202
    body = answer.json()
    assert {**body, "ticket": ""} == {
        "state": "parked",
        "needs": "code",
        "ticket": "",
        "next": {"api": "/mfa/api/send"},
    }
    assert made_tokens() == 0
    assert bandwidth.inbox == []
    assert not answer.cookies
    assert Session.objects.count() == 0
    # A ticket is not a token and not a completion.
    ticket = body["ticket"]
    assert ask(door, completion=ticket).status_code == 401
    for token in TOKENS.values():
        assert status("/who/", token.header_of(ticket)) in SHUT


@pytest.mark.parametrize("door", ["/token/", "/jwt/", "/sliding/"])
def test_ticket_and_code_make_the_token(user: Any, bandwidth: Any, door: str) -> None:
    heard: list[Any] = []

    def note(**kwargs: Any) -> None:
        heard.append((kwargs["user"], kwargs["method"], kwargs["request"] is not None))

    login_completed.connect(note)
    try:
        body = sign_in(door, user, bandwidth)
    finally:
        login_completed.disconnect(note)
    text = body.get("token") or body["access"]
    if door == "/sliding/":
        assert SlidingToken(text)["amr"] == ["pwd", "sms"]
    else:
        scheme = "Token" if door == "/token/" else "Bearer"
        for address in ("/who/", "/verified/by/", "/recent/", "/strict/"):
            assert status(address, {"authorization": f"{scheme} {text}"}) == 200, address
    assert heard == [(user, "sms", True)]
    assert len(bandwidth.inbox) == 1


@pytest.mark.parametrize("door", ["/token/", "/jwt/", "/sliding/"])
def test_a_user_who_owes_no_code_gets_the_token_at_once(
    newcomer: Any, bandwidth: Any, door: str
) -> None:
    answer = ask_with_password(door, newcomer)
    assert answer.status_code == 200
    body = answer.json()
    scheme = "Token" if door == "/token/" else "Bearer"
    if door != "/sliding/":
        headers = {"authorization": f"{scheme} {body.get('token') or body['access']}"}
        assert status("/who/", headers) == 200
        assert status("/strict/", headers) == 200
        assert status("/verified/by/", headers) == 403


@each_token
def test_a_user_who_must_add_a_phone_first_is_led_there(
    newcomer: Any, bandwidth: Any, configure: Any, token: Token
) -> None:
    configure(REQUIRED="all")
    body = ask_with_password(token.door, newcomer).json()
    assert (body["needs"], body["next"]) == ("phone", {"api": "/mfa/api/phones/add"})
    app = TicketClient(body["ticket"])
    post(app, "phones/add", number=OTHER_NUMBER)
    code = bandwidth.inbox[0]["code"]
    completion = post(app, "phones/confirm", code=code).json()["completion"]
    answer = ask(token.door, completion=completion).json()
    assert status("/verified/by/", token.header_of(answer[token.key])) == 200


@each_token
def test_a_recovery_code_makes_the_token_too(user: Any, bandwidth: Any, token: Token) -> None:
    codes = service.issue_recovery_codes(user)
    app = TicketClient(ask_with_password(token.door, user).json()["ticket"])
    completion = post(app, "recovery-code", recovery_code=codes[0]).json()["completion"]
    body = ask(token.door, completion=completion).json()
    assert status("/verified/by/", token.header_of(body[token.key])) == 200
    if token.key == "access":
        assert AccessToken(body["access"])["amr"] == ["pwd", "otp"]


@pytest.mark.attack("P44")
@each_token
def test_a_completion_makes_one_token(user: Any, bandwidth: Any, token: Token) -> None:
    """Fails when the completion is not marked as used."""
    ticket = ask_with_password(token.door, user).json()["ticket"]
    completion = completion_for(ticket, bandwidth)
    assert ask(token.door, completion=completion).status_code == 200
    before = made_tokens()
    again = ask(token.door, completion=completion)
    assert again.status_code == 401
    assert (again.json()["code"], again.json()["next"]) == (
        "ticket_invalid",
        {"api": "/mfa/api/login"},
    )
    assert made_tokens() == before


@pytest.mark.attack("P45")
@each_token
@pytest.mark.parametrize("completion", ["", "x", "a:b:c", None])
def test_a_forged_completion_makes_no_token(
    user: Any, bandwidth: Any, token: Token, completion: Any
) -> None:
    """Fails when, after an invalid completion, the view accepts the password in the same request
    without a code."""
    answer = ask(token.door, username="ada", password="correct horse", completion=completion)
    assert answer.status_code in (400, 401)
    assert made_tokens() == 0


@pytest.mark.attack("P44")
@each_token
def test_a_completion_of_a_user_who_was_deactivated_makes_no_token(
    user: Any, bandwidth: Any, token: Token
) -> None:
    ticket = ask_with_password(token.door, user).json()["ticket"]
    completion = completion_for(ticket, bandwidth)
    user.is_active = False
    user.save()
    assert ask(token.door, completion=completion).status_code == 401
    assert made_tokens() == 0


def refuse_all(user: Any) -> bool:
    return False


@pytest.mark.attack("P44")
def test_a_rule_of_simplejwt_is_asked_before_the_login_counts(
    user: Any, bandwidth: Any, monkeypatch: Any
) -> None:
    """Fails when ``login_completed`` is sent for a user whom ``USER_AUTHENTICATION_RULE``
    refuses."""
    heard: list[Any] = []

    def note(**kwargs: Any) -> None:
        heard.append(kwargs["user"])

    completion = completion_for(ask_with_password("/jwt/", user).json()["ticket"], bandwidth)
    monkeypatch.setattr(api_settings, "USER_AUTHENTICATION_RULE", refuse_all)
    login_completed.connect(note)
    try:
        assert ask("/jwt/", completion=completion).status_code == 401
    finally:
        login_completed.disconnect(note)
    assert (heard, made_tokens()) == ([], 0)


@pytest.mark.attack("T19")
@each_token
def test_a_wrong_password_is_answered_by_the_package_itself(
    user: Any, bandwidth: Any, token: Token
) -> None:
    """Fails when the second factor is checked before the password."""
    wrong = ask_with_password(token.door, user, "wrong")
    nobody = ask(token.door, username="nobody", password="wrong")
    assert (wrong.status_code, wrong.content) == (nobody.status_code, nobody.content)
    assert wrong.status_code in (400, 401)
    assert b"ticket" not in wrong.content


# What simplejwt's tokens say ----------------------------------------------------------------------


def test_the_claims_say_how_and_when_and_the_refresh_keeps_them(user: Any, bandwidth: Any) -> None:
    with time_machine.travel(START, tick=False) as clock:
        body = sign_in("/jwt/", user, bandwidth)
        moment = int(START.timestamp())
        wanted = {
            "amr": ["pwd", "sms"],
            "mfa_at": moment,
            "auth_time": moment,
            "mfa_phone": Phone.objects.get(user=user).choice,
        }
        clock.shift(timedelta(hours=1))
        refreshed = ask("/jwt/refresh/", refresh=body["refresh"])
        assert refreshed.status_code == 200
        for text in (body["refresh"], refreshed.json()["access"]):
            payload = (RefreshToken if text == body["refresh"] else AccessToken)(text).payload
            assert {name: payload[name] for name in wanted} == wanted
            assert "+1" not in str(payload)
        headers = {"authorization": f"Bearer {refreshed.json()['access']}"}
        assert status("/verified/by/", headers) == 200
        # The token is new, and the code is not.
        assert status("/recent/", headers) == 403


def test_the_claims_name_a_call(user: Any, bandwidth: Any) -> None:
    app = TicketClient(ask_with_password("/jwt/", user).json()["ticket"])
    post(app, "send", channel="voice")
    completion = post(app, "verify", code=bandwidth.inbox[0]["code"]).json()["completion"]
    body = ask("/jwt/", completion=completion).json()
    assert AccessToken(body["access"])["amr"] == ["pwd", "tel"]
    assert status("/verified/by/", {"authorization": f"Bearer {body['access']}"}) == 200


def test_a_login_that_owed_no_code_says_so(newcomer: Any, bandwidth: Any) -> None:
    payload = AccessToken(ask_with_password("/jwt/", newcomer).json()["access"]).payload
    assert payload["amr"] == ["pwd"]
    assert "mfa_at" not in payload


# What ends a login -------------------------------------------------------------------------------


def another_password(user: Any) -> None:
    user.set_password("another")
    user.save()


ENDS: dict[str, Callable[[Any], object]] = {
    "signed out everywhere else": service.end_sessions,
    "reset by staff": reset_second_factor,
    "the phone was removed": lambda user: changes.remove(Phone.objects.get(user=user)),
    "the phone's row was deleted": lambda user: Phone.objects.filter(user=user).delete(),
    "another password": another_password,
}


@pytest.mark.attack("P46")
@each_token
@pytest.mark.parametrize("end", ENDS)
def test_what_ends_sessions_ends_the_token_at_the_next_check(
    user: Any, bandwidth: Any, token: Token, end: str
) -> None:
    """Fails when ``IsVerified`` trusts the claims, or the token's row, and does not check the
    user's second factor in the database."""
    with time_machine.travel(START, tick=False) as clock:
        headers = token.sign_in(user, bandwidth)
        clock.shift(LATER)
        assert status("/verified/by/", headers) == 200
        assert status("/stateless/", headers) == (200 if token.key == "access" else 401)
        ENDS[end](user)
        answer = Client().get("/verified/by/", headers=headers)
        assert answer.status_code == 403
        assert (answer.json()["code"], answer.json()["next"]) == (
            "session_ended",
            {"api": "/mfa/api/login"},
        )
        refused = Client().get("/strict/", headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (401, "session_ended")
        assert refused["WWW-Authenticate"]
        assert status("/stateless/", headers) == 401
        assert status("/who/", headers) == 200


@pytest.mark.attack("P46")
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("kind", ["/jwt/", "/sliding/"])
def test_what_ends_sessions_ends_the_token_at_the_next_refresh(
    user: Any, bandwidth: Any, kind: str, end: str
) -> None:
    """Fails with simplejwt's own serializer: it would refresh the token again and again."""
    with time_machine.travel(START, tick=False) as clock:
        body = sign_in(kind, user, bandwidth)
        field = "refresh" if kind == "/jwt/" else "token"
        clock.shift(LATER)
        assert ask(f"{kind}refresh/", **{field: body[field]}).status_code == 200
        ENDS[end](user)
        answer = ask(f"{kind}refresh/", **{field: body[field]})
        assert (answer.status_code, answer.json()["code"]) == (401, "session_ended")
        assert list(answer.json()) == ["detail", "code", "next"]


@pytest.mark.attack("P46")
def test_a_token_of_a_user_who_is_gone_is_not_refreshed(user: Any, bandwidth: Any) -> None:
    body = sign_in("/jwt/", user, bandwidth)
    user.delete()
    assert ask("/jwt/refresh/", refresh=body["refresh"]).status_code == 401
    assert ask("/jwt/refresh/", refresh="x").status_code == 401


class UsersElsewhere:
    """Sends each read of users to a database that does not exist, so that a read raises an
    error."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return "replica" if model is get_user_model() else None


@pytest.mark.attack("P46")
def test_the_user_of_a_token_is_read_from_no_replica(
    user: Any, bandwidth: Any, settings: Any
) -> None:
    """Fails when the user is read from the database that a router chooses for reads: a replica may
    not yet show a deactivation or a new password."""
    access = sign_in("/jwt/", user, bandwidth)["access"]
    sliding = sign_in("/sliding/", user, bandwidth)["token"]
    settings.DATABASE_ROUTERS = [UsersElsewhere()]
    assert ask("/sliding/refresh/", token=sliding).status_code == 200
    assert status("/stateless/", {"authorization": f"Bearer {access}"}) == 200


@pytest.mark.attack("P46", "P47")
def test_a_token_without_a_code_is_not_refreshed_once_its_user_owes_one(
    newcomer: Any, bandwidth: Any
) -> None:
    """Fails when a login that once needed no code never needs a code later."""
    body = ask_with_password("/jwt/", newcomer).json()
    assert ask("/jwt/refresh/", refresh=body["refresh"]).status_code == 200
    Phone.objects.create(user=newcomer, number=OTHER_NUMBER, is_primary=True, confirmed_at=START)
    answer = ask("/jwt/refresh/", refresh=body["refresh"])
    assert (answer.status_code, answer.json()["code"]) == (401, "code_required")
    assert status("/strict/", {"authorization": f"Bearer {body['access']}"}) == 401


# REST framework's one token for each user ---------------------------------------------------------


@pytest.mark.attack("P48")
def test_a_code_makes_no_old_token_fresh(user: Any, bandwidth: Any) -> None:
    """Fails with ``get_or_create``: the owner's next login would verify an old token that was
    copied, or that was made before the app was installed."""
    stolen = TOKENS["REST framework's"].header_of(TokenRow.objects.create(user=user).key)
    assert status("/who/", stolen) == 200
    first = TOKENS["REST framework's"].sign_in(user, bandwidth)
    assert status("/who/", stolen) in SHUT
    assert status("/verified/by/", first) == 200
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=10)):
        second = TOKENS["REST framework's"].sign_in(user, bandwidth)
        assert status("/who/", first) in SHUT
        assert status("/recent/", second) == 200
    assert TokenLogin.objects.count() == TokenRow.objects.count() == 1


@pytest.mark.attack("P48")
def test_a_password_alone_never_gets_a_token_that_a_code_has_made(
    user: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when a login that needs no code gets the existing token. If the policy needs no code in
    the office, the password alone would get a verified token there."""
    verified = TOKENS["REST framework's"].sign_in(user, bandwidth)
    configure(REQUIRED="never")
    body = ask_with_password("/token/", user).json()
    headers = TOKENS["REST framework's"].header_of(body["token"])
    assert headers != verified
    assert status("/verified/by/", headers) == 403
    # Logins without a code share one token, as in REST framework.
    assert ask_with_password("/token/", user).json() == body
    assert status("/who/", verified) in SHUT


@pytest.mark.attack("P46")
def test_a_shared_token_that_was_signed_out_is_not_handed_out_again(newcomer: Any) -> None:
    """Fails when an ended token is shared: its user could not sign in any more."""
    with time_machine.travel(START, tick=False) as clock:
        first = ask_with_password("/token/", newcomer).json()
        service.end_sessions(newcomer)
        clock.shift(LATER)
        second = ask_with_password("/token/", newcomer).json()
        assert first != second
        assert status("/strict/", TOKENS["REST framework's"].header_of(second["token"])) == 200


def test_the_row_goes_with_the_token(user: Any, bandwidth: Any) -> None:
    TOKENS["REST framework's"].sign_in(user, bandwidth)
    assert TokenLogin.objects.count() == 1
    TokenRow.objects.get().delete()
    assert TokenLogin.objects.count() == 0


@pytest.mark.attack("T14")
def test_the_table_holds_no_token(user: Any, bandwidth: Any) -> None:
    """Fails when the table stores the key itself."""
    key = sign_in("/token/", user, bandwidth)["token"]
    [row] = TokenLogin.objects.values()
    assert key not in str(row)
    assert key not in str(TokenLogin.objects.get())


def test_no_migration_is_missing() -> None:
    out, app = StringIO(), "bandwidth_mfa_rest_framework"
    call_command("makemigrations", app, check=True, dry_run=True, stdout=out)
    assert "No changes" in out.getvalue()


# Other people's tokens ----------------------------------------------------------------------------


@pytest.mark.attack("P45")
@each_token
def test_a_completion_is_worth_a_token_of_its_own_user_only(
    user: Any, bandwidth: Any, token: Token
) -> None:
    """Fails when the user name in the same request chooses the user."""
    make_user("victim", OTHER_NUMBER)
    ticket = ask_with_password(token.door, user).json()["ticket"]
    completion = completion_for(ticket, bandwidth)
    body = ask(token.door, completion=completion, username="victim", password="x").json()
    answer = Client().get("/who/", headers=token.header_of(body[token.key]))
    assert answer.json() == "ada"


def test_the_state_of_a_ticket_can_be_asked(user: Any, bandwidth: Any) -> None:
    ticket = ask_with_password("/jwt/", user).json()["ticket"]
    assert get(TicketClient(ticket), "state").json()["needs"] == "code"
