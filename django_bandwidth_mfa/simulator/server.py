"""The simulator as an HTTP server, usable in process."""

import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from http.server import ThreadingHTTPServer
from ipaddress import ip_address
from types import TracebackType
from typing import Self

from . import defaults
from .api import API, API_PREFIX, TOKEN_PATH, Credentials
from .contract import THROTTLE_SECONDS
from .faults import Fault, Faults
from .handler import Handler
from .receipts import Receipts
from .state import State
from .tokens import Tokens

# The type of a request in socketserver: a connection here, a datagram in other servers.
Request = socket.socket | tuple[bytes, socket.socket]


class Simulator:
    """A simulated Bandwidth, which runs in threads.

    Use it as a context manager, or with ``start()`` and ``stop()``.

    :param port: the port; 0 for any free one.
    :param host: the address.  With another one than loopback, other machines can read the codes.
    :param latency: the seconds that every API answer takes.
    :param name: the value for ``{NAME}`` in a message.
    :param max_wrong: the number of wrong codes for a number within two minutes after which the
        answer is 429.
    :param throttle_seconds: how long the answer is 429 then.
    :param applications: the application ids with which codes can be sent; empty for any id.
    :param receipt_delay: the seconds from the answer to a message with a ``callbackUrl`` to its
        delivery receipt.  The waits before further tries depend on it, too.
    :param fill_once: fill in only the first ``{CODE}`` of a message.  Whether Bandwidth fills in
        all of them is not documented, so both can be tried.
    :param clock: returns the time in seconds since the epoch; None for ``time.time``, which is
        looked up at each use, so that a frozen clock works.
    :param quiet: if False, write a line for each API request to stderr.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        host: str = defaults.DEFAULT_HOST,
        account: str = defaults.DEFAULT_ACCOUNT,
        username: str = defaults.DEFAULT_USERNAME,
        password: str = defaults.DEFAULT_PASSWORD,
        client_id: str = defaults.DEFAULT_CLIENT_ID,
        client_secret: str = defaults.DEFAULT_CLIENT_SECRET,
        latency: float = 0.0,
        name: str = defaults.DEFAULT_NAME,
        max_wrong: int = defaults.DEFAULT_MAX_WRONG,
        throttle_seconds: int = THROTTLE_SECONDS,
        applications: Collection[str] = (),
        receipt_delay: float = defaults.DEFAULT_RECEIPT_DELAY,
        fill_once: bool = False,
        clock: Callable[[], float] | None = None,
        quiet: bool = True,
    ) -> None:
        self.account = account
        self.latency = latency
        self._host, self._port = host, port
        self._clock = clock
        self._quiet = quiet
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self.stopping = threading.Event()
        # The number of calls of reset().  A request that was delayed meanwhile is not answered.
        self.resets = 0
        self.faults = Faults()
        self.client_id, self.client_secret = client_id, client_secret
        self.applications = tuple(applications)
        self.state = State(
            self.now,
            name=name,
            max_wrong=max_wrong,
            throttle_seconds=throttle_seconds,
            fill_once=fill_once,
        )
        self.receipts = Receipts(
            receipt_delay,
            state=self.state,
            faults=self.faults,
            stopping=self.stopping,
            now=self.now,
            log=self.log,
        )
        self.api = API(
            self.state,
            Credentials(account, username, password, client_id, client_secret),
            Tokens(self.now, account=account, client_secret=client_secret),
            applications=self.applications,
            throttle_seconds=throttle_seconds,
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start to listen and serve.

        :raises OSError: the port is in use, or the host is not an address of this machine.
        :raises RuntimeError: the simulator is already running.
        """
        if self._server is not None:
            raise RuntimeError("The simulator is already running.")
        self.stopping.clear()
        self._server = Server(self, self._host, self._port)
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            args=(0.05,),
            name="bandwidth-simulator",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop serving, and close all connections.

        The received messages and requests can still be read.  Pending receipts are not posted.
        """
        if self._server is None or self._thread is None:
            return
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.close_connections()
        self._server.server_close()
        self.receipts.stop()
        self._server = self._thread = None

    @property
    def url(self) -> str:
        """The URL of the simulator, such as ``http://127.0.0.1:8001``.

        :raises RuntimeError: the simulator is not running.
        """
        if self._server is None:
            raise RuntimeError("The simulator is not running. Call start(), or use a with block.")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._server.server_port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the simulator; False if it is not running."""
        return self._server is not None and self._server.is_loopback

    @property
    def base_url(self) -> str:
        """The value for ``BASE_URL``: the URL before ``/accounts/{id}/code/…``."""
        return self.url + API_PREFIX

    @property
    def token_url(self) -> str:
        """The value for ``TOKEN_URL``: the URL at which access tokens are issued."""
        return self.url + TOKEN_PATH

    @property
    def inbox_url(self) -> str:
        """The URL of the inbox page."""
        return f"{self.url}/inbox"

    @property
    def inbox(self) -> list[dict[str, str]]:
        """The messages and calls, the newest first, as in ``/inbox.json``."""
        return [message.as_json() for message in self.state.messages]

    @property
    def requests(self) -> list[dict[str, object]]:
        """The API requests, the oldest first: ``path``, ``body`` (parsed if it is JSON), ``at``."""
        return self.state.requests

    def fault(
        self,
        *,
        on: str,
        status: int | None = None,
        times: int | None = None,
        delay: float | None = None,
        drop: bool = False,
        body: str | None = None,
        content_type: str | None = None,
        error_code: int | None = None,
    ) -> None:
        """Make requests or receipts fail, as ``POST /faults`` does.

        ``Fault`` documents the arguments.

        :raises ValueError: a value is not allowed; the text says what is allowed.
        """
        self.faults.add(
            Fault(
                on=on,
                status=status,
                times=times,
                delay=delay,
                drop=drop,
                body=body,
                content_type=content_type,
                error_code=error_code,
            )
        )

    def clear_faults(self) -> None:
        """Delete all faults."""
        self.faults.clear()

    def reset(self) -> None:
        """Delete messages, codes, requests, wrong tries and faults.  Access tokens stay valid.

        Pending receipts are not posted.  A request that a fault still delays gets no answer, and
        sends nothing.
        """
        self.resets += 1
        self.state.reset()
        self.faults.clear()

    def now(self) -> float:
        """Return the simulator's time in seconds since the epoch."""
        return self._clock() if self._clock else time.time()

    def log(self, line: str) -> None:
        """Write a line to stderr, unless the simulator is quiet."""
        if not self._quiet:
            clock = time.strftime("%H:%M:%S", time.gmtime(self.now()))
            print(f"{clock}Z {line}", file=sys.stderr, flush=True)


