"""Calls to servers that are slow, hang, send too much, disconnect or do not speak HTTP."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest

from django_bandwidth_mfa.bandwidth import (
    InvalidResponse,
    UnknownOutcome,
    Unreachable,
)
from django_bandwidth_mfa.bandwidth.secret import Secret
from django_bandwidth_mfa.bandwidth.transport import Answer, Deadline, Failure, Transport
from tests.bandwidth.servers import VERIFY, RawServer, answer, basic_client, drips, error_of, sends

PASS = answer(b'{"valid": true}')
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

DRIPS = {
    "status line": drips(b"", b"H"),
    "headers": drips(HEAD, b"X-Drip: 1\r\n"),
    "one header": drips(HEAD + b"X-Drip: ", b"1"),
    "100 Continue": drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": drips(HEAD + b"Content-Length: 5000\r\n\r\n", b" "),
    "endless body": drips(HEAD + b"\r\n", b" "),
    "chunks": drips(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "chunk size": drips(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
}


@pytest.mark.slow
@pytest.mark.attack("N7")
@pytest.mark.parametrize("name", DRIPS)
def test_a_dripping_server_is_left_when_the_total_time_is_over(name: str) -> None:
    """Fails if the reader of answers no longer asks how much time is left around each read."""
    with RawServer(DRIPS[name]) as server:
        client = basic_client(server.url, read_timeout=1, total_timeout=0.4)
        started = time.monotonic()
        error = error_of(client)
        assert time.monotonic() - started < 1.4
    assert type(error) is UnknownOutcome
    assert len(server.requests) == 1  # what may have arrived is never sent again


@pytest.mark.slow
@pytest.mark.parametrize("name", ["headers", "body"])
def test_a_server_dripping_over_tls_is_left_as_well(
    name: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if only the plain connection class has a time limit."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with RawServer(DRIPS[name], certificate=certificate) as server:
        client = basic_client(server.url, read_timeout=1, total_timeout=0.3)
        started = time.monotonic()
        error = error_of(client)
        assert time.monotonic() - started < 1.3
    assert type(error) is UnknownOutcome
    assert len(server.requests) == 1


@pytest.mark.slow
def test_a_proxy_that_drips_its_answer_to_connect_is_left_and_nothing_was_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fails if the proxy's answer to CONNECT is read without the limits."""
    with RawServer(drips(b"HTTP/1.1 200 OK\r\n", b"X-Drip: 1\r\n")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        client = basic_client("https://mfa.invalid", connect_timeout=1, total_timeout=0.15)
        started = time.monotonic()
        error = error_of(client)
        assert time.monotonic() - started < 1.2
    assert type(error) is Unreachable


@pytest.mark.slow
def test_a_tls_handshake_behind_a_slow_proxy_gets_only_the_time_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fails if the socket's time-out is not cut after a read: the call then takes 0.7 seconds."""

    def slow_then_silent(connection: socket.socket) -> None:
        time.sleep(0.3)
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        connection.recv(65536)
        connection.recv(65536)

    with RawServer(slow_then_silent) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        client = basic_client("https://mfa.invalid", connect_timeout=5, total_timeout=0.4)
        started = time.monotonic()
        error = error_of(client)
        assert time.monotonic() - started < 0.6
    assert type(error) is Unreachable


@pytest.mark.slow
def test_a_tls_handshake_that_hangs_is_left_and_nothing_was_sent() -> None:
    with RawServer(sends(b"")) as server:
        url = server.url.replace("http:", "https:")
        client = basic_client(url, connect_timeout=1, total_timeout=0.15)
        started = time.monotonic()
        error = error_of(client)
        assert time.monotonic() - started < 1.2
    assert type(error) is Unreachable


@pytest.mark.parametrize(("read", "total"), [(0.1, 30), (30, 0.1)])
def test_a_silent_server_is_left_after_the_shorter_time_out(read: float, total: float) -> None:
    """Fails if only one of the two is kept, or the first read does not ask for the time left."""
    with RawServer(drips(b"", b"")) as server:
        client = basic_client(server.url, read_timeout=read, total_timeout=total)
        started = time.monotonic()
        error = error_of(client)
        assert time.monotonic() - started < 1
    assert type(error) is UnknownOutcome
    assert len(server.requests) == 1


def _dead_addresses(
    listeners: list[socket.socket],
) -> list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int]]]:
    """Addresses whose accept queue is full, so that connecting to them hangs."""
    addresses = []
    for _ in range(5):
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        listeners.append(listener)
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            listeners.append(filler)
        address = listener.getsockname()
        addresses.append((socket.AF_INET, socket.SOCK_STREAM, 6, "", address))
    return addresses


