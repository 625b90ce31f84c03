"""The handler of one HTTP connection, for the API and for the pages of the simulator."""

from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from socket import socket
from socketserver import BaseServer
from threading import Event
from typing import Protocol

from . import inbox_page
from .api import API, Response, Route, error, fault_answer, readable_body, unknown_path
from .contract import ContractError, load_object
from .faults import Fault, Faults
from .receipts import Receipts
from .state import State

MAX_BODY_BYTES = 64 * 1024
_DISCARDED_BYTES = 1024 * 1024

# Only own files, and nothing inline: a script in the text of a message could not run.
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class RefusedBodyError(Exception):
    """The body cannot be read, so the connection must be closed: the rest of it may follow."""


class RunningSimulator(Protocol):
    """The part of ``Simulator`` that a connection uses."""

    latency: float
    stopping: Event
    resets: int
    state: State
    api: API
    faults: Faults
    receipts: Receipts

    @property
    def base_url(self) -> str:
        """The URL of the API."""

    @property
    def token_url(self) -> str:
        """The URL at which access tokens are issued."""

    @property
    def inbox(self) -> list[dict[str, str]]:
        """The messages and calls, as in ``/inbox.json``."""

    @property
    def requests(self) -> list[dict[str, object]]:
        """The API requests, as in ``/requests.json``."""

    def now(self) -> float:
        """Return the time of the simulator in seconds since the epoch."""

    def log(self, line: str) -> None:
        """Write a line to the log of the simulator."""


