"""Servers that misbehave on purpose, on loopback."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from django_bandwidth_mfa.bandwidth import BandwidthClient, BandwidthError

Handler = Callable[[socket.socket], None]

NUMBERS: dict[str, Any] = {
    "to": "+19195551234",
    "from_": "+19195554321",
    "application_id": "1234-asdf",
}
VERIFY: dict[str, Any] = {**NUMBERS, "code": "735190", "digits": 6, "expiration_minutes": 3}
SEND: dict[str, Any] = {**NUMBERS, "message": "Your {NAME} {SCOPE} code is {CODE}", "digits": 6}


def basic_client(base_url: str, **options: Any) -> BandwidthClient:
    return BandwidthClient(
        **{
            "account_id": "9900000",
            "username": "api-user",
            "password": "pass-wörd",
            "base_url": base_url,
            **options,
        }
    )


def error_of(client: BandwidthClient) -> BandwidthError:
    """Return the error that a call of `client` raises."""
    with pytest.raises(BandwidthError) as caught:
        client.verify(**VERIFY)
    return caught.value


def answer(body: bytes, status: str = "200 OK", *headers: str, keep: bool = False) -> bytes:
    """A JSON answer. With `keep` it leaves the connection open, as `RawServer(keep_alive=True)`.

    Without, it says `Connection: close`: a client may take a connection that a server closes
    unannounced for a live one.
    """
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(body)}", *headers]
    lines += [] if keep else ["Connection: close"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def sends(data: bytes) -> Handler:
    return lambda connection: connection.sendall(data)


def drips(head: bytes, drop: bytes, every: float = 0.02) -> Handler:
    """Sends `head`, then `drop` again and again for three seconds at most."""

    def handle(connection: socket.socket) -> None:
        ends = time.monotonic() + 3
        connection.sendall(head)
        while time.monotonic() < ends:
            connection.sendall(drop)
            time.sleep(every)

    return handle


def tunnel(target: int) -> Handler:
    """A proxy's answer to CONNECT: a pipe to a port of loopback."""

    def handle(connection: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", target)) as server:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(server, connection))
            back.start()
            _pump(connection, server)
            back.join(5)

    return handle


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return


class RawServer:
    """Reads requests whole and answers each with the next of `handlers`, the last one for ever.

    After a handler the connection stays open for the next request if `keep_alive`.
    """

    def __init__(
        self, *handlers: Handler, keep_alive: bool = False, certificate: Path | None = None
    ) -> None:
        self._handlers = list(handlers)
        self._keep_alive = keep_alive
        self._context: ssl.SSLContext | None = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._threads: list[threading.Thread] = []
        self.open: list[socket.socket] = []
        self.requests: list[bytes] = []
        self.connections = 0

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the accept
        self._listener.close()
        for connection in self.open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        assert not any(thread.is_alive() for thread in self._threads)

    def wait_until_left(self) -> None:
        """Wait until every connection so far has ended. Fails after five seconds."""
        for thread in self._threads[1:]:
            thread.join(5)
            assert not thread.is_alive()

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.append(connection)
            self._start(self._serve, connection)

    def _serve(self, plain: socket.socket) -> None:
        connection = plain
        try:
            if self._context is not None:
                connection = self._context.wrap_socket(plain, server_side=True)
                self.open.append(connection)
            while request := self._read(connection):
                self.requests.append(request)
                handler = self._handlers.pop(0) if len(self._handlers) > 1 else self._handlers[0]
                handler(connection)
                if not self._keep_alive:
                    return
        except OSError:
            return  # the client went away, as it should from such servers
        finally:
            connection.close()
            plain.close()

    @staticmethod
    def _read(connection: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            if not (more := connection.recv(65536)):
                return b""
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        while len(body) < length:
            if not (more := connection.recv(65536)):
                return b""
            body += more
            data += more
        return data