@pytest.mark.slow
def test_many_dead_addresses_of_one_name_share_the_total_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fails if every address gets the whole connect time-out, as urllib3 does it by itself."""
    sockets: list[socket.socket] = []
    dead = _dead_addresses(sockets)
    resolve = socket.getaddrinfo

    def getaddrinfo(host: str, *args: Any, **kwargs: Any) -> object:
        return dead if host == "mfa.invalid" else resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    client = basic_client("http://mfa.invalid:1", connect_timeout=0.25, total_timeout=0.4)
    started = time.monotonic()
    error = error_of(client)
    assert time.monotonic() - started < 1
    assert type(error) is Unreachable
    for sock in sockets:
        sock.close()


@pytest.mark.attack("N5")
@pytest.mark.parametrize(
    "flood",
    [
        HEAD + b"Content-Length: 10000000000\r\n\r\n" + b" " * 200_000,
        HEAD + b"\r\n" + b" " * 200_000,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"8000\r\n" + b" " * 200_000,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 200_000,
        HEAD + (b"X-Flood: " + b"x" * 5000 + b"\r\n") * 40,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 8000,
    ],
    ids=["length", "until close", "chunked", "chunk size", "headers", "100 Continue"],
)
def test_an_answer_over_the_cap_is_invalid(flood: bytes) -> None:
    """Fails if the bytes of an answer are no longer counted."""
    with RawServer(sends(flood)) as server:
        error = error_of(basic_client(server.url, total_timeout=3))
    assert type(error) is InvalidResponse
    assert error.may_have_arrived is True
    assert "too long" in str(error)


def test_a_flood_in_odd_pieces_is_too_long_as_well() -> None:
    """Fails if the cap is noticed only where a read ends exactly on it."""

    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        time.sleep(0.05)  # so that the head is read by itself
        connection.sendall(b"x" * 100_000)

    with RawServer(flood) as server:
        error = error_of(basic_client(server.url, total_timeout=3))
        # Sent is sent: a second request would be a second message.
        assert len(server.requests) == 1
    assert type(error) is InvalidResponse
    assert "too long" in str(error)


@pytest.mark.parametrize(
    "garbage", [b"SSH-2.0-OpenSSH_9.9\r\n", b"\r\n\r\n", b"HTTP/9 yes\r\n\r\n"]
)
def test_an_answer_that_is_not_http_is_invalid(garbage: bytes) -> None:
    with RawServer(sends(garbage)) as server:
        error = error_of(basic_client(server.url))
    assert type(error) is InvalidResponse
    assert error.may_have_arrived is True


@pytest.mark.parametrize(
    "start", [b"", b"HTTP/1.1 200 OK\r\n", PASS[:-1], PASS[: PASS.index(b"{")]], ids=len
)
def test_a_connection_dropped_after_sending_has_an_unknown_outcome(start: bytes) -> None:
    """Fails if a request is retried, or `{"valid": true` cut short is read as a whole answer."""
    with RawServer(sends(start)) as server:
        error = error_of(basic_client(server.url))
    assert error.may_have_arrived is True
    assert len(server.requests) == 1


def test_a_reset_after_sending_has_an_unknown_outcome() -> None:
    def reset(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()

    with RawServer(reset) as server:
        assert type(error_of(basic_client(server.url))) is UnknownOutcome
    assert len(server.requests) == 1


def test_no_listener_means_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    error = error_of(basic_client(f"http://127.0.0.1:{port}"))
    assert type(error) is Unreachable
    assert "ConnectionRefusedError" in str(error)


def test_a_name_that_does_not_resolve_means_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*args: object, **kwargs: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    error = error_of(basic_client("https://mfa.invalid"))
    assert type(error) is Unreachable
    assert "could not be resolved" in str(error)


def test_an_attempt_that_failed_before_sending_is_made_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fails if `Transport.post` does not try again, or tries for ever."""
    resolve = socket.getaddrinfo
    failed: list[object] = []

    def getaddrinfo(*args: Any, **kwargs: Any) -> object:
        if len(failed) < 3:
            failed.append(args)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return resolve(*args, **kwargs)

    with RawServer(sends(PASS)) as server:
        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        client = basic_client(server.url)
        assert type(error_of(client)) is Unreachable
        assert len(failed) == 2
        assert client.verify(**VERIFY) is True
    assert len(failed) == 3
    assert len(server.requests) == 1


def test_a_proxy_without_a_host_means_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if what goes wrong before there is a connection counts as sent."""
    monkeypatch.setenv("HTTPS_PROXY", "http://")
    error = error_of(basic_client("https://mfa.invalid"))
    assert type(error) is Unreachable
    assert "InvalidProxyURL" in str(error)


def test_a_ca_bundle_that_disappears_means_unreachable(
    certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(certificate.read_bytes())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    with RawServer(sends(PASS), certificate=certificate) as server:
        client = basic_client(server.url)
        bundle.unlink()
        assert type(error_of(client)) is Unreachable
    assert server.requests == []


def test_a_name_that_cannot_be_looked_up_means_unreachable() -> None:
    error = error_of(basic_client(f"http://{'x' * 64}.invalid"))
    assert type(error) is Unreachable


class _EndsBeforeWriting(Deadline):
    """A deadline that is over when it is asked for the second time in an attempt."""

    def __init__(self) -> None:
        super().__init__(60)
        self._asked = 0

    def remaining(self) -> float:
        self._asked += 1
        return 60.0 if self._asked == 1 else 0.0


def test_a_time_that_is_over_before_writing_on_a_kept_connection_means_not_sent() -> None:
    """Fails if the request counts as sent before the last look at the time that is left."""
    with RawServer(sends(answer(b"{}", keep=True)), keep_alive=True) as server:
        transport = Transport(server.url, connect_timeout=1, read_timeout=1)

        def post(deadline: Deadline) -> Answer | Failure:
            return transport.post(
                server.url,
                body=Secret(b"{}"),
                content_type="application/json",
                authorization=Secret("Basic x"),
                deadline=deadline,
            )

        assert isinstance(post(Deadline(5)), Answer)
        outcome = post(_EndsBeforeWriting())
        transport.close()
    assert isinstance(outcome, Failure)
    assert outcome.sent is False
    assert len(server.requests) == 1
    assert server.connections == 1
