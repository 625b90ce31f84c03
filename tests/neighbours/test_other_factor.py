"""``policies.other_factor``: a one-time password or a passkey of allauth, with no SMS in addition.

The tests use the real allauth, with its one-time passwords and passkeys.
"""

from __future__ import annotations

import time
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from django_bandwidth_mfa import service
from django_bandwidth_mfa.internal.login.policy import day_of_need
from django_bandwidth_mfa.internal.staff.reset import reset_second_factor
from django_bandwidth_mfa.models import Phone
from django_bandwidth_mfa.policies import any_of, enrolled, everyone, other_factor, unless
from django_bandwidth_mfa.verification import LoginProof
from tests.browsing import assert_shut, give_password, sign_in, state
from tests.conftest import NUMBER, OTHER_NUMBER, PASSWORD, make_user

from .passkey import Passkey

pytestmark = pytest.mark.django_db

SECRET = "JBSWY3DPEHPK3PXP"
START = 1_800_000_000

# docs/policies.md shows this policy for staff; here it is for all users.
POLICY = unless(other_factor, any_of(enrolled, everyone))


@pytest.fixture(autouse=True)
def clock(configure: Any) -> Any:
    configure(REQUIRED=POLICY, RECHECK_SECONDS=300)
    # allauth counts wrong codes in this cache, by the user's primary key.
    cache.clear()
    with time_machine.travel(START, tick=False) as frozen_clock:
        yield frozen_clock


def with_totp(user: Any) -> Any:
    TOTP.activate(user, SECRET)
    return user


@pytest.fixture
def totp(db: None) -> Any:
    """Return a user with an authenticator app and without a phone."""
    return with_totp(make_user("totp"))


def password_at_allauth(client: Client, user: Any) -> Any:
    return client.post("/allauth/login/", {"login": user.username, "password": PASSWORD})