class Handler(BaseHTTPRequestHandler):
    """Serves the API under ``/api/``, and the simulator's own pages elsewhere.

    ``is_loopback``: whether only this machine can reach the server.
    """

    protocol_version = "HTTP/1.1"
    server_version = "BandwidthSimulator"
    sys_version = ""
    # One packet per answer.  Without a buffer, header and body are sent separately, and a client
    # with a kept-alive connection waits 40 ms for the body (Nagle's algorithm and delayed
    # acknowledgements).
    wbufsize = -1
    disable_nagle_algorithm = True

    def __init__(
        self,
        request: socket,
        client_address: object,
        server: BaseServer,
        *,
        simulator: RunningSimulator,
        is_loopback: bool,
    ) -> None:
        # Set before calling http.server's own method, which serves the whole connection.
        self._simulator = simulator
        self._is_loopback = is_loopback
        super().__init__(request, client_address, server)

    def _handle(self) -> None:
        path = self.path.partition("?")[0]
        try:
            body = self._read_body()
        except RefusedBodyError as refusal:
            self.close_connection = True
            status = int(refusal.args[0])
            self._write(error(status, HTTPStatus(status).phrase))
            return
        if path.startswith("/api/"):
            self._serve_api(path, body)
        elif not self._is_host_allowed():
            self._write_error(
                HTTPStatus.MISDIRECTED_REQUEST,
                "The host name in the URL must be localhost or an IP address.",
            )
        else:
            self._serve_page(path, body)

    # The names are http.server's.  The gateway answers any method, so all are handled.
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815
    do_OPTIONS = do_TRACE = _handle  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing: http.server's lines contain the path, which is a text of the client."""

    def _read_body(self) -> bytes:
        if "Transfer-Encoding" in self.headers:
            raise RefusedBodyError(HTTPStatus.LENGTH_REQUIRED)
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit()):
            raise RefusedBodyError(HTTPStatus.BAD_REQUEST)
        size = int(length[:12])
        if size > MAX_BODY_BYTES:
            # If unread data is left, closing resets the connection, and the client may not get the
            # answer.
            self.rfile.read(min(size, _DISCARDED_BYTES))
            raise RefusedBodyError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        body = self.rfile.read(size)
        if len(body) < size:
            raise ConnectionAbortedError(
                "The client closed the connection before the end of its request."
            )
        return body

    def _is_host_allowed(self) -> bool:
        """Return whether the Host header is allowed: on loopback, only names of this machine are.

        This stops DNS rebinding: a web site whose name points to 127.0.0.1 could otherwise read the
        inbox with the browser of a visitor.  An IP address in the Host header is safe.
        """
        if not self._is_loopback:
            return True
        host = self.headers.get("Host", "")
        name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        if name.lower() == "localhost" or name.lower().endswith(".localhost"):
            return True
        try:
            ip_address(name)
        except ValueError:
            return False
        return True

    # --- the API ---

    def _serve_api(self, path: str, body: bytes) -> None:
        simulator = self._simulator
        route = Route.find(self.command, path)
        simulator.state.record(path, readable_body(route, body))
        fault = simulator.faults.take(route.endpoint) if route else None
        resets = simulator.resets
        # An event, not a sleep, so that stop() does not wait for it.
        simulator.stopping.wait(simulator.latency + ((fault and fault.delay) or 0))
        if simulator.resets != resets:
            # After reset(), the next test must not see the message of the previous one.
            self.close_connection = True
            return
        if route is None:
            response = unknown_path()
        elif fault is not None and fault.replaces_answer:
            response = fault_answer(fault)
        else:
            response = simulator.api.answer(
                route,
                self.headers.get("Authorization", ""),
                self.headers.get("Content-Type", ""),
                body,
            )
        # Before the answer, because a fault that the sender adds after the answer is for the next
        # receipt.
        receipt = simulator.receipts.prepare(response.sent) if response.sent else None
        try:
            self._answer_api(route, response, fault)
        finally:  # the message was sent, even if the sender does not get the answer
            if receipt is not None:
                simulator.receipts.send(receipt)

    def _answer_api(self, route: Route | None, response: Response, fault: Fault | None) -> None:
        simulator = self._simulator
        # Without path and body: the line must contain no code, no number and no control character.
        name = f"{self.command} {route.endpoint}" if route else f"{self.command} unknown path"
        if fault is not None and fault.drop:
            self.close_connection = True
            simulator.log(f"{name} dropped (fault)")
            return
        if fault is not None and fault.content_type:
            response = replace(response, content_type=fault.content_type)
        simulator.log(f"{name} {response.status}{_note(fault)}")
        self._write(response)
        self.wfile.flush()  # now, so that the receipt does not come before the message's id

    # --- the simulator's own pages ---

    def _serve_page(self, path: str, body: bytes) -> None:
        pages: dict[str, tuple[str, Callable[[bytes], Response]]] = {
            "/": ("GET", self._redirect_to_inbox),
            "/inbox": ("GET", self._inbox),
            "/inbox.css": ("GET", lambda _: _asset("inbox.css", "text/css; charset=utf-8")),
            "/inbox.js": ("GET", lambda _: _asset("inbox.js", "text/javascript; charset=utf-8")),
            "/inbox.json": ("GET", lambda _: _ok(self._simulator.inbox)),
            "/requests.json": ("GET", lambda _: _ok(self._simulator.requests)),
            "/faults": ("POST", self._set_faults),
        }
        if path not in pages:
            self._write_error(HTTPStatus.NOT_FOUND, "This page does not exist. Open /inbox.")
            return
        method, page = pages[path]
        if self.command != method and not (self.command == "HEAD" and method == "GET"):
            self._write_error(HTTPStatus.METHOD_NOT_ALLOWED, f"Use {method}.", Allow=method)
            return
        response = page(body)
        location = {"Location": "/inbox"} if response.status == HTTPStatus.FOUND else {}
        self._write(response, **location)

    def _redirect_to_inbox(self, _: bytes) -> Response:
        return Response(HTTPStatus.FOUND, b"", "text/plain; charset=utf-8")

    def _inbox(self, _: bytes) -> Response:
        simulator = self._simulator
        page = inbox_page.render(
            simulator.state.messages,
            now=simulator.now(),
            base_url=simulator.base_url,
            token_url=simulator.token_url,
        )
        return Response(HTTPStatus.OK, page.encode(errors="replace"), "text/html; charset=utf-8")

    def _set_faults(self, body: bytes) -> Response:
        """Add a fault; delete all faults if the object is empty.

        Only JSON is accepted.  A web page of another site can post a form or plain text, but for
        JSON the browser first sends a CORS preflight, which the simulator does not allow.
        """
        faults = self._simulator.faults
        try:
            data = load_object(self.headers.get("Content-Type", ""), body)
            if data:
                faults.add(Fault.from_json(data))
            else:
                faults.clear()
        except (ContractError, ValueError) as refusal:
            return Response.json(HTTPStatus.BAD_REQUEST, {"error": str(refusal)})
        return _ok({"faults": faults.as_json()})

    # --- writing ---

    def _write_error(self, status: HTTPStatus, detail: str, **headers: str) -> None:
        self._write(Response.json(status, {"error": detail}), **headers)

    def _write(self, response: Response, **headers: str) -> None:
        self.send_response(response.status)
        if response.status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Type", response.content_type)
            self.send_header("Content-Length", str(len(response.body)))
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Content-Security-Policy", _CONTENT_SECURITY_POLICY)
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)


def _ok(data: object) -> Response:
    return Response.json(HTTPStatus.OK, data)


def _asset(name: str, content_type: str) -> Response:
    return Response(HTTPStatus.OK, inbox_page.asset(name), content_type)


def _note(fault: Fault | None) -> str:
    return " (fault)" if fault is not None else ""
