"""The code of a login and of a step-up, over the JSON API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.signals import user_login_failed
from django.test import Client
from django.utils import timezone

from django_bandwidth_mfa import service
from django_bandwidth_mfa.internal.codes import provider
from django_bandwidth_mfa.internal.login.parking import PARKED
from django_bandwidth_mfa.models import Challenge, Phone
from django_bandwidth_mfa.testing import login_verified
from tests.browsing import assert_shut, give_password, state, wrong
from tests.conftest import NUMBER, OTHER_NUMBER, make_user

from .calls import API, TicketClient, api_state, ask_ticket, error_of, get, newest_code, post

START = 1_800_000_000


# The state ------------------------------------------------------------------------------------


def test_the_state_of_an_anonymous_visitor(client: Client, db: None) -> None:
    data = get(client, "state").json()
    token = data.pop("csrf_token")
    assert len(token) == 64
    assert data == {
        "state": "anonymous",
        "method": None,
        "verified_at": None,
        "is_fresh": False,
        "needs": None,
        "code": None,
        "recovery_codes": None,
        "ticket": None,
        "completion": None,
    }


@pytest.mark.attack("S2", "T4")
def test_the_state_of_a_parked_login_sends_nothing_and_shows_no_full_number(
    parked: Client, user: Any, bandwidth: Any
) -> None:
    """Fails when a GET of the state sends the first code of the login, as a GET of the page does.

    Clients read the state often, and some programs load an address before the user asks for it.
    """
    for _ in range(3):
        answer = get(parked, "state")
    assert bandwidth.inbox == []
    data = answer.json()
    assert (data["state"], data["needs"]) == ("parked", "code")
    phone = Phone.objects.get()
    assert data["code"] == {
        "purpose": "login",
        "challenge": None,
        "digits": 6,
        "seconds_until_send": 0,
        "phones": [
            {"id": phone.choice, "number": "••42", "channel": "sms"},
        ],
        "channels": ["sms", "voice"],
        "has_recovery_codes": False,
        "trust_days": 0,
    }
    assert data["recovery_codes"] is None
    assert NUMBER not in answer.content.decode()
    assert NUMBER[2:] not in answer.content.decode()
    assert_shut(parked)


@pytest.mark.attack("T4")
@pytest.mark.parametrize("has_codes", [True, False])
def test_the_state_after_the_password_shows_no_more_than_the_code_page(
    parked: Client, user: Any, bandwidth: Any, has_codes: bool
) -> None:
    """Fails when the state holds the names of the phones or the number of recovery codes."""
    Phone.objects.update(name="Work")
    if has_codes:
        service.issue_recovery_codes(user)
    for client in (parked, TicketClient(ask_ticket(user).json()["ticket"])):
        for answer in (get(client, "state"), post(client, "send")):
            if answer.status_code == 200:
                data = answer.json()
                assert data["recovery_codes"] is None
                assert data["code"]["has_recovery_codes"] is has_codes
                assert set(data["code"]["phones"][0]) == {"id", "number", "channel"}
                assert "Work" not in answer.content.decode()
    assert bandwidth.inbox


@pytest.mark.attack("T16")
def test_answers_are_cached_nowhere(parked: Client) -> None:
    assert "no-store" in get(parked, "state")["Cache-Control"]
    assert get(parked, "state")["X-Content-Type-Options"] == "nosniff"


def test_a_code_that_was_sent_is_described(parked: Client, bandwidth: Any) -> None:
    now = timezone.now()
    with time_machine.travel(now, tick=False):
        data = post(parked, "send", channel="voice").json()
    assert data["code"]["challenge"] == {
        "channel": "voice",
        "number": "••42",
        "sent_at": now.isoformat(),
        "expires_at": (now + timedelta(minutes=3)).isoformat(),
        "tries_left": 5,
        "delivery": None,
        "delivery_url": None,
    }
    assert data["code"]["seconds_until_send"] == 30


# Signing in -----------------------------------------------------------------------------------


@pytest.mark.attack("P35")
def test_the_right_code_signs_in_under_a_new_key(parked: Client, user: Any, bandwidth: Any) -> None:
    before = parked.session.session_key
    post(parked, "send")
    answer = post(parked, "verify", code=newest_code(bandwidth))
    data = answer.json()
    assert (answer.status_code, data["state"], data["method"]) == (200, "verified", "sms")
    assert data["is_fresh"]
    assert data["needs"] is None
    assert state(parked) == "verified"
    assert parked.session.session_key != before
    assert not parked.session.exists(before)


def test_the_state_after_the_code_holds_the_new_csrf_token(user: Any, bandwidth: Any) -> None:
    """Fails when the answer has no CSRF token, or an old one: ``login()`` makes a new one."""
    client = Client(enforce_csrf_checks=True)
    token = get(client, "state").json()["csrf_token"]
    form = {"username": "ada", "password": "correct horse", "csrfmiddlewaretoken": token}
    assert client.post("/accounts/login/", form).status_code == 302
    token = get(client, "state").json()["csrf_token"]
    post(client, "send", {"X-CSRFToken": token})
    answer = post(client, "verify", {"X-CSRFToken": token}, code=newest_code(bandwidth))
    new = answer.json()["csrf_token"]
    assert post(client, "sign-out-others", {"X-CSRFToken": new}).status_code == 200


@pytest.mark.attack("G6")
def test_a_wrong_code_is_refused_and_counted_and_changes_nothing(
    parked: Client, user: Any, bandwidth: Any
) -> None:
    failed: list[dict[str, Any]] = []

    def note(credentials: dict[str, Any], **kwargs: Any) -> None:
        failed.append(credentials)

    user_login_failed.connect(note)
    try:
        post(parked, "send")
        before = dict(parked.session)
        answer = post(parked, "verify", code=wrong(newest_code(bandwidth)))
    finally:
        user_login_failed.disconnect(note)
    assert error_of(answer) == (400, "wrong_code")
    assert failed == [{"username": "ada", "token": "********"}]
    assert get(parked, "state").json()["code"]["challenge"]["tries_left"] == 4
    assert dict(parked.session) == before
    assert len(bandwidth.inbox) == 1
    assert_shut(parked)


@pytest.mark.attack("G3")
def test_a_code_passes_once(parked: Client, user: Any, bandwidth: Any) -> None:
    """Fails when the app does not record used codes in ``SpentCode``."""
    post(parked, "send")
    code = newest_code(bandwidth)
    post(parked, "verify", code=code)
    second = Client()
    give_password(second, user)
    with time_machine.travel(timezone.now() + timedelta(seconds=31)):
        post(second, "send")
        assert error_of(post(second, "verify", code=code)) == (400, "wrong_code")
    assert api_state(second) == "parked"


def test_a_recovery_code_signs_in(parked: Client, user: Any) -> None:
    codes = service.issue_recovery_codes(user)
    answer = post(parked, "recovery-code", recovery_code="7KQ2-M9XD-4TBN-W3FH-P8VA-YC6E")
    assert error_of(answer) == (400, "wrong_recovery_code")
    data = post(parked, "recovery-code", recovery_code=codes[0].lower()).json()
    assert (data["state"], data["method"]) == ("verified", "recovery_code")
    assert data["recovery_codes"] == {"left": 9, "few": False, "set_size": 10, "owed": False}


def test_cancelling_forgets_the_login_and_a_signed_in_user_stays(
    parked: Client, user: Any, bandwidth: Any
) -> None:
    assert post(parked, "cancel").json()["state"] == "anonymous"
    assert PARKED not in parked.session
    login_verified(parked, user)
    assert post(parked, "cancel").json()["state"] == "verified"
    assert state(parked) == "verified"


def test_a_signed_in_user_gives_another_code(client: Client, user: Any, bandwidth: Any) -> None:
    with time_machine.travel(START, tick=False) as clock:
        login_verified(client, user)
        clock.shift(300)
        data = get(client, "state").json()
        assert (data["state"], data["is_fresh"], data["needs"]) == ("verified", False, None)
        assert error_of(post(client, "recovery-codes")) == (403, "code_required")
        assert post(client, "send").json()["code"]["purpose"] == "step-up"
        before = client.session.session_key
        assert post(client, "verify", code=newest_code(bandwidth)).json()["is_fresh"]
        assert client.session.session_key != before
        assert post(client, "recovery-codes").status_code == 200


@pytest.mark.attack("P16")
def test_a_browser_is_trusted_with_the_code_of_a_login_only(
    parked: Client, user: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when the code of a step-up sets the cookie."""
    configure(TRUST_DAYS=30)
    post(parked, "send")
    assert get(parked, "state").json()["code"]["trust_days"] == 30
    code = newest_code(bandwidth)
    assert not post(parked, "verify", code=wrong(code), trust=True).cookies
    cookies = post(parked, "verify", code=code, trust=True).cookies
    assert [name for name in cookies if name.startswith("__Host-bandwidth-mfa-trust")]
    with time_machine.travel(timezone.now() + timedelta(seconds=31)):
        post(parked, "send")
        cookies = post(parked, "verify", code=newest_code(bandwidth), trust=True).cookies
    assert not [name for name in cookies if "trust" in name]


