"""Bandwidth's own SDK, unchanged, against the simulator.

The MFA operations of the SDK contain Bandwidth's address.  With its public option
``ignore_operation_servers=True``, the SDK uses ``host`` instead.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from django_bandwidth_mfa.simulator import (
    DEFAULT_ACCOUNT,
    DEFAULT_CLIENT_ID,
    DEFAULT_CLIENT_SECRET,
    DEFAULT_MAX_WRONG,
    DEFAULT_PASSWORD,
    DEFAULT_USERNAME,
    Simulator,
)

from .client import APPLICATION, FROM, TO, Api, Clock, wrong

if TYPE_CHECKING:
    import bandwidth
    from bandwidth import exceptions

# The SDK takes a second to import. So one worker runs these tests, and the others never import it.
pytestmark = pytest.mark.xdist_group("sdk")


@pytest.fixture(scope="module", autouse=True)
def import_sdk() -> None:
    for name, module in (("bandwidth", "bandwidth"), ("exceptions", "bandwidth.exceptions")):
        globals()[name] = importlib.import_module(module)


def sdk(simulator: Simulator, **credentials: str) -> bandwidth.MFAApi:
    configuration = bandwidth.Configuration(
        host=simulator.base_url, ignore_operation_servers=True, **credentials
    )
    return bandwidth.MFAApi(bandwidth.ApiClient(configuration))


@pytest.fixture(params=["basic", "access token", "client credentials"])
def mfa(request: pytest.FixtureRequest, api: Api) -> Iterator[bandwidth.MFAApi]:
    credentials: dict[str, dict[str, str]] = {
        "basic": {"username": DEFAULT_USERNAME, "password": DEFAULT_PASSWORD},
        "access token": {"access_token": api.token().json()["access_token"]},
        "client credentials": {
            "client_id": DEFAULT_CLIENT_ID,
            "client_secret": DEFAULT_CLIENT_SECRET,
            "access_token_url": api.simulator.token_url,
        },
    }
    client = sdk(api.simulator, **credentials[request.param])
    yield client
    client.api_client.rest_client.pool_manager.clear()


def code_request(**changes: object) -> bandwidth.CodeRequest:
    fields = {
        "to": TO,
        "from": FROM,
        "applicationId": APPLICATION,
        "scope": "sign-in",
        "message": "Your code is {CODE}",
        "digits": 6,
    }
    return bandwidth.CodeRequest.model_validate({**fields, **changes})


def attempt(code: str) -> bandwidth.VerifyCodeRequest:
    return bandwidth.VerifyCodeRequest.model_validate(
        {"to": TO, "scope": "sign-in", "code": code, "expirationTimeInMinutes": 3}
    )


def test_a_message_is_sent_and_its_code_verified(mfa: bandwidth.MFAApi, api: Api) -> None:
    answer = mfa.generate_messaging_code(DEFAULT_ACCOUNT, code_request())

    [message] = api.simulator.inbox
    assert answer.message_id == message["id"]
    assert mfa.verify_code(DEFAULT_ACCOUNT, attempt(message["code"])).valid is True
    assert mfa.verify_code(DEFAULT_ACCOUNT, attempt(wrong(message["code"]))).valid is False


def test_a_call_is_made_and_its_code_verified(mfa: bandwidth.MFAApi, api: Api) -> None:
    answer = mfa.generate_voice_code(DEFAULT_ACCOUNT, code_request())

    [call] = api.simulator.inbox
    assert answer.call_id == call["id"]
    assert mfa.verify_code(DEFAULT_ACCOUNT, attempt(call["code"])).valid is True


def test_a_bad_request_raises_bad_request(mfa: bandwidth.MFAApi) -> None:
    with pytest.raises(exceptions.BadRequestException) as caught:
        mfa.generate_messaging_code(DEFAULT_ACCOUNT, code_request(message="no code"))

    assert caught.value.data.error == "message must contain {CODE}"
    assert caught.value.data.request_id


@pytest.mark.parametrize("call", ["generate_messaging_code", "generate_voice_code"])
def test_an_unknown_application_raises_bad_request(call: str) -> None:
    with Simulator(applications=[APPLICATION]) as simulator:
        client = sdk(simulator, username=DEFAULT_USERNAME, password=DEFAULT_PASSWORD)
        with pytest.raises(exceptions.BadRequestException) as caught:
            getattr(client, call)(DEFAULT_ACCOUNT, code_request(applicationId="unknown"))
        client.api_client.rest_client.pool_manager.clear()

    assert caught.value.data.error == "applicationId is not one of the account's"


def test_another_account_raises_forbidden(mfa: bandwidth.MFAApi) -> None:
    with pytest.raises(exceptions.ForbiddenException):
        mfa.verify_code("5500002", attempt("123456"))


def test_wrong_credentials_raise_forbidden(simulator: Simulator) -> None:
    client = sdk(simulator, username="nobody", password="nothing")

    with pytest.raises(exceptions.ForbiddenException):
        client.generate_messaging_code(DEFAULT_ACCOUNT, code_request())
    client.api_client.rest_client.pool_manager.clear()


def test_missing_credentials_raise_unauthorized(simulator: Simulator) -> None:
    client = sdk(simulator)

    with pytest.raises(exceptions.UnauthorizedException) as caught:
        client.generate_messaging_code(DEFAULT_ACCOUNT, code_request())
    assert caught.value.data.message == "Unauthorized"
    client.api_client.rest_client.pool_manager.clear()


def test_too_many_wrong_codes_raise_429_until_the_wait_is_over(
    mfa: bandwidth.MFAApi, clock: Clock
) -> None:
    for _ in range(DEFAULT_MAX_WRONG):
        mfa.verify_code(DEFAULT_ACCOUNT, attempt("123456"))

    with pytest.raises(exceptions.ApiException) as caught:
        mfa.verify_code(DEFAULT_ACCOUNT, attempt("123456"))
    assert caught.value.status == 429
    assert caught.value.data.error.startswith("This number has exceeded verification attempts")
    clock.now += 120
    assert mfa.verify_code(DEFAULT_ACCOUNT, attempt("123456")).valid is False


@pytest.mark.slow
@pytest.mark.parametrize("on", ["messaging", "voice", "verify"])
def test_a_fault_raises_a_service_exception(
    mfa: bandwidth.MFAApi, simulator: Simulator, on: str
) -> None:
    simulator.fault(on=on, status=500)
    calls = {
        "messaging": lambda: mfa.generate_messaging_code(DEFAULT_ACCOUNT, code_request()),
        "voice": lambda: mfa.generate_voice_code(DEFAULT_ACCOUNT, code_request()),
        "verify": lambda: mfa.verify_code(DEFAULT_ACCOUNT, attempt("123456")),
    }

    with pytest.raises(exceptions.ServiceException) as caught:
        calls[on]()
    assert caught.value.data.error == "Internal Error"
    assert caught.value.data.request_id
