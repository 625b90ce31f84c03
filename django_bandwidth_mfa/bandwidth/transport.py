"""A POST with a time limit for the whole call, and a limit for the size of the answer.

requests and urllib3 limit the time of each read, not of all reads: a server that sends a byte now
and then could block a caller without end.  Here the connection checks before each read how much
time the call has left, for plain HTTP, for TLS and with a proxy.  It also records when it begins to
write the request, so that it is known for certain if the request was not sent.

The request goes through requests' adapter, although urllib3 alone would take a quarter less
processor time.  Tests of sites replace ``requests.adapters.HTTPAdapter.send``, with the package
``responses`` for instance.  Without the adapter they would call Bandwidth.

These limits depend on methods that requests and urllib3 call.  If a version of these does not call
them, the call fails instead of running without limits.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import socket
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Generic, TypeVar

import requests
import requests.adapters
import urllib3
from requests.utils import get_environ_proxies, select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError
from urllib3.util.connection import create_connection

from .secret import Secret

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

T = TypeVar("T")

# The largest answer in bytes, including headers and framing.  Bandwidth's are under 2 KiB.
MAX_ANSWER = 64 * 1024

# The longest idle time of a connection, in seconds.  Servers and NATs close idle connections
# without notice, and the result of a request on such a connection would be unknown.
MAX_IDLE = 15.0


# No Content and Not Modified.  `http.client` reads no body after these.
_WITHOUT_A_BODY = (204, 304)


class Deadline:
    """A moment of the monotonic clock, ``seconds`` from now."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds left; 0 after the deadline."""
        return max(self._ends - time.monotonic(), 0.0)


