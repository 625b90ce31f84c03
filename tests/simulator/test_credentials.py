"""Both kinds of credentials, the token endpoint, and the account in the address."""

import base64
import json

import pytest

from django_bandwidth_mfa.simulator import Simulator

from .client import BASIC, CLIENT, SEND, Api, Clock

ENDPOINTS = pytest.mark.parametrize("endpoint", ["messaging", "voice", "verify"])


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_client_credentials_get_a_token_for_the_api(api: Api) -> None:
    answer = api.token()

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    token = answer.json()["access_token"]
    assert answer.json() == {"access_token": token, "token_type": "Bearer", "expires_in": 3600}
    sent = api.post("messaging", json=SEND, auth=None, headers=bearer(token))
    assert sent.status_code == 200
    assert len(api.simulator.inbox) == 1


def test_each_token_is_new_and_all_are_valid(api: Api) -> None:
    first, second = (api.token().json()["access_token"] for _ in range(2))

    assert first != second
    for token in (first, second):
        answer = api.post("messaging", json=SEND, auth=None, headers=bearer(token))
        assert answer.status_code == 200


def test_a_token_expires_after_an_hour(api: Api, clock: Clock) -> None:
    headers = bearer(api.token().json()["access_token"])

    clock.now += 3599
    assert api.post("messaging", json=SEND, auth=None, headers=headers).status_code == 200
    clock.now += 1
    assert api.post("messaging", json=SEND, auth=None, headers=headers).status_code == 401


@ENDPOINTS
@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer made-up",
        "Bearer made.up.too",
        "Bearer made.up.töken",
        "Basic",
        "Basic ???",
        "Basic " + base64.b64encode(b"sim-user").decode(),
        "Basic " + base64.b64encode(b"sim-user:wrong").decode(),
        "Basic " + base64.b64encode(b"sim-user:sim-password:more").decode(),
        "Basic " + base64.b64encode(":".join(CLIENT).encode()).decode(),
        "Digest " + base64.b64encode(":".join(BASIC).encode()).decode(),
    ],
)
def test_wrong_credentials_are_forbidden(api: Api, endpoint: str, authorization: str) -> None:
    """Fails when the answer has the status 401: Bandwidth answers a wrong password with 403."""
    headers = {"Authorization": authorization.encode()}
    answer = api.post(endpoint, json=SEND, auth=None, headers=headers)

    assert answer.status_code == 403
    assert answer.json() == {
        "Message": "User is not authorized to access this resource with an explicit deny"
    }
    assert api.simulator.inbox == []


@ENDPOINTS
@pytest.mark.parametrize("headers", [{}, {"Authorization": ""}])
def test_missing_credentials_are_unauthorized(
    api: Api, endpoint: str, headers: dict[str, str]
) -> None:
    answer = api.post(endpoint, json=SEND, auth=None, headers=headers)

    assert answer.status_code == 401
    assert answer.json() == {"message": "Unauthorized"}
    assert api.simulator.inbox == []


def test_a_token_names_its_account_and_outlives_a_restart(api: Api, clock: Clock) -> None:
    """Fails when tokens are kept in memory: a site would be refused after each restart."""
    token = api.token().json()["access_token"]
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["accounts"] == ["5500001"]
    with Simulator(clock=clock) as again, Simulator(clock=clock, client_secret="other") as other:
        for simulator, status in ((again, 200), (other, 403)):
            answer = api.session.post(
                f"{simulator.base_url}/accounts/5500001/code/messaging",
                json=SEND,
                headers=bearer(token),
                timeout=5,
            )
            assert answer.status_code == status


@ENDPOINTS
def test_another_account_is_forbidden(api: Api, endpoint: str) -> None:
    answer = api.session.post(
        api.url(endpoint, account="5500002"), json=SEND, auth=BASIC, timeout=5
    )

    assert answer.status_code == 403
    assert answer.json() == {
        "Message": "User is not authorized to access this resource with an explicit deny"
    }


@pytest.mark.parametrize("credentials", [None, BASIC, ("sim-client", "wrong"), ("", "")])
def test_the_token_endpoint_takes_the_client_s_own_secret_only(
    api: Api, credentials: tuple[str, str] | None
) -> None:
    answer = api.token(auth=credentials)

    assert answer.status_code == 401
    assert answer.json() == {"message": "Unauthorized"}


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"data": {"grant_type": "password"}}, "unsupported_grant_type"),
        ({"data": {}}, "invalid_request"),
        ({"data": None, "json": {"grant_type": "client_credentials"}}, "invalid_request"),
    ],
)
def test_the_token_endpoint_takes_the_client_credentials_grant_only(
    api: Api, options: dict[str, object], error: str
) -> None:
    answer = api.token(**options)

    assert answer.status_code == 400
    assert answer.json()["error"] == error


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_the_gateway_answers_other_methods_in_json(api: Api, method: str) -> None:
    """Fails for a method to which ``http.server`` itself answers with a 501 page."""
    answer = api.session.request(method, api.url("messaging"), auth=BASIC, timeout=5)

    assert answer.status_code == 403
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.json() == {"message": "Missing Authentication Token"}
