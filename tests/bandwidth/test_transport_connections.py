"""How connections are trusted, kept, shared and forgotten."""

from __future__ import annotations

import http.client
import io
import logging
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from django_bandwidth_mfa.bandwidth import (
    InvalidResponse,
    UnknownOutcome,
    Unreachable,
)
from django_bandwidth_mfa.bandwidth import transport as transport_module
from tests.bandwidth.servers import VERIFY, RawServer, answer, basic_client, error_of, sends, tunnel

PASS = answer(b'{"valid": true}')
PASS_AND_KEEP = answer(b'{"valid": true}', keep=True)


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
    with pytest.raises(ValueError, match=r" REQUESTS_CA_BUNDLE names a file that does not exist"):
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


def test_as_many_connections_are_kept_as_the_client_is_told() -> None:
    """Fails when the pool has the size of requests' default, 10: the others connect again."""
    at_once = 12
    together = threading.Barrier(at_once)

    def answer_together(connection: socket.socket) -> None:
        together.wait(10)
        connection.sendall(PASS_AND_KEEP)

    with (
        RawServer(answer_together, keep_alive=True) as server,
        basic_client(server.url, max_connections=at_once) as client,
        ThreadPoolExecutor(at_once) as threads,
    ):
        for _ in range(2):
            calls = [threads.submit(client.verify, **VERIFY) for _ in range(at_once)]
            assert [call.result() for call in calls] == [True] * at_once
        assert server.connections == at_once


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


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.attack("N4")
@pytest.mark.parametrize("way", ["plain", "tls"])
@pytest.mark.parametrize("status", ["101 Switching Protocols", "102 Processing", "103 Early Hints",
                                    "199 Odd", "204 No Content", "304 Not Modified"])  # fmt: skip
def test_after_an_answer_without_a_body_the_next_user_is_asked_for_on_a_new_connection(
    status: str, way: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails without a check of the status: the second call reads the first call's answer.

    Its bytes arrive late, so no look at the kept connection before the second call can find them.
    """
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    asked_again = threading.Event()

    def early(connection: socket.socket) -> None:
        connection.sendall(f"HTTP/1.1 {status}\r\n\r\n".encode())
        if asked_again.wait(5):
            connection.sendall(PASS_AND_KEEP)

    def second(connection: socket.socket) -> None:
        connection.sendall(answer(b'{"valid": false}', keep=True))

    with RawServer(
        early, second, keep_alive=True, certificate=certificate if way == "tls" else None
    ) as server:
        client = basic_client(server.url)
        error = error_of(client)
        assert type(error) is InvalidResponse
        assert status[:3] in str(error)
        assert error.may_have_arrived is True
        timer = threading.Timer(0.1, asked_again.set)
        timer.start()
        assert client.verify(**VERIFY) is False
        timer.join()
        assert server.connections == 2


_HEAD = answer(b'{"valid": true}'.ljust(100), "200 OK", "X: ", keep=True)
FILLER = "X: " + "x" * (io.DEFAULT_BUFFER_SIZE - len(_HEAD))
YES_AND_MORE = {
    "right after it": PASS_AND_KEEP + PASS_AND_KEEP[:20],
    # The answer fills the reader's buffer, so what follows is still in the socket.
    "in the socket": answer(b'{"valid": true}'.ljust(100), "200 OK", FILLER, keep=True) + b"HTTP",
    "after chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'f\r\n{"valid": true}\r\n0\r\n\r\nHTTP/1.1'
    ),
    "after no body": answer(b"", keep=True) + b"HTTP/1.1",
    "after a refusal": answer(b'{"error": "x"}', "400 Bad Request", keep=True) + b"HTTP/1.1",
    "and closed": PASS + b"HTTP/1.1",
}


@pytest.mark.attack("N4")
@pytest.mark.parametrize("way", ["plain", "tls"])
@pytest.mark.parametrize("name", YES_AND_MORE)
def test_an_answer_with_bytes_after_its_end_counts_for_nothing_and_ends_the_connection(
    name: str, way: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails without `_Buffer.close`: the client then accepts the positive answer.

    "in the socket" fails also where only the buffer is looked at.
    """
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with RawServer(
        sends(YES_AND_MORE[name]),
        sends(answer(b'{"valid": false}', keep=True)),
        keep_alive=True,
        certificate=certificate if way == "tls" else None,
    ) as server:
        client = basic_client(server.url)
        error = error_of(client)
        assert type(error) is InvalidResponse
        assert error.may_have_arrived is True
        assert client.verify(**VERIFY) is False
        assert server.connections == 2


@pytest.mark.attack("N4")
def test_a_final_answer_after_100_continue_is_read() -> None:
    """Fails if every 1xx is refused: 100 is the one that HTTP lets a server send unasked."""
    handler = sends(b"HTTP/1.1 100 Continue\r\n\r\n" + PASS_AND_KEEP)
    with RawServer(handler, keep_alive=True) as server:
        client = basic_client(server.url)
        assert client.verify(**VERIFY) is True
        assert client.verify(**VERIFY) is True
        assert server.connections == 1


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