# What stops a code ----------------------------------------------------------------------------

ERRORS = {
    "malformed": (400, "invalid"),
    "wrong": (400, "wrong_code"),
    "none sent": (409, "code_expired"),
    "expired": (409, "code_expired"),
    "used up": (409, "code_used"),
    "waiting": (429, "limited"),
    "locked": (403, "locked"),
    "busy": (429, "busy"),
    "down": (503, "provider_unavailable"),
    "silent": (503, "outcome_unknown"),
}


@pytest.mark.slow
@pytest.mark.attack("N9")
@pytest.mark.parametrize("case", ERRORS)
def test_each_way_to_fail_has_its_own_code(
    parked: Client, user: Any, bandwidth: Any, configure: Any, case: str
) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        if case != "none sent":
            post(parked, "send")
        code = newest_code(bandwidth) if bandwidth.inbox else "123456"
        typed = wrong(code)
        if case == "malformed":
            typed = "12a456"
        elif case == "expired":
            clock.shift(200)
        elif case == "used up":
            configure(TRIES_PER_CHALLENGE=1)
            post(parked, "verify", code=typed)
        elif case == "waiting":
            configure(FAILURES_BEFORE_WAIT=1)
            post(parked, "verify", code=typed)
            typed = code
        elif case == "locked":
            configure(FAILURES_BEFORE_LOCK=1, FAILURES_BEFORE_WAIT=5)
            post(parked, "verify", code=typed)
        elif case == "busy":
            configure(MAX_CONCURRENT_CALLS=1, MAX_WAITING_CALLS=0)
        elif case == "down":
            bandwidth.fault(on="verify", status=500)
        elif case == "silent":
            bandwidth.fault(on="verify", drop=True)
        if case == "busy":
            with provider.breaker().guard():
                answer = post(parked, "verify", code=typed)
        else:
            answer = post(parked, "verify", code=typed)
    assert error_of(answer) == ERRORS[case]
    assert (answer.json()["error"]["retry_after"] is not None) == (answer.status_code == 429)
    assert_shut(parked)


