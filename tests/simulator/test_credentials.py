"""Both kinds of credentials, the token endpoint, and whose account it is."""

import base64

import pytest

from .client import BASIC, CLIENT, SEND, Api, Clock

ENDPOINTS = pytest.mark.parametrize("endpoint", ["messaging", "voice", "verify"])


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_client_credentials_buy_a_token_that_opens_the_api(api: Api) -> None:
    answer = api.token()

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    token = answer.json()["access_token"]
    assert answer.json() == {"access_token": token, "token_type": "Bearer", "expires_in": 3600}
    sent = api.post("messaging", json=SEND, auth=None, headers=bearer(token))
    assert sent.status_code == 200
    assert len(api.simulator.inbox) == 1


def test_each_token_is_new_and_all_are_good(api: Api) -> None:
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
        "",
        "Bearer",
        "Bearer made-up",
        "Basic",
        "Basic ???",
        "Basic " + base64.b64encode(b"sim-user").decode(),
        "Basic " + base64.b64encode(b"sim-user:wrong").decode(),
        "Basic " + base64.b64encode(b"sim-user:sim-password:more").decode(),
        "Basic " + base64.b64encode(":".join(CLIENT).encode()).decode(),
        "Digest " + base64.b64encode(":".join(BASIC).encode()).decode(),
    ],
)
def test_anything_else_is_unauthorized(api: Api, endpoint: str, authorization: str) -> None:
    answer = api.post(endpoint, json=SEND, auth=None, headers={"Authorization": authorization})

    assert answer.status_code == 401
    assert answer.json() == {"message": "Unauthorized"}
    assert api.simulator.inbox == []


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
