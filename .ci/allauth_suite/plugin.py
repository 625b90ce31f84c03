"""A pytest plugin: the test client gives the code whenever a login waits for it.

allauth's tests do not know about codes. If an answer says that the flow ``mfa_bandwidth`` is
pending, the client adds the user's first phone or requests a code. Then it gives the code, and
returns the last answer to the test.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.test import Client
from their_tests import FIRST_PHONE, last_code

from django_bandwidth_mfa.testing import login_verified

pytest_plugins = ["their_tests"]

FLOW = "mfa_bandwidth"

generic = Client.generic
force_login = Client.force_login


def pytest_configure(config: pytest.Config) -> None:
    """Make each client of the tests give the code."""
    if os.environ["ALLAUTH_WITH"] == "contrib":
        Client.generic = give_code
        Client.force_login = force_login_with_code


@pytest.fixture(autouse=True)
def our_strategy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace allauth's strategy for JSON Web Tokens with this app's in the tests that name it."""
    if os.environ["ALLAUTH_WITH"] == "contrib":
        from allauth.headless.tokens.strategies import jwt

        from django_bandwidth_mfa.contrib.allauth.strategies import JWTTokenStrategy

        monkeypatch.setattr(jwt, "JWTTokenStrategy", JWTTokenStrategy)


def force_login_with_code(client: Client, user: Any, backend: str | None = None) -> None:
    """Sign in as a user who has given the code."""
    with _put_back():
        login_verified(client, user)


@contextmanager
def _put_back() -> Iterator[None]:
    Client.force_login = force_login
    try:
        yield
    finally:
        Client.force_login = force_login_with_code


def give_code(client: Client, method: str, path: str, *args: Any, **kwargs: Any) -> Any:
    answer = generic(client, method, path, *args, **kwargs)
    if not is_waiting(answer):
        return answer
    start = path.partition("/v1/")[0] + "/v1/bandwidth-mfa/"
    token = answer.json().get("meta", {}).get("session_token") or kwargs.get("HTTP_X_SESSION_TOKEN")
    headers = {"HTTP_X_SESSION_TOKEN": token} if token else {}

    def post(address: str, **body: str) -> Any:
        response = generic(
            client, "POST", start + address, json.dumps(body), "application/json", **headers
        )
        new_token = response.json().get("meta", {}).get("session_token")
        if new_token and headers:
            headers["HTTP_X_SESSION_TOKEN"] = new_token
        return response

    state = generic(client, "GET", start + "state", **headers).json()["data"]
    assert state["state"] == "parked", state
    if state["needs"] == "phone":
        step = post("phones/add", number=FIRST_PHONE)
        last = "phones/confirm"
    else:
        step, last = post("send"), "verify"
    assert step.status_code == 200, step.content
    return post(last, code=last_code())


def is_waiting(answer: Any) -> bool:
    """Return whether the answer says that this app's flow is pending."""
    if answer.status_code != 401 or answer.get("content-type") != "application/json":
        return False
    flows = answer.json().get("data", {}).get("flows", [])
    return any(flow["id"] == FLOW and flow.get("is_pending") for flow in flows)
