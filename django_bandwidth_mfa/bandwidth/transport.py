"""One POST under a deadline, with a cap on the answer's size.

requests and urllib3 bound each read, not their sum: a server that sends a byte now and then, in
its headers or in its body, holds a caller for as long as it likes. Here the connection itself
asks before every read how much time the call has left, in plain HTTP, TLS and through a proxy
alike, and notes the moment at which a request begins to be written, so that "it never arrived" is
known and not guessed from the name of an exception.

The request goes through requests' adapter, although urllib3 alone would take a quarter less
processor time. Tests of sites replace `requests.adapters.HTTPAdapter.send`, with the package
`responses` for instance. Without the adapter they would ask Bandwidth.

All this hangs on methods that requests and urllib3 call. A call whose connection was made, or whose
answer is read, without them fails instead of running without a limit.
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

# Bytes of an answer, headers and framing included. Bandwidth's are under 2 KiB.
MAX_ANSWER = 64 * 1024

# Seconds. Servers and NATs close idle connections silently, and a request written to one of those
# has an unknown outcome; past this age a new connection is made instead.
MAX_IDLE = 15.0


# No Content and Not Modified. `http.client` reads no body after them, whatever the server sends.
_WITHOUT_A_BODY = (204, 304)


class Deadline:
    """A moment of the monotonic clock, `seconds` from now."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left; 0 when it is over."""
        return max(self._ends - time.monotonic(), 0.0)


class PerProcess(Generic[T]):
    """A value that a forked child makes anew.

    Two processes that share a TLS connection break each other's, and a lock that a thread held at
    the fork is never released in the child. The process id is compared on every use instead of
    registering a fork hook, because uWSGI forks without calling Python's hooks.
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
    """A whole HTTP answer."""

    status: int
    content_type: str
    retry_after: str
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Failure:
    """No whole answer. `sent`: some of the request may have been written to the server."""

    reason: str
    sent: bool
    unreadable: bool = False  # something came that is not HTTP, too long, or not to be read


class _UnreadableAnswer(Exception):
    """What came is not HTTP, or is over `MAX_ANSWER`."""


class _Unlimited(Exception):
    """The installed requests or urllib3 does not call what limits a call."""

    def __init__(self) -> None:
        super().__init__(
            "the installed versions of requests and urllib3 go around the limit of a call's time; "
            "install versions that this package is tested with"
        )


class _Exchange:
    """What one attempt and the connection that carries it know of each other."""

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        # Whether writing the request has begun. None until requests' adapter asks for a connection:
        # what fails before that may have been sent, for all we know.
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
        """Seconds that the next step may take; `TimeoutError` when the deadline is over."""
        remaining = self.deadline.remaining()
        if remaining <= 0:
            raise TimeoutError("the call's total time is over")
        return remaining if seconds is None else min(seconds, remaining)

    def left_over(self) -> None:
        """Note that bytes came after the answer's end, and close the connection.

        A kept connection with such bytes would answer the next user's question with them.
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
    """A socket's reading end that obeys the exchange's deadline and size cap."""

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
            return None  # "nothing there yet": `_Buffer.close` looks only at what it holds
        self._sock.settimeout(self._exchange.at_most(self._per_read))
        count: int | None = self._raw.readinto(buffer)
        self._exchange.received(count or 0)
        # The next user of the socket (TLS, after a proxy's CONNECT) gets what is left, no more.
        self._sock.settimeout(self._exchange.at_most(self._per_read))
        return count

    def end(self) -> None:
        """Read nothing more. Bytes that are there already are noted: no answer owns them."""
        self._ended = True
        # What follows a proxy's answer to CONNECT is the server's, and TLS reads it.
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
    """What `http.client` reads an answer from. It closes this at the end of the answer's body."""

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
            raise _UnreadableAnswer(f"status {self.status} is no answer to a POST")


