"""Calls of the JSON API, over Django's test client."""

from __future__ import annotations

from typing import Any

from django.test import Client

from tests.conftest import PASSWORD

API = "/mfa/api/"


def get(client: Any, address: str, **headers: str) -> Any:
    return client.get(API + address, headers=headers)


def post(client: Any, address: str, headers: dict[str, str] | None = None, **body: Any) -> Any:
    """POST ``body`` as JSON."""
    return client.post(API + address, body, content_type="application/json", headers=headers)


def error_of(answer: Any) -> tuple[int, str]:
    """Return the status and the code of an error, whose shape is checked on the way."""
    assert answer["Content-Type"] == "application/json", answer.content
    body = answer.json()
    assert list(body) == ["error"], body
    error = body["error"]
    assert list(error) == ["code", "message", "retry_after", "limit"]
    assert isinstance(error["message"], str)
    assert error["message"]
    told = None if error["retry_after"] is None else str(error["retry_after"])
    assert answer.get("Retry-After") == told
    assert "no-store" in answer["Cache-Control"]
    return answer.status_code, error["code"]


def ask_ticket(user: Any, password: str = PASSWORD) -> Any:
    """The answer to a login by ticket."""
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
