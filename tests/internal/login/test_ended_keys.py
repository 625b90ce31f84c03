"""Sessions in a cache, which a request can bring back while they end."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.sessions.backends.base import SessionBase
from django.core.cache import caches
from django.test import Client

from tests.browsing import sign_in, state

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.parametrize("engine", ["cache", "cached_db"]),
]


@pytest.fixture
def seat(engine: str, client: Client, user: Any, bandwidth: Any, settings: Any) -> Client:
    """A browser in which a user is verified, on a site that keeps sessions in a cache."""
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    sign_in(client, user, bandwidth)
    return client


def stored(session: SessionBase) -> tuple[str, Any]:
    """The cache's key and value of a session."""
    key: str = session.cache_key_prefix + session.session_key  # type: ignore[attr-defined]
    return key, caches["default"].get(key)


def bring_back(key: str, value: Any, page: str = "/whoami/") -> str:
    """Write a session again, as a slow request does; the state that its old cookie finds."""
    caches["default"].set(key, value)
    old = Client()
    old.cookies["sessionid"] = key[-32:]
    found: str = old.get(page).json()["state"]
    return found


def log_out(client: Client) -> None:
    client.post("/accounts/logout/")


def step_up(client: Client, bandwidth: Any) -> None:
    client.post("/mfa/send/")
    client.post("/mfa/verify/?next=/account/", {"code": bandwidth.inbox[0]["code"]})
    assert state(client) == "verified"


@pytest.mark.attack("P40")
def test_a_session_that_a_slow_request_brings_back_after_logout_lets_nobody_in(
    seat: Client,
) -> None:
    """Fails without the note at logout: Django's store writes what it has just found there."""
    key, value = stored(seat.session)
    log_out(seat)
    assert bring_back(key, value) == "anonymous"


@pytest.mark.attack("P40")
def test_a_session_that_a_slow_request_brings_back_after_a_step_up_lets_nobody_in(
    seat: Client, bandwidth: Any, configure: Any
) -> None:
    """Fails without the note at the claim: the old key keeps a verified login."""
    configure(RESEND_COOLDOWN=[0])
    key, value = stored(seat.session)
    step_up(seat, bandwidth)
    assert bring_back(key, value) == "anonymous"
    assert state(seat) == "verified"


@pytest.mark.attack("P40")
def test_a_session_that_a_slow_request_brings_back_after_sign_out_everywhere_else_is_over(
    seat: Client,
) -> None:
    """Fails without the note there: it lasts as long as its mark is trusted."""
    key, value = stored(seat.session)
    seat.post("/mfa/sign-out-others/")
    assert bring_back(key, value) == "anonymous"
    assert state(seat) == "verified"


@pytest.mark.attack("P40")
def test_an_async_view_finds_nobody_in_a_session_that_came_back(seat: Client) -> None:
    """Fails when only the mark is asked about."""
    key, value = stored(seat.session)
    log_out(seat)
    assert bring_back(key, value, "/awhoami/") == "anonymous"
