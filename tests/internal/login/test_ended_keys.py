"""Sessions in a cache: a slow request can write them again while they end."""

from __future__ import annotations

import time
from typing import Any

import pytest
import time_machine
from asgiref.sync import async_to_sync
from django.contrib.sessions.backends.base import SessionBase
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.test import AsyncClient, Client

from tests.browsing import give_password, let_in, state
from tests.conftest import make_user

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.parametrize("engine", ["cache", "cached_db"]),
]


@pytest.fixture
def seat(engine: str, client: Client, user: Any, bandwidth: Any, settings: Any) -> Client:
    """A browser in which a user is verified, on a site that keeps sessions in a cache."""
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    let_in(client, user)
    return client


def stored(session: SessionBase) -> tuple[str, Any]:
    """Return the cache's key and value of a session."""
    key: str = session.cache_key_prefix + session.session_key  # type: ignore[attr-defined]
    return key, caches["default"].get(key)


def bring_back(key: str, value: Any) -> str:
    """Write a session again, as a slow request does, and return the state that its old cookie
    has."""
    caches["default"].set(key, value)
    old = Client()
    old.cookies["sessionid"] = key[-32:]
    return state(old)


class FullCache(LocMemCache):
    """A cache that accepts no new value. A full Redis without eviction behaves like this."""

    is_full = False

    def set(self, *args: Any, **kwargs: Any) -> None:
        if self.is_full:
            raise RuntimeError("OOM command not allowed")
        super().set(*args, **kwargs)

    def has_key(self, *args: Any, **kwargs: Any) -> bool:
        if self.is_full:
            raise RuntimeError("OOM command not allowed")
        return bool(super().has_key(*args, **kwargs))


def log_out(client: Client) -> None:
    client.post("/accounts/logout/")


def step_up(client: Client, bandwidth: Any) -> None:
    client.post("/mfa/send/")
    client.post("/mfa/verify/?next=/account/", {"code": bandwidth.inbox[0]["code"]})
    assert state(client) == "verified"


@pytest.mark.standard("V7.4.1")
@pytest.mark.attack("P40")
def test_a_session_that_a_slow_request_brings_back_after_logout_lets_nobody_in(
    seat: Client,
) -> None:
    """Fails when logout does not note the ended key: Django's store writes the session that it has
    just read."""
    key, value = stored(seat.session)
    log_out(seat)
    assert bring_back(key, value) == "anonymous"


@pytest.mark.attack("P40")
def test_a_session_that_a_slow_request_brings_back_after_a_step_up_lets_nobody_in(
    seat: Client, bandwidth: Any, configure: Any
) -> None:
    """Fails when the claim does not note the ended key: the old key keeps a verified login."""
    configure(RESEND_COOLDOWN=[0])
    key, value = stored(seat.session)
    step_up(seat, bandwidth)
    assert bring_back(key, value) == "anonymous"
    assert state(seat) == "verified"


@pytest.mark.attack("P40")
def test_a_session_that_a_slow_request_brings_back_after_sign_out_everywhere_else_is_over(
    seat: Client,
) -> None:
    """Fails when signing out everywhere else does not note the ended key: the session would last as
    long as its mark is trusted."""
    key, value = stored(seat.session)
    seat.post("/mfa/sign-out-others/")
    assert bring_back(key, value) == "anonymous"
    assert state(seat) == "verified"


@pytest.mark.attack("P40")
def test_an_async_site_finds_nobody_in_a_session_that_came_back(seat: Client) -> None:
    """Fails when only the sync part of the middleware reads the note."""
    key, value = stored(seat.session)
    log_out(seat)
    caches["default"].set(key, value)
    old = AsyncClient()
    old.cookies["sessionid"] = key[-32:]
    answer = async_to_sync(old.get)("/awhoami/")
    assert answer.json() == {"user": "AnonymousUser", "state": "anonymous"}


@pytest.mark.attack("P40")
def test_a_session_that_came_back_does_not_slide_on_past_the_note(
    seat: Client, settings: Any
) -> None:
    """Fails when the note is read only if a view reads the user: a page that saves the session
    without reading the user would keep the session until the note has expired."""
    settings.SESSION_SAVE_EVERY_REQUEST = True
    with time_machine.travel(time.time(), tick=False) as clock:
        key, value = stored(seat.session)
        log_out(seat)
        assert bring_back(key, value) == "anonymous"
        caches["default"].set(key, value, settings.SESSION_COOKIE_AGE)
        old = Client()
        old.cookies["sessionid"] = key[-32:]
        for _ in range(4):
            clock.shift(settings.SESSION_COOKIE_AGE / 3)
            old.get("/")
        assert state(old) == "anonymous"


@pytest.mark.attack("P40")
def test_another_login_in_the_same_browser_ends_the_old_key_too(seat: Client) -> None:
    """Fails when only a logout notes the key: Django also empties the session when another user
    signs in."""
    key, value = stored(seat.session)
    give_password(seat, make_user("eve"))
    assert bring_back(key, value) == "anonymous"
    assert seat.get("/whoami/").json()["user"] == "eve"


def test_a_cache_that_takes_nothing_more_stops_no_logout(
    seat: Client, settings: Any, caplog: Any, engine: str
) -> None:
    """Fails when the error of the cache is not caught: Django then does not log out."""
    settings.CACHES = {
        "default": {"BACKEND": f"{__name__}.FullCache", "LOCATION": engine},
    }
    client = Client()
    client.force_login(make_user("eve"))
    old = Client()
    old.cookies["sessionid"] = client.cookies["sessionid"].value
    cache: Any = caches["default"]
    FullCache.is_full = True
    try:
        assert client.post("/accounts/logout/").status_code == 200
        assert "session note failed" in caplog.text
    finally:
        FullCache.is_full = False
    assert isinstance(cache, FullCache)
    assert state(old) == "anonymous"