def code_at_allauth(client: Client) -> Any:
    code = format_hotp_value(hotp_value(SECRET, int(time.time()) // 30))
    return client.post("/allauth/2fa/authenticate/", {"code": code})


def sign_in_by_totp(client: Client, user: Any) -> None:
    password_at_allauth(client, user)
    code_at_allauth(client)


def sign_in_by_passkey(client: Client, key: Passkey) -> Any:
    headers = {"x-requested-with": "XMLHttpRequest"}
    options = client.get("/allauth/2fa/webauthn/login/", headers=headers).json()
    challenge = options["request_options"]["publicKey"]["challenge"]
    return client.post("/allauth/2fa/webauthn/login/", {"credential": key.answer(challenge)})


# The normal use ----------------------------------------------------------------------------------


def test_a_one_time_password_is_enough(client: Client, totp: Any, bandwidth: Any) -> None:
    sign_in_by_totp(client, totp)
    assert state(client) == "exempt"
    assert client.get("/account/").content == b"account of totp"
    assert bandwidth.inbox == []


def test_a_passkey_is_enough_also_for_a_user_with_a_phone(
    client: Client, user: Any, bandwidth: Any
) -> None:
    sign_in_by_passkey(client, Passkey(user))
    assert state(client) == "exempt"
    assert bandwidth.inbox == []


def test_it_is_enough_for_the_whole_session(client: Client, totp: Any, clock: Any) -> None:
    """Fails when the age of a factor is measured from the present time and not from its login."""
    sign_in_by_totp(client, totp)
    for _ in range(10):
        clock.shift(3600)
        assert state(client) == "exempt"


def test_without_the_factor_a_code_is_owed(client: Client, user: Any, bandwidth: Any) -> None:
    password_at_allauth(client, user)
    assert_shut(client)
    other = Client()
    sign_in(other, user, bandwidth)
    assert state(other) == "verified"


def test_signing_out_all_others_keeps_this_session(client: Client, totp: Any, clock: Any) -> None:
    """Fails when the moment that ends the other sessions also ends this session at the second
    check."""
    others = Client()
    sign_in_by_totp(others, totp)
    clock.shift(60)
    sign_in_by_totp(client, totp)
    clock.shift(60)
    client.post("/mfa/sign-out-others/")
    for _ in range(3):
        clock.shift(301)
        assert state(client) == "exempt"
    assert state(others) == "anonymous"


def test_who_has_the_factor_needs_no_phone(totp: Any, newcomer: Any) -> None:
    assert day_of_need(totp) is None
    assert day_of_need(newcomer) is not None


# Attacks -----------------------------------------------------------------------------------------


@pytest.mark.attack("P50")
def test_the_record_of_another_user_counts_for_nobody_else(
    client: Client, totp: Any, user: Any
) -> None:
    """A thief uses their own authenticator app until just before the login is made. Then the thief
    gives the victim's password in the same session. Fails when an authenticator of any user counts,
    and not only one of the user who signs in. The test also changes allauth's own note of the
    records' user: in older versions of allauth, only the row shows the user."""
    password_at_allauth(client, totp)
    code_at_allauth(client)
    session = client.session
    records = session["account_authentication_methods"]
    session.flush()
    session["account_authentication_methods"] = records
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
    client.cookies["sessionid"] = session.session_key
    give_password(client, user)
    assert_shut(client)


@pytest.mark.attack("P50")
def test_the_record_of_an_earlier_login_does_not_count(
    client: Client, totp: Any, user: Any, clock: Any
) -> None:
    """Somebody left a browser signed in, and the password is given there again. Fails when the mark
    of the earlier login decides to which login the record belongs."""
    with_totp(user)
    sign_in_by_totp(client, user)
    assert state(client) == "exempt"
    clock.shift(3600)
    give_password(client, user)
    assert_shut(client)


@pytest.mark.attack("P50")
def test_the_record_of_a_login_that_was_never_finished_does_not_count_later(
    client: Client, user: Any, clock: Any
) -> None:
    """allauth keeps the records of a login that still has a step to come, such as the confirmation
    of an address. Fails when the age of a record is not checked."""
    with_totp(user)
    sign_in_by_totp(client, user)
    session = client.session
    kept = {key: session[key] for key in list(session.keys()) if key.startswith("account_")}
    session.flush()
    session.update(kept)
    session.save()
    client.cookies["sessionid"] = session.session_key
    clock.shift(601)
    give_password(client, user)
    assert_shut(client)


@pytest.mark.attack("P50")
def test_a_password_alone_at_a_door_that_does_not_ask_for_it_stays_out(
    client: Client, user: Any
) -> None:
    """Fails when an authenticator counts that the user owns but has not used: the stock login page
    does not ask for allauth's factors."""
    with_totp(user)
    give_password(client, user)
    assert_shut(client)


@pytest.mark.attack("P50")
def test_a_recovery_code_of_allauth_is_no_factor(client: Client, user: Any) -> None:
    """Fails when each record of allauth's MFA counts."""
    with_totp(user)
    code = RecoveryCodes.activate(user).get_unused_codes()[0]
    password_at_allauth(client, user)
    client.post("/allauth/2fa/authenticate/", {"code": code})
    assert_shut(client)


@pytest.mark.attack("P50")
def test_a_factor_that_was_removed_counts_no_more(client: Client, totp: Any, clock: Any) -> None:
    """The owner, or staff, have removed a stolen device. Fails when the record in the session is
    enough."""
    sign_in_by_totp(client, totp)
    Authenticator.objects.filter(user=totp).delete()
    clock.shift(301)
    assert state(client) == "parked"


@pytest.mark.attack("P50")
@pytest.mark.parametrize("end", [reset_second_factor, service.require_new_code])
def test_a_factor_from_before_a_reset_counts_no_more(
    client: Client, totp: Any, clock: Any, end: Any
) -> None:
    """Fails when ``verified_since`` is ignored. For a session that the reset has parked, it fails
    when the record counts for the next password."""
    sign_in_by_totp(client, totp)
    clock.shift(10)
    end(totp)
    clock.shift(301)
    assert state(client) == "parked"
    give_password(client, totp)
    assert state(client) == "parked"


@pytest.mark.attack("P50")
@pytest.mark.parametrize(
    "broken",
    [
        "mfa",
        ["mfa"],
        [{"method": "mfa"}],
        [{"method": "mfa", "type": "totp", "at": START}],
        [{"method": "mfa", "type": "totp", "at": "now", "id": 1}],
        [{"method": "mfa", "type": "totp", "at": START + 3600, "id": 1}],
        [{"method": "mfa", "type": "webauthn", "at": START, "id": 1}],
        [{"method": "mfa", "type": "totp", "at": START, "id": 10**6}],
        [{"method": "password", "type": "totp", "at": START, "id": 1}],
    ],
)
def test_a_broken_record_counts_for_nothing(client: Client, totp: Any, broken: Any) -> None:
    """Fails when a record from the future counts: after a clock was set back, it would count for
    too long. Fails when the type of the record differs from the type of its row and the record
    counts."""
    row = Authenticator.objects.get(user=totp)
    for record in broken if isinstance(broken, list) else ():
        if isinstance(record, dict) and record.get("id") == 1:
            record["id"] = row.pk
    client.get("/")
    session = client.session
    session["account_authentication_methods"] = broken
    session["account_authentication_methods_user"] = str(totp.pk)
    session.save()
    client.cookies["sessionid"] = session.session_key
    give_password(client, totp)
    assert state(client) == "parked"


# A thief who tries to add a phone ----------------------------------------------------------------


@pytest.mark.attack("P51")
@pytest.mark.parametrize("page", ["add", "confirm"])
def test_a_thief_of_the_password_enrols_no_phone_in_place_of_the_factor(
    client: Client, totp: Any, bandwidth: Any, page: str
) -> None:
    """The stock login page asks for the password alone. Fails when a user with another factor and
    without a phone may add a phone there."""
    give_password(client, totp)
    Phone.objects.create(user=totp, number=NUMBER)
    answer = client.post(f"/mfa/phones/{page}/", {"number": OTHER_NUMBER, "code": "123456"})
    assert answer.status_code == 403
    assert b"Contact support." in answer.content
    assert client.get("/mfa/verify/", follow=True).status_code == 403
    assert bandwidth.inbox == []
    assert_shut(client)


@pytest.mark.attack("P51")
def test_a_thief_of_the_password_enrols_no_phone_by_the_api_with_a_session_or_a_ticket(
    client: Client, totp: Any, bandwidth: Any
) -> None:
    """A thief of the password cannot add a phone through the API. Fails when only the pages refuse
    it."""
    give_password(client, totp)
    answer = client.post("/mfa/api/phones/add", {"number": NUMBER}, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "sign_in_again")
    app = Client()
    login = {"username": "totp", "password": PASSWORD}
    ticket = app.post("/mfa/api/login", login, content_type="application/json").json()["ticket"]
    answer = app.post(
        "/mfa/api/phones/add",
        {"number": NUMBER},
        content_type="application/json",
        headers={"authorization": f"MFA-Ticket {ticket}"},
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "sign_in_again")
    assert bandwidth.inbox == []


@pytest.mark.attack("P49")
@pytest.mark.urls("tests.neighbours.token_logins")
def test_a_session_with_the_factor_lends_it_to_no_token(client: Client, totp: Any, rf: Any) -> None:
    """Fails when a session in the same request as the password is checked: a thief of both would
    get a token that lasts longer than the session. Fails also when the session is checked beside a
    token without a code."""
    sign_in_by_totp(client, totp)
    assert state(client) == "exempt"
    login = {"username": "totp", "password": PASSWORD}
    for door in ("/token/", "/jwt/"):
        answer = client.post(door, login, content_type="application/json")
        assert (answer.status_code, "ticket" in answer.json()) == (202, True)
    request = rf.get("/")
    request.session, request.user = client.session, totp
    assert not service.is_in_force(
        LoginProof(user=totp, signed_in_at=timezone.now()), request=request
    )


def test_who_has_lost_the_device_adds_a_phone_after_a_recovery_code_of_allauth(
    client: Client, totp: Any, bandwidth: Any
) -> None:
    """Fails when such users can never sign in again: they cannot use the device that they have
    lost."""
    code = RecoveryCodes.activate(totp).get_unused_codes()[0]
    password_at_allauth(client, totp)
    client.post("/allauth/2fa/authenticate/", {"code": code})
    assert state(client) == "parked"
    client.post("/mfa/phones/add/", {"number": NUMBER})
    client.post("/mfa/phones/confirm/", {"code": bandwidth.inbox[0]["code"]})
    assert state(client) == "verified"


def test_a_policy_that_takes_no_other_factor_lets_everybody_add_a_first_phone(
    client: Client, totp: Any, configure: Any, bandwidth: Any
) -> None:
    """A site may have allauth's factors and still require a phone of each user."""
    configure(REQUIRED="all")
    give_password(client, totp)
    client.post("/mfa/phones/add/", {"number": NUMBER})
    assert len(bandwidth.inbox) == 1
