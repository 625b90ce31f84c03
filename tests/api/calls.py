"""Calls of the JSON API, over Django's test client.

Each answer is compared with the API's description: its status, its keys and its types.
"""

from __future__ import annotations

import json
from typing import Any

from django.test import Client
from jsonschema import Draft202012Validator

from tests.conftest import PASSWORD
from tests.openapi import FILE, OPERATIONS

API = "/mfa/api/"


def get(client: Any, address: str, **headers: str) -> Any:
    return described(client.get(API + address, headers=headers))


def post(client: Any, address: str, headers: dict[str, str] | None = None, **body: Any) -> Any:
    """POST ``body`` as JSON."""
    json_type = "application/json"
    return described(client.post(API + address, body, content_type=json_type, headers=headers))


def described(answer: Any) -> Any:
    """Check ``answer`` against the API's description, and return it."""
    name, method = answer.resolver_match.url_name, answer.request["REQUEST_METHOD"].lower()
    operation = OPERATIONS.get((name, method))
    if operation is not None:
        responses = RESPONSES[operation.id]
        status = str(answer.status_code)
        assert status in responses, (operation.id, status, answer.content)
        schema = responses[status]["content"]["application/json"]["schema"]
        Draft202012Validator({**schema, "components": COMPONENTS}).validate(answer.json())
    return answer


def without_other_keys(schema: Any) -> Any:
    """Return ``schema`` with a ban on every key that it does not name."""
    if isinstance(schema, list):
        return [without_other_keys(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    stricter = {key: without_other_keys(value) for key, value in schema.items()}
    if "required" in schema and schema.get("type") == "object":
        stricter["additionalProperties"] = False
    return stricter


DESCRIPTION = without_other_keys(json.loads(FILE.read_text()))
COMPONENTS = DESCRIPTION["components"]
RESPONSES = {
    operation["operationId"]: operation["responses"]
    for methods in DESCRIPTION["paths"].values()
    for operation in methods.values()
}


def error_of(answer: Any) -> tuple[int, str]:
    """Check the shape of an error, and return its status and its code."""
    assert answer["Content-Type"] == "application/json", answer.content
    body = answer.json()
    assert list(body) == ["error"], body
    error = body["error"]
    assert list(error) == ["code", "message", "retry_after", "limit"]
    assert isinstance(error["message"], str)
    assert error["message"]
    seconds = None if error["retry_after"] is None else str(error["retry_after"])
    assert answer.get("Retry-After") == seconds
    assert "no-store" in answer["Cache-Control"]
    return answer.status_code, error["code"]


def ask_ticket(user: Any, password: str = PASSWORD) -> Any:
    """Ask for a ticket with a password, and return the answer."""
    client = Client(enforce_csrf_checks=True)
    return post(client, "login", username=user.get_username(), password=password)


class TicketClient(Client):
    """A client that keeps no cookies, and sends its ticket with each request."""

    def __init__(self, ticket: str) -> None:
        super().__init__(enforce_csrf_checks=True)
        self.ticket = ticket

    def request(self, **request: Any) -> Any:
        self.cookies.clear()
        request.setdefault("HTTP_AUTHORIZATION", f"MFA-Ticket {self.ticket}")
        return super().request(**request)


def newest_code(bandwidth: Any) -> str:
    code: str = bandwidth.inbox[0]["code"]
    return code


def api_state(client: Any) -> str:
    state: str = get(client, "state").json()["state"]
    return state