class Server(ThreadingHTTPServer):
    """The HTTP server of a simulator, with its open connections."""

    daemon_threads = True
    allow_reuse_port = False  # a second simulator on the same port must fail
    request_queue_size = 128  # http.server's default of 5 is too small for many parallel clients

    def __init__(self, simulator: Simulator, host: str, port: int) -> None:
        self._simulator = simulator
        self._idle = threading.Condition()
        self._open: set[socket.socket] = set()
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), self._serve_connection)
        self.is_loopback = ip_address(str(self.server_address[0])).is_loopback

    def server_bind(self) -> None:
        """Bind without HTTPServer's look-up of the host name, which may use the network."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def _serve_connection(
        self, request: socket.socket, client_address: object, server: socketserver.BaseServer
    ) -> Handler:
        """Serve one connection until it ends."""
        return Handler(
            request,
            client_address,
            server,
            simulator=self._simulator,
            is_loopback=self.is_loopback,
        )

    def get_request(self) -> tuple[socket.socket, object]:
        """Accept a connection."""
        connection, client_address = super().get_request()
        with self._idle:
            self._open.add(connection)
        return connection, client_address

    def shutdown_request(self, request: Request) -> None:
        """Close a connection."""
        super().shutdown_request(request)
        with self._idle:
            self._open -= {request}
            self._idle.notify_all()

    def close_connections(self) -> None:
        """Close kept-alive connections, so that their threads and sockets end with the server."""
        with self._idle:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._idle.wait_for(lambda: not self._open, timeout=2)

    def handle_error(self, request: Request, client_address: object) -> None:
        """Ignore a client that has closed its connection; show any other error, which is a bug."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)