@pytest.mark.attack("S2")
def test_a_code_that_may_have_arrived_is_not_sent_again(parked: Client, bandwidth: Any) -> None:
    """Fails when the app leaves saving to Django, which saves no session with the status 503.

    The page would then send another code, which costs money, at its next GET.
    """
    bandwidth.fault(on="messaging", drop=True, times=1)
    assert error_of(post(parked, "send")) == (503, "outcome_unknown")
    assert get(parked, "state").json()["code"]["challenge"] is not None
    with time_machine.travel(timezone.now() + timedelta(seconds=200)):
        parked.get("/mfa/verify/")
    assert len(bandwidth.inbox) == 1


@pytest.mark.attack("S1")
def test_sends_obey_the_limits_of_the_pages(parked: Client, user: Any, bandwidth: Any) -> None:
    """Fails when the pages and the API count the codes separately."""
    parked.get("/mfa/verify/")
    answer = post(parked, "send")
    assert error_of(answer) == (429, "limited")
    assert 0 < answer.json()["error"]["retry_after"] <= 30
    assert len(bandwidth.inbox) == 1


def test_an_error_names_the_limit_where_it_is_known(parked: Client) -> None:
    from django_bandwidth_mfa.api.errors import answer_to
    from django_bandwidth_mfa.api.errors import error_of as api_error
    from django_bandwidth_mfa.exceptions import Limited, Locked

    assert b'"limit": null' in answer_to(api_error(Locked())).content
    answer = answer_to(api_error(Limited(12.3, "user")))
    assert b'"retry_after": 13, "limit": "user"' in answer.content
    assert answer["Retry-After"] == "13"


@pytest.mark.attack("P27")
def test_a_code_goes_to_no_phone_but_the_users_own(parked: Client, bandwidth: Any) -> None:
    """Fails when the view accepts the phones of all users, or a number in place of an id."""
    theirs = make_user("bob", OTHER_NUMBER).bandwidth_mfa_phones.get()
    for choice in (theirs.choice, OTHER_NUMBER, NUMBER, "0", "-1", "x"):
        assert error_of(post(parked, "send", phone=choice)) == (404, "no_such_phone")
    assert error_of(post(parked, "send", channel="pigeon")) == (404, "no_such_phone")
    assert bandwidth.inbox == []


def test_a_code_goes_to_the_chosen_phone_and_channel(
    client: Client, two: Any, bandwidth: Any
) -> None:
    give_password(client, two)
    second = Phone.objects.get(number=OTHER_NUMBER)
    post(client, "send", phone=second.choice, channel="voice")
    assert [(one["to"], one["channel"]) for one in bandwidth.inbox] == [(OTHER_NUMBER, "voice")]


@pytest.mark.attack("P28")
def test_the_code_of_another_user_opens_nothing(parked: Client, user: Any, bandwidth: Any) -> None:
    """Fails when the view accepts the code of any open challenge, not only of the user's own."""
    service.send_code(make_user("bob", OTHER_NUMBER))
    theirs = newest_code(bandwidth)
    post(parked, "send")
    if theirs == newest_code(bandwidth):
        theirs = wrong(theirs)
    assert error_of(post(parked, "verify", code=theirs)) == (400, "wrong_code")
    assert_shut(parked)