class PerProcess(Generic[T]):
    """A value that a forked process creates again for itself.

    Two processes must not share a TLS connection, and a lock that a thread held at the fork is
    never released in the forked process.  The process id is compared at each use, because uWSGI
    forks without calling Python's fork hooks.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._current = (os.getpid(), make())

    def get(self) -> T:
        pid, value = self._current
        if pid != os.getpid():
            value = self._make()
            self._current = (os.getpid(), value)
        return value


@dataclass(frozen=True)
class Answer:
    """A complete HTTP answer."""

    status: int
    content_type: str
    retry_after: str
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Failure:
    """A request without a complete answer.

    ``sent`` is True if a part of the request may have been written to the server.
    """

    reason: str
    sent: bool
    unreadable: bool = False  # the answer is not HTTP, too long or unreadable


class _UnreadableAnswer(Exception):
    """The answer is not HTTP, or is longer than ``MAX_ANSWER``."""


class _Unlimited(Exception):
    """The installed requests or urllib3 does not use the methods that limit a call."""

    def __init__(self) -> None:
        super().__init__(
            "the time limit of the call does not work with the installed versions of requests and "
            "urllib3; install versions with which this package is tested"
        )


class _Exchange:
    """The common state of one attempt and its connection."""

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        # Whether writing the request has begun.  None until requests' adapter asks for a
        # connection: if something fails before, it is not known whether the request was sent.
        self.sent: bool | None = None
        self.limited = False  # whether the answer is read by `_Response`
        self.connection: _BoundedConnection | None = None  # the one that carries the request
        self.has_left_over = False  # whether bytes came after the answer's end
        self.reason = ""  # why there was no connection
        self._bytes_left = MAX_ANSWER

    @property
    def may_have_been_sent(self) -> bool:
        return self.sent is not False

    def at_most(self, seconds: float | None) -> float:
        """Return the seconds that the next step may take.

        :raises TimeoutError: the deadline is over.
        """
        remaining = self.deadline.remaining()
        if remaining <= 0:
            raise TimeoutError("the total time-out of the call was reached")
        return remaining if seconds is None else min(seconds, remaining)

    def left_over(self) -> None:
        """Record that bytes came after the end of the answer, and close the connection.

        On a reused connection, these bytes would be read as the answer to the next user's request.
        """
        self.has_left_over = True
        if self.connection is not None:
            self.connection.close()

    def received(self, count: int) -> None:
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise _UnreadableAnswer("the answer is too long")


_exchange: ContextVar[_Exchange] = ContextVar("django_bandwidth_mfa_exchange")


class _BoundedReader(io.RawIOBase):
    """A reader of a socket, with the time and size limits of the exchange."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        self._exchange = _exchange.get()
        self._exchange.limited = True
        self._per_read = sock.gettimeout()
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        if self._ended:
            return None  # "no data yet": `_Buffer.close` looks only at the data in the buffer
        self._sock.settimeout(self._exchange.at_most(self._per_read))
        count: int | None = self._raw.readinto(buffer)
        self._exchange.received(count or 0)
        # The next user of the socket (TLS, after a proxy's CONNECT) gets only the remaining time.
        self._sock.settimeout(self._exchange.at_most(self._per_read))
        return count

    def end(self) -> None:
        """Stop reading, and record bytes that do not belong to the answer."""
        self._ended = True
        # The bytes after a proxy's answer to CONNECT come from the server, and TLS reads them.
        if self._exchange.sent and self._has_more():
            self._exchange.left_over()

    def left_over(self) -> None:
        self._exchange.left_over()

    def _has_more(self) -> bool:
        seconds = self._sock.gettimeout()
        try:
            self._sock.setblocking(False)
            try:
                return bool(self._sock.recv(1))
            finally:
                self._sock.settimeout(seconds)
        except OSError:
            return False  # nothing is there, or the connection is gone

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Buffer(io.BufferedReader):
    """The buffer from which ``http.client`` reads, and which it closes at the end of the body."""

    def __init__(self, raw: _BoundedReader) -> None:
        super().__init__(raw)
        self._reader = raw

    def close(self) -> None:
        if not self.closed:
            self._reader.end()
            if self.peek(1):
                self._reader.left_over()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(
        self,
        sock: socket.socket,
        debuglevel: int = 0,
        method: str | None = None,
        url: str | None = None,
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self.fp = _Buffer(_BoundedReader(self.fp.detach(), sock))

    def begin(self) -> None:
        not_http = False
        try:
            super().begin()
        except ConnectionError:  # RemoteDisconnected is an HTTPException too
            raise
        except http.client.HTTPException:
            not_http = True
        if not_http:
            raise _UnreadableAnswer("the answer is not HTTP")
        # An answer without a body ends with its head, so the connection would be kept. After a 1xx
        # the final answer is still to come, and after the other two a careless server sends a body:
        # the next user's wrong code would be answered by this user's "valid".
        if self.status < 200 or self.status in _WITHOUT_A_BODY:
            raise _UnreadableAnswer(f"an answer to a POST cannot have the status {self.status}")


class _BoundedConnection(HTTPConnection):
    """urllib3's connection, with the limits of the exchange that uses it."""

    response_class = _Response
    # With `http.client.HTTPConnection.debuglevel = 1`, a common debugging aid, our headers would be
    # printed.
    debuglevel = 0

    _last_used = 0.0
    _opened_here = False  # whether `_new_conn` below makes this connection's sockets

    @property
    def is_connected(self) -> bool:
        """Whether the pool may use this connection again."""
        return time.monotonic() - self._last_used < MAX_IDLE and super().is_connected

    def _new_conn(self) -> socket.socket:
        # urllib3 uses the whole connect time-out for each address of a name: a name with eight dead
        # addresses would take eight times as long.
        exchange = _exchange.get()
        self._opened_here = True
        try:
            for *_, address in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM):
                seconds = exchange.at_most(self.timeout)
                try:
                    sock = create_connection(
                        (str(address[0]), int(address[1])),
                        seconds,
                        socket_options=self.socket_options,
                    )
                except OSError as error:
                    exchange.reason = f"no connection: {type(error).__name__}"
                else:
                    sock.settimeout(exchange.at_most(self.timeout))  # for TLS and CONNECT
                    return sock
        except socket.gaierror:
            exchange.reason = "the host name could not be resolved"
        except TimeoutError:
            exchange.reason = "the total time-out was reached before the connection was open"
        raise NewConnectionError(self, exchange.reason)

    def putrequest(
        self,
        method: str,
        url: str,
        skip_host: bool = False,
        skip_accept_encoding: bool = False,
    ) -> None:
        """Begin to write the request.  No byte of it was written before."""
        if self.is_closed:
            self.connect()
        if not self._opened_here:
            raise _Unlimited
        exchange = _exchange.get()
        self.sock.settimeout(exchange.at_most(self.timeout))
        exchange.limited = False  # only the answer to CONNECT was limited until now
        exchange.connection = self
        exchange.sent = True  # from here on the request may have arrived
        self._last_used = time.monotonic()
        super().putrequest(method, url, skip_host, skip_accept_encoding)


class _BoundedTLSConnection(_BoundedConnection, HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _BoundedConnection


class _TLSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _BoundedTLSConnection


_POOLS = {"http": _Pool, "https": _TLSPool}


class _Adapter(requests.adapters.HTTPAdapter):
    """requests' adapter with our connections: no retries, no redirects, no cookies."""

    def __init__(self, max_connections: int) -> None:
        super().__init__(pool_maxsize=max_connections)
        _use_our_pools(self.poolmanager)

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: bool | str | None,
        proxies: Mapping[str, str] | None = None,
        cert: tuple[str, str] | str | None = None,
    ) -> urllib3.HTTPConnectionPool:
        """Return the pool of connections.  requests' adapter calls this method first."""
        _exchange.get().sent = False
        pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
        if not isinstance(pool, _Pool | _TLSPool):
            raise _Unlimited
        return pool

    def proxy_manager_for(self, proxy: str, **options: object) -> urllib3.ProxyManager:
        manager: urllib3.ProxyManager = super().proxy_manager_for(proxy, **options)
        _use_our_pools(manager)
        return manager


def _use_our_pools(manager: urllib3.PoolManager) -> None:
    manager.pool_classes_by_scheme = _POOLS
    # Otherwise, a manager that is cleared does not close the connections of its pools. They would
    # stay open until the garbage collector deletes them.
    manager.pools.dispose_func = urllib3.HTTPConnectionPool.close


