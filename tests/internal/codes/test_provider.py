"""The registry of configured clients and circuit breakers."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from django.views.debug import ExceptionReporter

from django_bandwidth_mfa.internal.codes import provider
from django_bandwidth_mfa.internal.codes.provider import Registry


class Thing:
    """An object with a configuration, which remembers that it was closed."""

    def __init__(self, **configuration: Any) -> None:
        self.configuration = configuration
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def registry() -> Registry[Thing]:
    return Registry(Thing, close=Thing.close, most=2)


def test_one_object_is_kept_for_each_configuration(registry: Registry[Thing]) -> None:
    first = registry.get(host="a", port=1)
    assert registry.get(port=1, host="a") is first
    assert registry.get(host="a", port="1") is not first
    assert not first.is_closed


def test_the_oldest_object_is_closed_when_there_are_too_many(registry: Registry[Thing]) -> None:
    """Fails when an object that is dropped is left open."""
    things = [registry.get(number=number) for number in range(3)]
    assert [thing.is_closed for thing in things] == [True, False, False]
    assert registry.get(number=0) is not things[0]


def test_a_closed_registry_has_closed_and_forgotten_each_object(registry: Registry[Thing]) -> None:
    things = [registry.get(number=number) for number in range(2)]
    registry.close()
    assert all(thing.is_closed for thing in things)
    assert registry.get(number=1) is not things[1]


def test_no_key_of_the_registry_shows_a_secret(configure: Any) -> None:
    """Fails when the configuration itself is the key."""
    configure(CLIENT_SECRET="do-not-show-me")
    provider.client()
    assert b"do-not-show-me" not in pickle.dumps(list(provider.clients.__dict__["_kept"]))
    assert "do-not-show-me" not in repr(provider.clients.__dict__)


def test_another_secret_makes_another_client(configure: Any) -> None:
    """Fails when the key leaves out secrets: the app would not use a secret that was changed."""
    configure(CLIENT_SECRET="the old one")
    before = provider.client()
    configure(CLIENT_SECRET="the new one")
    assert provider.client() is not before


def test_the_client_keeps_as_many_connections_as_calls_are_made_at_once(configure: Any) -> None:
    """Fails when the pool keeps its default size: each call beyond that size would open a new
    connection."""
    configure(MAX_CONCURRENT_CALLS=17)
    pool = provider.client()._transport._adapter.get().poolmanager
    assert pool.connection_pool_kw["maxsize"] == 17


@pytest.mark.django_db
def test_a_wrong_configuration_shows_no_secret_in_an_error_report(
    configure: Any, monkeypatch: Any, rf: Any
) -> None:
    """Fails when the configuration is a local variable that an error page prints."""
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "socks5://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    configure(CLIENT_SECRET="not-in-any-report")
    with pytest.raises(ValueError, match="proxy") as caught:
        provider.client()
    reporter = ExceptionReporter(rf.get("/"), caught.type, caught.value, caught.tb)
    shown = [
        (frame["function"], name)
        for frame in reporter.get_traceback_frames()
        if "/tests/" not in frame["filename"]
        for name, value in frame["vars"]
        if "not-in-any-report" in repr(value)
    ]
    assert shown == []
