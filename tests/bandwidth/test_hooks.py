"""The methods of requests, urllib3 and http.client that a call's time limit depends on.

The client replaces some of their methods with its own. If an upgrade renames one, or no longer
calls it, a limit of half a second would silently become several seconds. These tests must fail
then, and the client must refuse to go on.
"""

from __future__ import annotations

import functools
import http.client
import socket
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
import urllib3
from urllib3.connection import HTTPConnection

from django_bandwidth_mfa.bandwidth import (
    InvalidResponse,
    UnknownOutcome,
    Unreachable,
)
from django_bandwidth_mfa.bandwidth import transport as ours
from tests.bandwidth.servers import (
    VERIFY,
    RawServer,
    answer,
    basic_client,
    drips,
    error_of,
    sends,
    tunnel,
)

PASS_AND_KEEP = answer(b'{"valid": true}', keep=True)
DRIP = drips(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b" ")

# Our class, the class of the library, and what ours replaces in it.
REPLACED: list[tuple[type, type, set[str]]] = [
    (
        ours._Adapter,
        requests.adapters.HTTPAdapter,
        {"get_connection_with_tls_context", "proxy_manager_for"},
    ),
    (ours._Pool, urllib3.HTTPConnectionPool, {"ConnectionCls"}),
    (ours._TLSPool, urllib3.HTTPSConnectionPool, {"ConnectionCls"}),
    (
        ours._BoundedConnection,
        HTTPConnection,
        {"_new_conn", "debuglevel", "is_connected", "putrequest", "response_class"},
    ),
    (ours._Response, http.client.HTTPResponse, {"begin"}),
]


@pytest.mark.parametrize(
    ("own", "base", "names"), REPLACED, ids=[own.__name__ for own, _, _ in REPLACED]
)
def test_what_the_client_replaces_exists_in_the_installed_libraries(
    own: type, base: type, names: set[str]
) -> None:
    """Tried: misspelling the connection's method that opens a socket makes this fail.

    So does adding a replacement that is not listed above.
    """
    replaced = {name for name in vars(own) if name in dir(base) and not name.startswith("__")}
    assert replaced - {"_abc_impl"} == names  # Python's own, in each abstract class


def test_the_managers_of_pools_have_what_the_client_sets() -> None:
    for manager in (urllib3.PoolManager(), urllib3.ProxyManager("http://127.0.0.1:1")):
        assert hasattr(manager, "pool_classes_by_scheme")
        assert hasattr(manager.pools, "dispose_func")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each method of ours was called. Each still does its work."""
    counter: Counter[str] = Counter()

    def count(own: type, name: str) -> None:
        original = getattr(own, name)
        is_property = isinstance(original, property)
        function: Callable[..., object] = original.__get__ if is_property else original

        @functools.wraps(function)
        def counted(*args: object, **kwargs: object) -> object:
            counter[f"{own.__name__.lstrip('_')}.{name}"] += 1
            return function(*args, **kwargs)

        monkeypatch.setattr(own, name, property(counted) if is_property else counted)

    count(ours._Adapter, "get_connection_with_tls_context")
    count(ours._Adapter, "proxy_manager_for")
    count(ours._Pool, "__init__")
    count(ours._TLSPool, "__init__")
    count(ours._BoundedConnection, "_new_conn")
    count(ours._BoundedConnection, "is_connected")
    count(ours._BoundedConnection, "putrequest")
    count(ours._Response, "__init__")
    count(ours._Response, "begin")
    count(ours._BoundedReader, "readinto")
    return counter


def test_two_calls_in_plain_http_go_through_every_replacement(calls: Counter[str]) -> None:
    """Tried: each of these names misspelt in the client makes this test or the first one fail."""
    with RawServer(sends(PASS_AND_KEEP), keep_alive=True) as server:
        with basic_client(server.url) as client:
            assert client.verify(**VERIFY) is True
            assert client.verify(**VERIFY) is True
        assert server.connections == 1
    reads = calls.pop("BoundedReader.readinto")
    assert reads >= 2
    assert calls == {
        "Adapter.get_connection_with_tls_context": 2,
        "Pool.__init__": 1,
        "BoundedConnection._new_conn": 1,
        "BoundedConnection.is_connected": 1,  # before the second call
        "BoundedConnection.putrequest": 2,
        "Response.__init__": 2,
        "Response.begin": 2,
    }


def test_a_call_in_tls_through_a_proxy_goes_through_every_replacement(
    calls: Counter[str], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tried: leaving out the TLS pool class, or the classes of a proxy's pools, makes this fail."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with (
        RawServer(sends(PASS_AND_KEEP), keep_alive=True, certificate=certificate) as server,
        RawServer(tunnel(server.port)) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with basic_client(server.url) as client:
            assert client.verify(**VERIFY) is True
        assert proxy.connections == 1
    assert calls.pop("BoundedReader.readinto") >= 2
    assert calls.pop("Response.begin") >= 1  # CONNECT's answer is read in parts
    assert calls == {
        "Adapter.get_connection_with_tls_context": 1,
        "Adapter.proxy_manager_for": 1,
        "TLSPool.__init__": 1,
        "BoundedConnection._new_conn": 1,
        "BoundedConnection.putrequest": 1,
        "Response.__init__": 2,
    }


@pytest.mark.slow
@pytest.mark.parametrize("way", ["plain", "tls", "proxy"])
def test_half_a_second_stays_half_a_second(
    way: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server drips for three seconds, and each byte comes well within the read time-out.

    Tried: without the reader that asks for the time left, each case takes three seconds.
    """
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with (
        RawServer(DRIP, certificate=None if way == "plain" else certificate) as server,
        RawServer(tunnel(server.port)) as proxy,
    ):
        if way == "proxy":
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        client = basic_client(server.url, read_timeout=1.9, total_timeout=0.5)
        started = time.monotonic()
        assert type(error_of(client)) is UnknownOutcome
        assert time.monotonic() - started < 1.5
    assert proxy.connections == (1 if way == "proxy" else 0)