@lru_cache(maxsize=32)
def _prepared_request(url: str, content_type: str) -> requests.PreparedRequest:
    """Return the common part of all requests to ``url``, without secrets.  Only copy it.

    It is cached, because preparing it takes a fifth of the processor time of a call.
    """
    headers = {
        "Content-Type": content_type,
        "Accept": "application/json",
        "Accept-Encoding": "identity",  # a small compressed answer could be a huge one
        "User-Agent": "django-bandwidth-mfa",
    }
    return requests.Request("POST", url, headers=headers).prepare()


class Transport:
    """POSTs to one origin.  It is safe for threads, and after a fork.

    The environment's proxies (``HTTPS_PROXY``, ``NO_PROXY``, …) and CA bundle
    (``REQUESTS_CA_BUNDLE``, ``CURL_CA_BUNDLE``) are read here, once.  ``.netrc`` is never read, so
    it cannot replace our credentials.  A certificate is always verified.

    :param origin: the URL whose proxy is looked up in the environment.
    :param connect_timeout: seconds for a connection.
    :param read_timeout: seconds without a byte from the server.
    :param max_connections: how many idle connections are kept.  If more calls run at once, the
        additional connections are closed after their call.
    :raises ValueError: the URL of the proxy does not begin with ``http://``, or the file of the CA
        bundle does not exist.
    """

    def __init__(
        self, origin: str, *, connect_timeout: float, read_timeout: float, max_connections: int = 10
    ) -> None:
        self._timeouts = (connect_timeout, read_timeout)
        self._proxies: dict[str, str] = dict(get_environ_proxies(origin, no_proxy=None))
        proxy = select_proxy(origin, self._proxies) or ""
        if "://" in proxy and not proxy.lower().startswith("http://"):
            # SOCKS and TLS proxies use sockets of their own, for which no deadline can be set.
            raise ValueError(
                "The proxy for Bandwidth in the environment variables must have an http:// URL."
            )
        self._verify: str | bool = True
        for name in ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
            if path := os.environ.get(name):
                if not os.path.exists(path):
                    raise ValueError(
                        f"The environment variable {name} names a file that does not exist."
                    )
                self._verify = path
        self._adapter = PerProcess(partial(_Adapter, max_connections))

    def close(self) -> None:
        """Close this process's idle connections.  The next call opens new ones.

        A running call in another thread ends normally, and its connection is closed then.
        """
        self._adapter.get().close()

    def post(
        self,
        url: str,
        *,
        body: Secret[bytes],
        content_type: str,
        authorization: Secret[str],
        deadline: Deadline,
    ) -> Answer | Failure:
        """Send one POST; try a second time only if the first attempt failed before it was written.

        It returns a failure instead of raising it: an exception of requests contains the request
        with its headers and body, and would be the context of any error that is raised after it.
        """
        outcome, again = self._attempt(url, body, content_type, authorization, deadline)
        if again and deadline.remaining() > 0:
            outcome, _ = self._attempt(url, body, content_type, authorization, deadline)
        return outcome

    def _attempt(
        self,
        url: str,
        body: Secret[bytes],
        content_type: str,
        authorization: Secret[str],
        deadline: Deadline,
    ) -> tuple[Answer | Failure, bool]:
        """Return the result of one attempt, and whether a second attempt is safe and useful."""
        if deadline.remaining() <= 0:
            return Failure(
                "the total time-out was reached before the request was sent", sent=False
            ), False
        # A copy, so that the secrets of this call are not in the cached request.
        request = _prepared_request(url, content_type).copy()
        request.headers["Authorization"] = authorization.reveal()
        request.prepare_body(body.reveal(), None)
        exchange = _Exchange(deadline)
        outer = _exchange.set(exchange)
        try:
            # The adapter, not a session: no cookie jar, no redirects, no `.netrc`.
            response = self._adapter.get().send(
                request,
                stream=True,
                timeout=self._timeouts,
                verify=self._verify,
                proxies=self._proxies,
            )
            with contextlib.closing(response):
                # `None`: the adapter was replaced, as in a test.  There is no connection to limit.
                if exchange.sent is not None and not (exchange.sent and exchange.limited):
                    exchange.sent = True  # there is an answer
                    raise _Unlimited
                answer = Answer(
                    status=response.status_code,
                    content_type=response.headers.get("Content-Type", ""),
                    retry_after=response.headers.get("Retry-After", ""),
                    body=b"".join(response.raw.stream(8192, decode_content=False)),
                )
                if exchange.has_left_over:
                    raise _UnreadableAnswer("more bytes came after the end of the answer")
            return answer, False
        except (_UnreadableAnswer, _Unlimited) as error:
            return Failure(str(error), sent=exchange.may_have_been_sent, unreadable=True), False
        except Exception as error:
            # Catch everything: any error of these libraries contains the request in its frames.
            failure = Failure(
                exchange.reason or type(error).__name__,
                sent=exchange.may_have_been_sent,
            )
            untrusted = isinstance(error, requests.exceptions.SSLError)
            return failure, not failure.sent and not untrusted
        finally:
            _exchange.reset(outer)
