"""How connections are trusted, kept, shared and forgotten."""

from __future__ import annotations

import http.client
import logging
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from django_bandwidth_mfa.bandwidth import (
    BandwidthClient,
    BandwidthError,
    UnknownOutcome,
    Unreachable,
)
from django_bandwidth_mfa.bandwidth import transport as transport_module
from tests.bandwidth.servers import VERIFY, RawServer, answer, basic_client, sends, tunnel

PASS = answer(b'{"valid": true}')
PASS_AND_KEEP = answer(b'{"valid": true}', keep=True)


def error_of(client: BandwidthClient) -> BandwidthError:
    with pytest.raises(BandwidthError) as caught:
        client.verify(**VERIFY)
    return caught.value


@pytest.mark.attack("N3")
def test_a_certificate_that_nobody_signed_is_refused_and_nothing_is_sent(
    certificate: Path,
) -> None:
    """Fails with `verify=False` anywhere."""
    with RawServer(sends(PASS), certificate=certificate) as server:
        error = error_of(basic_client(server.url))
    assert type(error) is Unreachable
    assert server.requests == []
    assert server.connections == 1  # trying again would not make it trustworthy


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_environments_ca_bundle_is_read_once(
    name: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer(sends(PASS), certificate=certificate) as server:
        monkeypatch.setenv(name, str(certificate))
        client = basic_client(server.url)
        monkeypatch.delenv(name)
        assert client.verify(**VERIFY) is True


def test_a_ca_bundle_that_is_not_there_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with pytest.raises(ValueError, match=r"^REQUESTS_CA_BUNDLE "):
        basic_client("https://mfa.invalid")


def test_the_environments_proxy_is_read_once_and_carries_tls_untouched(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if proxies are read from the environment at each call."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with (
        RawServer(sends(PASS), certificate=certificate) as server,
        RawServer(tunnel(server.port)) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        client = basic_client(server.url)
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
        assert client.verify(**VERIFY) is True
    assert proxy.requests[0].startswith(f"CONNECT {server.url[8:]} ".encode())
    assert b"Authorization" not in proxy.requests[0]
    assert b"Authorization: Basic " in server.requests[0]


def test_no_proxy_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with RawServer(sends(PASS)) as server:
        assert basic_client(server.url).verify(**VERIFY) is True


def test_a_proxy_that_refuses_means_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(sends(answer(b"", "407 Proxy Authentication Required"))) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert type(error_of(basic_client("https://mfa.invalid"))) is Unreachable
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert type(error_of(basic_client("https://mfa.invalid"))) is Unreachable


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "https", "ftp"])
def test_a_proxy_that_no_deadline_could_bound_is_refused_at_once(
    scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://user:hush@127.0.0.1:1080")
    with pytest.raises(ValueError, match="proxy") as caught:
        basic_client("https://mfa.invalid")
    assert "hush" not in str(caught.value)


def test_connections_are_kept_and_used_again() -> None:
    with RawServer(sends(PASS_AND_KEEP), keep_alive=True) as server:
        client = basic_client(server.url)
        for _ in range(3):
            assert client.verify(**VERIFY) is True
        assert server.connections == 1


def test_a_connection_that_idled_too_long_is_not_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fails if `is_connected` no longer looks at the age."""
    with RawServer(sends(PASS_AND_KEEP), keep_alive=True) as server:
        client = basic_client(server.url)
        assert client.verify(**VERIFY) is True
        monkeypatch.setattr(transport_module, "MAX_IDLE", 0.0)
        assert client.verify(**VERIFY) is True
        assert server.connections == 2


def test_a_connection_that_the_server_closed_while_idle_is_not_used_again() -> None:
    with RawServer(sends(PASS_AND_KEEP)) as server:  # and closes all the same
        client = basic_client(server.url)
        for expected in (1, 2, 3):
            assert client.verify(**VERIFY) is True
            while server._threads[-1].is_alive():
                time.sleep(0.001)
            assert server.connections == expected


@pytest.mark.attack("N4")
def test_a_late_answer_is_never_read_as_the_next_ones() -> None:
    """Fails if a connection whose answer was not read whole goes back to the pool."""

    def late(connection: socket.socket) -> None:
        time.sleep(0.15)
        connection.sendall(PASS_AND_KEEP)

    with RawServer(late, sends(answer(b'{"valid": false}', keep=True)), keep_alive=True) as server:
        client = basic_client(server.url, read_timeout=0.1)
        assert type(error_of(client)) is UnknownOutcome
        time.sleep(0.1)
        assert client.verify(**VERIFY) is False
        assert server.connections == 2


def test_threads_share_a_client() -> None:
    results: list[bool] = []
    with RawServer(sends(PASS_AND_KEEP), keep_alive=True) as server:
        client = basic_client(server.url)
        threads = [
            threading.Thread(target=lambda: results.append(client.verify(**VERIFY)))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
    assert results == [True] * 8


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_opens_its_own_connections() -> None:
    """Fails if `PerProcess.get` no longer compares the process id."""
    with RawServer(sends(PASS_AND_KEEP), keep_alive=True) as server:
        client = basic_client(server.url)
        assert client.verify(**VERIFY) is True
        child = os.fork()
        if child == 0:
            os._exit(0 if client.verify(**VERIFY) is True else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert server.connections == 2
        assert client.verify(**VERIFY) is True  # the parent's own still works
        assert server.connections == 2


@pytest.mark.attack("T7")
def test_debug_logs_and_http_clients_debugging_show_no_secret(
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fails if our connections obey http.client's `debuglevel`, or a secret moves into the URL."""
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    caplog.set_level(logging.DEBUG)
    with RawServer(sends(PASS)) as server:
        assert basic_client(server.url).verify(**VERIFY) is True
    assert "/accounts/9900000/code/verify" in caplog.text  # there was something to look at
    shown = caplog.text + capsys.readouterr().out
    for secret in ("735190", "+19195551234", "Authorization", "Basic"):
        assert secret not in shown
