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

# What socketserver hands to a server's methods: a connection here, a datagram elsewhere.
Request = socket.socket | tuple[bytes, socket.socket]


class Simulator:
    """A local Bandwidth. A context manager, or ``start()`` and ``stop()``; serves in threads.

    ``port``: 0 picks a free one. ``host``: anything but loopback lets other machines read codes.
    ``latency``: seconds that every API answer takes. ``name``: what ``{NAME}`` becomes.
    ``max_wrong``: wrong codes for a number within two minutes before it is answered 429.
    ``throttle_seconds``: how long that lasts. ``applications``: ids that codes may be sent with;
    none means any.
    ``receipt_delay``: seconds from a message's answer to its delivery receipt, if it has a
    ``callbackUrl``; the waits before further tries grow from it.
    ``fill_once``: only the first ``{CODE}`` of a message is filled in. Whether Bandwidth fills in
    the others is not documented, so both can be tried.
    ``clock``: seconds since the epoch; left out, ``time.time`` is looked up at each use, so that
    a frozen clock is seen. ``quiet``: False writes a line per API request to stderr.
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
        # How often reset() was called: a request that was held meanwhile is not answered.
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
        """Listen and serve. Raises OSError if the port is taken or the host is not ours."""
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
        """Stop serving and close every connection. What was received can still be read.

        Receipts that are still to come never do.
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
        """Where the simulator listens, such as ``http://127.0.0.1:8001``.

        Raises RuntimeError while it does not run.
        """
        if self._server is None:
            raise RuntimeError("The simulator is not running: call start() or use a with block.")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._server.server_port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the simulator. False while it does not run."""
        return self._server is not None and self._server.is_loopback

    @property
    def base_url(self) -> str:
        """For ``BASE_URL``: what stands before ``/accounts/{id}/code/…``."""
        return self.url + API_PREFIX

    @property
    def token_url(self) -> str:
        """For ``TOKEN_URL``: where client credentials become an access token."""
        return self.url + TOKEN_PATH

    @property
    def inbox_url(self) -> str:
        """The page that looks like a phone."""
        return f"{self.url}/inbox"

    @property
    def inbox(self) -> list[dict[str, str]]:
        """Messages and calls, newest first, as in ``/inbox.json``."""
        return [message.as_json() for message in self.state.messages]

    @property
    def requests(self) -> list[dict[str, object]]:
        """API requests, oldest first: ``path``, ``body`` (parsed if it is JSON), ``at``."""
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
        """Make requests or receipts fail, as ``POST /faults`` does. Fault says what a word does.

        Raises ValueError, saying what is allowed.
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
        """End all faults."""
        self.faults.clear()

    def reset(self) -> None:
        """Forget messages, codes, requests, wrong tries and faults. Access tokens stay good.

        Receipts that are still to come never do. A request that a fault still holds gets no answer,
        and sends nothing.
        """
        self.resets += 1
        self.state.reset()
        self.faults.clear()

    def now(self) -> float:
        """Return the simulator's time in seconds since the epoch."""
        return self._clock() if self._clock else time.time()

    def log(self, line: str) -> None:
        """Write a line to stderr unless quiet."""
        if not self._quiet:
            clock = time.strftime("%H:%M:%S", time.gmtime(self.now()))
            print(f"{clock}Z {line}", file=sys.stderr, flush=True)


class Server(ThreadingHTTPServer):
    """The socket of a simulator, with its open connections."""

    daemon_threads = True
    allow_reuse_port = False  # a second simulator on the port must fail, not share it
    request_queue_size = 128  # http.server's 5 refuses a burst of parallel clients

    def __init__(self, simulator: Simulator, host: str, port: int) -> None:
        self._simulator = simulator
        self._idle = threading.Condition()
        self._open: set[socket.socket] = set()
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), self._serve_connection)
        self.is_loopback = ip_address(str(self.server_address[0])).is_loopback

    def server_bind(self) -> None:
        """Bind without HTTPServer's look-up of the host's name, which may ask the network."""
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
        """Close kept-alive connections, or their threads and sockets would outlive the server."""
        with self._idle:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._idle.wait_for(lambda: not self._open, timeout=2)

    def handle_error(self, request: Request, client_address: object) -> None:
        """Stay silent about a client that hung up; anything else is a bug and is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)
