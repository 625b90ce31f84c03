"""Delivery receipts, which are posted to the ``callbackUrl`` of a text message.

They are simpler than Bandwidth's in three ways.  A message has one receipt, which says "delivered"
unless there is a fault on ``receipt``.  A North American receipt without a 2xx answer is posted
three more times within seconds (Bandwidth: for 24 hours), always with the same body; other receipts
are posted once.  Only the status of the answer counts: its body is not read, and a redirect is not
followed.

The simulator posts to any URL that the sender of the message names, on any machine.
"""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from .faults import RECEIPT, Fault, Faults
from .state import Message, State, iso_utc

RETRIES = 3
RETRY_FACTOR = 4
"""The factor between two waits: 0.2 s, 0.8 s, 3.2 s, 12.8 s."""

TIMEOUT_SECONDS = 5
"""How long to wait for data from the receiver, in seconds."""

_HEADERS = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "BandwidthSimulator"}
_DESCRIPTIONS = {4432: "forbidden to country"}


@dataclass(frozen=True)
class Receipt:
    """The receipt of a message.

    ``waits`` are the seconds before the first try, and between the tries.
    """

    message: Message
    url: str
    content: dict[str, object]
    waits: tuple[float, ...]


class Receipts:
    """Posts the receipts of a simulator, each in its own thread.

    :param delay: the seconds from the answer to the receipt.
    :param state: the state of the simulator.  A receipt of a deleted message is not posted.
    :param faults: the faults of receipts.
    :param stopping: an event that is set when the simulator stops.  Then no receipt is posted.
    :param now: returns the time in seconds since the epoch.
    :param log: writes a line to the log of the simulator.
    """

    def __init__(
        self,
        delay: float,
        *,
        state: State,
        faults: Faults,
        stopping: threading.Event,
        now: Callable[[], float],
        log: Callable[[str], None],
    ) -> None:
        self._delay = delay
        self._state = state
        self._faults = faults
        self._stopping = stopping
        self._now = now
        self._log = log
        self._idle = threading.Condition()
        self._pending = 0
        self._open: set[socket.socket] = set()

    def prepare(self, message: Message) -> Receipt | None:
        """Return the receipt of ``message``; None if it has no URL, or if a fault drops it."""
        url = message.request.callback_url
        if url is None:
            return None
        fault = self._faults.take(RECEIPT)
        if fault is not None and fault.drop:
            self._log("receipt dropped (fault)")
            return None
        is_north_american = message.request.to.startswith("+1")
        wait = self._delay + ((fault and fault.delay) or 0)
        retries = RETRIES if is_north_american else 0
        pauses = [self._delay * RETRY_FACTOR**count for count in range(1, retries + 1)]
        platform = "NorthAmericaSMS" if is_north_american else "GlobalSMS"
        content = {
            **_outcome(fault),
            "time": iso_utc(self._now() + wait, "seconds"),
            "platform": platform,
            "message": {"id": message.id},
        }
        return Receipt(message, url, content, (wait, *pauses))

    def send(self, receipt: Receipt) -> None:
        """Post a receipt after its delay, unless the simulator is stopped or reset before."""
        with self._idle:
            self._pending += 1
        threading.Thread(
            target=self._run, args=(receipt,), name="bandwidth-receipt", daemon=True
        ).start()

    def stop(self) -> None:
        """Close all connections to receivers, and wait for the threads for at most two seconds.

        ``stopping`` must be set before.  Only a connection that is being opened can last longer,
        and nothing is posted on it.
        """
        with self._idle:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._idle.wait_for(lambda: not self._pending, timeout=2)

    def _run(self, receipt: Receipt) -> None:
        try:
            self._deliver(receipt)
        finally:
            with self._idle:
                self._pending -= 1
                self._idle.notify_all()

    def _deliver(self, receipt: Receipt) -> None:
        for wait in receipt.waits:
            if self._stopping.wait(wait) or not self._state.holds(receipt.message):
                return
            outcome: int | str
            try:
                outcome = self._post(receipt)
            except (OSError, HTTPException, ValueError) as problem:
                outcome = type(problem).__name__
            # The log contains neither the URL, which may have a secret, nor the text of the error.
            self._log(f"receipt {receipt.content['type']} {outcome}")
            if isinstance(outcome, int) and 200 <= outcome < 300:
                return

    def _post(self, receipt: Receipt) -> int:
        # http.client, unlike urllib, uses no proxies and follows no redirects.
        parts = urlsplit(receipt.url)
        scheme = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = scheme(parts.netloc.rpartition("@")[2], timeout=TIMEOUT_SECONDS)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        with closing(connection):
            connection.connect()
            with self._ended_by_stop(connection.sock):
                connection.request("POST", target, json.dumps(receipt.content), _HEADERS)
                return connection.getresponse().status

    @contextmanager
    def _ended_by_stop(self, connection: socket.socket) -> Iterator[None]:
        with self._idle:
            if self._stopping.is_set():
                raise ConnectionAbortedError("The simulator is being stopped.")
            self._open.add(connection)
        try:
            yield
        finally:
            with self._idle:
                self._open.discard(connection)


def _outcome(fault: Fault | None) -> dict[str, object]:
    code = fault.error_code if fault is not None else None
    if code is None:
        return {"type": "message-delivered", "description": "ok"}
    description = _DESCRIPTIONS.get(code, "not delivered")
    return {"type": "message-failed", "description": description, "errorCode": code}