@pytest.mark.attack("P33")
def test_a_code_of_a_login_is_no_step_up(client: Client, user: Any, bandwidth: Any) -> None:
    service.send_code(user)
    code = newest_code(bandwidth)
    login_verified(client, user)
    assert error_of(post(client, "verify", code=code)) == (409, "code_expired")


@pytest.mark.parametrize("change", ["password", "inactive", "too late"])
@pytest.mark.attack("P30", "P31")
def test_an_ended_login_takes_no_code(
    parked: Client, user: Any, bandwidth: Any, change: str
) -> None:
    post(parked, "send")
    code = newest_code(bandwidth)
    if change == "password":
        user.set_password("another")
    elif change == "inactive":
        user.is_active = False
    user.save()
    with time_machine.travel(timezone.now() + timedelta(seconds=601 * (change == "too late"))):
        assert error_of(post(parked, "verify", code=code)) == (401, "sign_in_required")
    assert "_auth_user_id" not in parked.session


@pytest.mark.attack("P21")
def test_a_session_that_ends_during_the_call_to_bandwidth_stays_ended(
    parked: Client, user: Any, bandwidth: Any, monkeypatch: Any
) -> None:
    """Fails when the view does not call ``claim``, which finds that the session has ended."""
    post(parked, "send")
    code = newest_code(bandwidth)
    key = parked.session.session_key
    ask = provider.verify

    def end_meanwhile(*args: Any) -> bool:
        parked.session.delete(key)
        return ask(*args)

    monkeypatch.setattr(provider, "verify", end_meanwhile)
    assert error_of(post(parked, "verify", code=code)) == (401, "session_ended")
    assert state(parked) == "anonymous"


# Who is asked to sign in ------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["send", "verify", "recovery-code", "cancel"])
def test_an_anonymous_visitor_is_asked_to_sign_in(client: Client, db: None, address: str) -> None:
    body = {"verify": {"code": "123456"}, "recovery-code": {"recovery_code": "x"}}.get(address, {})
    assert error_of(post(client, address, **body)) == (401, "sign_in_required")


def test_a_user_without_a_phone_is_asked_for_one(
    client: Client, newcomer: Any, bandwidth: Any, configure: Any
) -> None:
    configure(REQUIRED="all")
    give_password(client, newcomer)
    assert get(client, "state").json()["needs"] == "phone"
    assert error_of(post(client, "send")) == (403, "phone_required")
    assert error_of(post(client, "verify", code="123456")) == (403, "phone_required")


@pytest.mark.attack("P36")
def test_a_request_of_another_site_is_refused(user: Any, bandwidth: Any) -> None:
    """Fails without the API's own CSRF check: ``csrf_exempt`` alone allows all these requests."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    for address in ("send", "verify", "cancel", "phones/add", "recovery-codes", "sign-out-others"):
        assert error_of(post(client, address)) == (403, "csrf_failed")
    token = get(client, "state").json()["csrf_token"]
    foreign = {"X-CSRFToken": token, "Origin": "https://evil.example"}
    assert error_of(post(client, "cancel", foreign)) == (403, "csrf_failed")
    assert post(client, "cancel", {"X-CSRFToken": token}).status_code == 200
    assert bandwidth.inbox == []


@pytest.mark.attack("P36")
def test_the_check_does_not_need_the_sites_middleware(
    user: Any, bandwidth: Any, settings: Any
) -> None:
    settings.MIDDLEWARE = [one for one in settings.MIDDLEWARE if "Csrf" not in one]
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    assert error_of(post(client, "cancel")) == (403, "csrf_failed")
    token = get(client, "state").json()["csrf_token"]
    assert post(client, "cancel", {"X-CSRFToken": token}).status_code == 200


# Delivery ---------------------------------------------------------------------------------------


def test_the_delivery_needs_no_session(parked: Client, bandwidth: Any, configure: Any) -> None:
    """Fails when the delivery view reads the session: a late answer would set its cookie again."""
    configure(RECEIPT_SECRET="s" * 20)
    url = post(parked, "send").json()["code"]["challenge"]["delivery_url"]
    answer = Client().get(url)
    assert answer.json() == {"delivery": None, "delivery_url": answer.json()["delivery_url"]}
    assert not answer.cookies
    Challenge.objects.update(delivery="failed")
    assert Client().get(url).json() == {"delivery": "failed", "delivery_url": None}
    assert error_of(Client().get(url[:-1])) == (404, "not_found")
    assert error_of(Client().post(url)) == (405, "method_not_allowed")


def test_the_api_has_no_delivery_address_of_the_page(parked: Client, bandwidth: Any) -> None:
    assert error_of(parked.get(API + "delivery/x:y:z")) == (404, "not_found")