# Below, the libraries are changed as a later version might change them.


def test_other_pools_than_ours_are_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tried: without the look at the pool's class, the call passes without a limit."""
    monkeypatch.setattr(
        urllib3.PoolManager,
        "_new_pool",
        lambda self, scheme, host, port, **_: urllib3.HTTPConnectionPool(host, port),
    )
    with RawServer(sends(PASS_AND_KEEP), keep_alive=True) as server:
        error = error_of(basic_client(server.url))
        assert type(error) is Unreachable
        assert "install versions" in str(error)
        assert server.connections == 0


def test_a_socket_that_urllib3_opened_itself_is_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tried: without the look at who opened the socket, the call passes."""

    def connect(self: HTTPConnection) -> None:
        self.sock = socket.create_connection((self.host, self.port))

    monkeypatch.setattr(HTTPConnection, "connect", connect)
    with RawServer(sends(PASS_AND_KEEP), keep_alive=True) as server:
        error = error_of(basic_client(server.url))
        assert type(error) is Unreachable
        assert "install versions" in str(error)
        assert server.requests == []


def test_an_answer_that_http_client_read_itself_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tried: without the look at who read the answer, the call passes without a limit."""
    getresponse = HTTPConnection.getresponse

    def without_our_class(self: HTTPConnection) -> urllib3.HTTPResponse:
        self.response_class = http.client.HTTPResponse
        return getresponse(self)

    monkeypatch.setattr(HTTPConnection, "getresponse", without_our_class)
    with RawServer(sends(PASS_AND_KEEP), keep_alive=True) as server:
        error = error_of(basic_client(server.url))
        assert type(error) is InvalidResponse
        assert error.may_have_arrived is True
        assert "install versions" in str(error)
        assert len(server.requests) == 1


def test_an_answer_to_a_request_that_urllib3_began_itself_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tried: without the look at whether the request was seen, the call passes."""
    request: Callable[..., None] = HTTPConnection.request

    def without_our_method(self: HTTPConnection, *args: object, **kwargs: object) -> None:
        vars(self)["putrequest"] = functools.partial(HTTPConnection.putrequest, self)
        request(self, *args, **kwargs)

    monkeypatch.setattr(HTTPConnection, "request", without_our_method)
    with RawServer(sends(PASS_AND_KEEP), keep_alive=True) as server:
        error = error_of(basic_client(server.url))
        assert type(error) is InvalidResponse
        assert error.may_have_arrived is True
        assert "install versions" in str(error)
        assert len(server.requests) == 1