class _BoundedConnection(HTTPConnection):
    """urllib3's connection, under the deadline of the exchange that uses it."""

    response_class = _Response
    # `http.client.HTTPConnection.debuglevel = 1`, a common debugging aid, would print our headers.
    debuglevel = 0

    _last_used = 0.0
    _opened_here = False  # whether `_new_conn` below makes this connection's sockets

    @property
    def is_connected(self) -> bool:
        """Whether the pool may hand this connection out again."""
        return time.monotonic() - self._last_used < MAX_IDLE and super().is_connected

    def _new_conn(self) -> socket.socket:
        # urllib3 gives every address of a name the whole connect time-out; a name with eight dead
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
            exchange.reason = "the name does not resolve"
        except TimeoutError:
            exchange.reason = "the total time-out was over before there was a connection"
        raise NewConnectionError(self, exchange.reason)

    def putrequest(
        self,
        method: str,
        url: str,
        skip_host: bool = False,
        skip_accept_encoding: bool = False,
    ) -> None:
        """Begin to write a request. No byte of it has been written before this."""
        if self.is_closed:
            self.connect()
        if not self._opened_here:
            raise _Unlimited
        exchange = _exchange.get()
        self.sock.settimeout(exchange.at_most(self.timeout))
        exchange.limited = False  # the answer to CONNECT was; this request's own is still to come
        exchange.connection = self
        exchange.sent = True  # from here on nobody can say that it did not arrive
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
    """requests' pool of connections, made of ours. No retries, no redirects, no cookies."""

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
        """The pool to take a connection from: the first thing that requests' adapter asks for."""
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
    # Left alone, a manager that is cleared only forgets its pools, and their connections stay open
    # until the garbage collector finds them.
    manager.pools.dispose_func = urllib3.HTTPConnectionPool.close


@lru_cache(maxsize=32)
def _prepared_request(url: str, content_type: str) -> requests.PreparedRequest:
    """What all requests to `url` have in common. Nothing in it is secret. For copying only.

    It is kept because preparing it takes a fifth of a call's processor time.
    """
    headers = {
        "Content-Type": content_type,
        "Accept": "application/json",
        "Accept-Encoding": "identity",  # a small compressed answer could be a huge one
        "User-Agent": "django-bandwidth-mfa",
    }
    return requests.Request("POST", url, headers=headers).prepare()


class Transport:
    """POSTs to one origin. Safe under threads and after a fork.

    The environment's proxies (`HTTPS_PROXY`, `NO_PROXY`, …) and CA bundle (`REQUESTS_CA_BUNDLE`,
    `CURL_CA_BUNDLE`) are read here, once. `.netrc` is never read, so it cannot replace our
    credentials. A certificate is always verified.

    Args:
        origin: the URL whose proxy is looked up in the environment.
        connect_timeout: seconds for a connection.
        read_timeout: seconds without a byte from the server.
        max_connections: how many idle connections are kept. More calls than this at once are made
            all the same, and the connections over it are closed after one call.

    Raises:
        ValueError: a proxy that is not spoken to in plain HTTP, or a CA bundle that is not there.
    """

    def __init__(
        self, origin: str, *, connect_timeout: float, read_timeout: float, max_connections: int = 10
    ) -> None:
        self._timeouts = (connect_timeout, read_timeout)
        self._proxies: dict[str, str] = dict(get_environ_proxies(origin, no_proxy=None))
        proxy = select_proxy(origin, self._proxies) or ""
        if "://" in proxy and not proxy.lower().startswith("http://"):
            # SOCKS and TLS proxies bring sockets of their own, which no deadline could bound.
            raise ValueError(
                "The proxy that the environment names for Bandwidth must be an http:// one."
            )
        self._verify: str | bool = True
        for name in ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
            if path := os.environ.get(name):
                if not os.path.exists(path):
                    raise ValueError(f"{name} in the environment names a file that is not there.")
                self._verify = path
        self._adapter = PerProcess(partial(_Adapter, max_connections))

    def close(self) -> None:
        """Close this process's idle connections. The next call opens new ones.

        A call that is under way in another thread ends normally; its connection is closed then.
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
        """POST once; once more only if the first attempt failed before a byte was written.

        Returns what happened instead of raising: an exception of requests holds the request, with
        its headers and body, and would stay attached to whatever is raised from it.
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
        """What happened, and whether trying again may help and cannot hurt."""
        if deadline.remaining() <= 0:
            return Failure("the total time-out was over before it could be sent", sent=False), False
        # A copy: this call's secrets must not outlive it, and no other call may see them.
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
                # `None`: somebody answered in the adapter's place. There is no connection to limit.
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
                    raise _UnreadableAnswer("more bytes came than the answer has")
            return answer, False
        except (_UnreadableAnswer, _Unlimited) as error:
            return Failure(str(error), sent=exchange.may_have_been_sent, unreadable=True), False
        except Exception as error:
            # Whatever these libraries raise, documented or not, has the request in its frames.
            failure = Failure(
                exchange.reason or type(error).__name__,
                sent=exchange.may_have_been_sent,
            )
            untrusted = isinstance(error, requests.exceptions.SSLError)
            return failure, not failure.sent and not untrusted
        finally:
            _exchange.reset(outer)
