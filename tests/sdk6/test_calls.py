"""The three MFA calls of bandwidth-sdk 6.14, unchanged: their return values and their errors."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bandwidth.bandwidth_client import BandwidthClient
from bandwidth.configuration import Environment
from bandwidth.exceptions.api_exception import APIException
from bandwidth.twofactorauth.controllers.api_controller import APIController
from bandwidth.twofactorauth.exceptions.invalid_request_exception import InvalidRequestException
from bandwidth.twofactorauth.models.two_factor_code_request_schema import TwoFactorCodeRequestSchema
from bandwidth.twofactorauth.models.two_factor_verify_request_schema import (
    TwoFactorVerifyRequestSchema,
)

from django_bandwidth_mfa.simulator import (
    DEFAULT_ACCOUNT,
    DEFAULT_MAX_WRONG,
    DEFAULT_PASSWORD,
    DEFAULT_USERNAME,
    Simulator,
)
from tests.simulator.client import APPLICATION, FROM, TO, Clock, wrong

THROTTLE_SECONDS = 30


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def simulator(clock: Clock) -> Iterator[Simulator]:
    with Simulator(
        clock=clock, applications=[APPLICATION], throttle_seconds=THROTTLE_SECONDS
    ) as running:
        yield running


@pytest.fixture
def mfa(simulator: Simulator) -> Iterator[APIController]:
    yield from connect(simulator)


def connect(
    simulator: Simulator, username: str = DEFAULT_USERNAME, password: str = DEFAULT_PASSWORD
) -> Iterator[APIController]:
    """Yield the SDK's client; close its connections afterwards."""
    client = BandwidthClient(
        environment=Environment.CUSTOM,
        base_url=simulator.base_url,
        two_factor_auth_basic_auth_user_name=username,
        two_factor_auth_basic_auth_password=password,
    )
    yield client.two_factor_auth_client.client
    client.config.http_client.session.close()


def code_request(**changes: object) -> TwoFactorCodeRequestSchema:
    fields = {
        "to": TO,
        "mfrom": FROM,
        "application_id": APPLICATION,
        "scope": "sign-in",
        "message": "Your {NAME} {SCOPE} code is {CODE}",
        "digits": 6,
    }
    return TwoFactorCodeRequestSchema(**{**fields, **changes})


def attempt(code: str, **changes: object) -> TwoFactorVerifyRequestSchema:
    fields = {
        "to": TO,
        "mfrom": FROM,
        "application_id": APPLICATION,
        "scope": "sign-in",
        "code": code,
        "digits": 6,
        "expiration_time_in_minutes": 3,
    }
    return TwoFactorVerifyRequestSchema(**{**fields, **changes})


def test_a_message_is_sent_and_its_code_verified(mfa: APIController, simulator: Simulator) -> None:
    answer = mfa.create_messaging_two_factor(DEFAULT_ACCOUNT, code_request())

    [message] = simulator.inbox
    assert answer.status_code == 200
    assert (message["channel"], message["to"]) == ("sms", TO)
    assert answer.body.message_id == message["id"]
    right = mfa.create_verify_two_factor(DEFAULT_ACCOUNT, attempt(message["code"]))
    assert right.body.valid is True
    false = mfa.create_verify_two_factor(DEFAULT_ACCOUNT, attempt(wrong(message["code"])))
    assert false.status_code == 200
    assert false.body.valid is False


def test_a_call_is_made_and_its_code_verified(mfa: APIController, simulator: Simulator) -> None:
    answer = mfa.create_voice_two_factor(DEFAULT_ACCOUNT, code_request())

    [call] = simulator.inbox
    assert (call["channel"], call["to"]) == ("voice", TO)
    assert answer.body.call_id == call["id"]
    right = mfa.create_verify_two_factor(DEFAULT_ACCOUNT, attempt(call["code"]))
    assert right.body.valid is True


def test_floats_are_taken_and_the_scope_may_be_left_out(
    mfa: APIController, simulator: Simulator
) -> None:
    """The SDK documents ``digits`` and the minutes as floats, and 2FA as the default scope. Fails
    when the simulator accepts integers only."""
    mfa.create_messaging_two_factor(DEFAULT_ACCOUNT, code_request(digits=6.0, scope=None))

    [message] = simulator.inbox
    assert message["text"] == f"Your Example 2FA code is {message['code']}"
    floats = {"digits": 6.0, "expiration_time_in_minutes": 3.0}
    for scope in (None, "2FA"):
        body = attempt(message["code"], scope=scope, **floats)
        assert mfa.create_verify_two_factor(DEFAULT_ACCOUNT, body).body.valid is True


@pytest.mark.parametrize("call", ["create_messaging_two_factor", "create_voice_two_factor"])
def test_an_unknown_application_is_its_invalid_request(mfa: APIController, call: str) -> None:
    with pytest.raises(InvalidRequestException) as caught:
        getattr(mfa, call)(DEFAULT_ACCOUNT, code_request(application_id="unknown"))

    assert caught.value.response_code == 400


@pytest.mark.parametrize(
    ("call", "body"),
    [
        ("create_messaging_two_factor", code_request()),
        ("create_voice_two_factor", code_request()),
        ("create_verify_two_factor", attempt("123456")),
    ],
)
def test_wrong_credentials_are_refused_with_403(
    simulator: Simulator, call: str, body: object
) -> None:
    for mfa in connect(simulator, username="nobody", password="nothing"):
        with pytest.raises(APIException) as caught:
            getattr(mfa, call)(DEFAULT_ACCOUNT, body)

        assert caught.value.response_code == 403
    assert simulator.inbox == []


def test_too_many_wrong_codes_are_429_until_the_wait_is_over(
    mfa: APIController, clock: Clock
) -> None:
    for _ in range(DEFAULT_MAX_WRONG):
        answer = mfa.create_verify_two_factor(DEFAULT_ACCOUNT, attempt("123456"))
        assert answer.body.valid is False

    with pytest.raises(APIException) as caught:
        mfa.create_verify_two_factor(DEFAULT_ACCOUNT, attempt("123456"))
    assert caught.value.response_code == 429
    clock.now += THROTTLE_SECONDS
    answer = mfa.create_verify_two_factor(DEFAULT_ACCOUNT, attempt("123456"))
    assert answer.body.valid is False
