"""The state of the simulated account: messages, codes, wrong tries and requests."""

import re
import secrets
import string
import threading
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import ne
from typing import Literal

from .contract import MAX_EXPIRATION_MINUTES, CodeRequest, VerifyRequest

Channel = Literal["sms", "voice"]

WRONG_WINDOW_SECONDS = 120
KEPT = 10_000
"""The most messages and requests that are kept; older ones are deleted."""

_PLACEHOLDER = re.compile(r"\{(CODE|NAME|SCOPE)\}")


class TooManyWrongCodesError(Exception):
    """There were too many wrong codes for the number, which must wait."""


@dataclass(frozen=True)
class Message:
    """A text message or a call, as it reached the phone."""

    id: str
    channel: Channel
    text: str
    code: str
    sent_at: float
    request: CodeRequest

    def as_json(self) -> dict[str, str]:
        """Return the message in the form of ``/inbox.json``."""
        return {
            "id": self.id,
            "channel": self.channel,
            "to": self.request.to,
            "from": self.request.from_,
            "text": self.text,
            "code": self.code,
            "sent_at": iso_utc(self.sent_at),
        }

    def passes(self, attempt: VerifyRequest, now: float) -> bool:
        """Return whether the attempt has the code of this message, and matches its request.

        ``from``, ``applicationId`` and ``digits`` may be missing, but must not differ.
        """
        sent = self.request
        return (
            attempt.code == self.code
            and now - self.sent_at <= attempt.expiration_minutes * 60
            and attempt.from_ in (None, sent.from_)
            and attempt.application_id in (None, sent.application_id)
            and attempt.digits in (None, sent.digits)
        )


class State:
    """The account of a simulator.  It is safe for threads.

    :param clock: returns the time in seconds since the epoch.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        name: str,
        max_wrong: int,
        throttle_seconds: int,
        fill_once: bool,
    ) -> None:
        self._clock = clock
        self._fill_once = fill_once
        self._name = name
        self._max_wrong = max_wrong
        self._throttle_seconds = throttle_seconds
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Delete everything."""
        with self._lock:
            self._messages: deque[Message] = deque(maxlen=KEPT)
            self._requests: deque[dict[str, object]] = deque(maxlen=KEPT)
            # A code belongs to a number and a scope.
            self._live: defaultdict[tuple[str, str], list[Message]] = defaultdict(list)
            self._wrong: defaultdict[str, list[float]] = defaultdict(list)
            self._blocked_until: dict[str, float] = {}

    def send(self, channel: Channel, request: CodeRequest) -> Message:
        """Create a code and deliver it.  Earlier codes stay valid until they expire."""
        now = self._clock()
        oldest = now - MAX_EXPIRATION_MINUTES * 60
        key = (request.to, request.scope)
        with self._lock:
            live = [old for old in self._live[key] if old.sent_at >= oldest]
            code = _draw(request.digits, [old.code for old in live])
            spoken = ", ".join(code) if channel == "voice" else code
            words = {"CODE": spoken, "NAME": self._name, "SCOPE": request.scope}
            message = Message(
                id=_call_id() if channel == "voice" else _message_id(now),
                channel=channel,
                text=self._fill(request.message, words),
                code=code,
                sent_at=now,
                request=request,
            )
            self._messages.appendleft(message)
            self._live[key] = [*live, message]
        return message

    def _fill(self, message: str, words: Mapping[str, str]) -> str:
        first = message.index("{CODE}")

        def word(placeholder: re.Match[str]) -> str:
            name = placeholder[1]
            is_repeated = name == "CODE" and placeholder.start() != first
            return placeholder[0] if is_repeated and self._fill_once else words[name]

        return _PLACEHOLDER.sub(word, message)

    def verify(self, attempt: VerifyRequest) -> bool:
        """Return whether the code is right.

        A right code can be used again: Bandwidth does not promise otherwise, and an application
        that relies on it must fail here.

        :raises TooManyWrongCodesError: there were ``max_wrong`` wrong codes for the number within
            two minutes, less than ``throttle_seconds`` ago.  A right code does not reset that
            count.
        """
        now = self._clock()
        with self._lock:
            if now < self._blocked_until.get(attempt.to, now):
                raise TooManyWrongCodesError
            live = self._live.get((attempt.to, attempt.scope), ())
            if any(message.passes(attempt, now) for message in live):
                return True
            recent = [at for at in self._wrong[attempt.to] if now - at < WRONG_WINDOW_SECONDS]
            self._wrong[attempt.to] = [*recent, now]
            if len(self._wrong[attempt.to]) >= self._max_wrong:
                del self._wrong[attempt.to]
                self._blocked_until[attempt.to] = now + self._throttle_seconds
            return False

    def record(self, path: str, body: object) -> None:
        """Store a request for ``/requests.json``."""
        with self._lock:
            self._requests.append({"path": path, "body": body, "at": iso_utc(self._clock())})

    def holds(self, message: Message) -> bool:
        """Return whether the message is still stored."""
        with self._lock:
            return message in self._messages

    @property
    def messages(self) -> list[Message]:
        """The sent messages, the newest first."""
        with self._lock:
            return list(self._messages)

    @property
    def requests(self) -> list[dict[str, object]]:
        """The received requests, the oldest first: ``path``, ``body``, ``at``."""
        with self._lock:
            return list(self._requests)


def _draw(digits: int, others: Collection[str]) -> str:
    """Return a random code that differs from each of ``others`` in two digits or more.

    So a test that changes one digit of a code never types another valid code by chance.  If there
    are too many others, the result is any random code.
    """
    for _ in range(100):
        code = f"{secrets.randbelow(10**digits):0{digits}}"
        if all(sum(map(ne, code, other)) > 1 for other in others if len(other) == digits):
            break
    return code


def _message_id(now: float) -> str:
    """Return an id like Bandwidth's: milliseconds, then letters and digits; 29 characters."""
    ending = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(16))
    return f"{int(now * 1000):013}{ending}"


def _call_id() -> str:
    """Return an id like Bandwidth's, with 47 characters."""
    return f"c-{secrets.token_hex(4)}-{uuid.uuid4()}"


def iso_utc(at: float, timespec: str = "milliseconds") -> str:
    """Return a moment in ISO 8601, UTC: ``2026-01-31T12:00:00.000Z``.

    ``timespec`` as for ``datetime.isoformat``.
    """
    return datetime.fromtimestamp(at, UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
