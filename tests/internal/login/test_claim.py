"""Claiming a session, on each kind of session store that Django has."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from django_bandwidth_mfa.internal.login.claim import claim

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.parametrize("engine", ["db", "cached_db", "cache", "file"]),
]


@pytest.fixture
def store(engine: str, settings: Any, tmp_path: Path) -> Any:
    """Return the class of the session store."""
    settings.SESSION_FILE_PATH = str(tmp_path)
    return import_module(f"django.contrib.sessions.backends.{engine}").SessionStore


@pytest.fixture
def session(store: Any) -> Any:
    """Return a session that is stored."""
    session = store()
    session["held"] = "something"
    session.save()
    return session


def test_a_stored_session_is_claimed_once(store: Any, session: Any) -> None:
    """Fails when a claim does not delete the stored session."""
    same = store(session.session_key)
    assert same["held"] == "something"
    assert claim(session)
    assert not claim(same)
    assert not store().exists(session.session_key)


def test_a_session_that_another_request_has_ended_is_not_claimed(store: Any, session: Any) -> None:
    """Fails when the claim uses the data in memory and not the stored session."""
    store(session.session_key).flush()
    assert session["held"] == "something"
    assert not claim(session)


def test_a_claimed_session_goes_on_under_a_new_key(store: Any, session: Any) -> None:
    old = session.session_key
    assert claim(session)
    session.cycle_key()
    assert session.session_key != old
    assert store(session.session_key)["held"] == "something"


def test_a_session_that_was_never_stored_is_not_claimed(store: Any) -> None:
    assert not claim(store())
