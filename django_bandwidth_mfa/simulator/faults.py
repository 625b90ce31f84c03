"""Faults: requests and receipts that fail on purpose, as set by ``POST /faults``."""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, fields
from http import HTTPStatus
from typing import Any, cast

ENDPOINTS = ("messaging", "voice", "verify", "token")
RECEIPT = "receipt"
MAX_DELAY_SECONDS = 600

_TARGETS = (*ENDPOINTS, "all", RECEIPT)
_HEADER_VALUE = re.compile(r"[\x20-\x7e]+")


@dataclass(eq=False)
class Fault:
    """A failure of requests or receipts.  A field that is not set changes nothing.

    :param on: an endpoint; ``"all"`` endpoints; or ``"receipt"``, which ``"all"`` does not include.
    :param status: the HTTP status of an answer that is sent without handling the request, so that
        nothing is sent or verified.  Without a ``body``, the answer has Bandwidth's own form.
    :param times: how many requests or receipts fail; None until the fault is cleared.
    :param delay: the seconds before anything else happens.  Without another field, the request is
        then handled normally.
    :param drop: handle the request, and then close the connection without an answer, so that the
        client cannot know whether the request arrived.
    :param body: the body of an answer that is sent without handling the request.  Without a
        ``status``, the status is 200.
    :param content_type: the content type of the answer.  Without another field, the request is
        handled normally.
    :param error_code: only for receipts: the receipt says that the message failed with this code;
        4432 is "forbidden to country".

    A fault on ``"receipt"`` is for the receipts of messages that are sent from now on, with all
    their tries.  There, ``drop`` means that the receipt is never posted, and ``delay`` that it is
    posted so many seconds later.  The other fields are not allowed there.

    :raises ValueError: a value is not allowed; the text says what is allowed.
    """

    on: str
    status: int | None = None
    times: int | None = None
    delay: float | None = None
    drop: bool = False
    body: str | None = None
    content_type: str | None = None
    error_code: int | None = None

    def __post_init__(self) -> None:
        self._check_values()
        if self.on == RECEIPT:
            self._check_receipt()
        else:
            self._check_request()

    @property
    def replaces_answer(self) -> bool:
        """Whether the answer is that of the fault, so that the request is not handled."""
        return self.status is not None or self.body is not None

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> "Fault":
        """Return the fault that a JSON object describes.

        :raises ValueError: a value is not allowed; the text says what is allowed.
        """
        names = [field.name for field in fields(cls)]
        if unknown := sorted(set(data) - set(names)):
            raise ValueError(
                f"Unknown fields: {', '.join(unknown)}. Known fields: {', '.join(names)}."
            )
        if "on" not in data:
            raise ValueError(f'"on" is missing. It must be one of {", ".join(_TARGETS)}.')
        # The class checks each value.
        return cls(**cast(dict[str, Any], data))

    def as_json(self) -> dict[str, object]:
        """Return the fields that are set."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: value
            for name, value in values.items()
            if value is not None and value is not False
        }

    def _check_values(self) -> None:
        if self.on not in _TARGETS:
            raise ValueError(f'"on" must be one of {", ".join(_TARGETS)}.')
        if self.status is not None and not _is_whole(self.status, HTTPStatus.OK, 599):
            raise ValueError('"status" must be an HTTP status from 200 to 599.')
        if self.times is not None and not _is_whole(self.times, 1, 1_000_000):
            raise ValueError(
                '"times" must be a whole number from 1 to 1000000. Without it, the fault stays '
                "until you clear it."
            )
        if self.delay is not None and (
            type(self.delay) not in (int, float) or not 0 <= self.delay <= MAX_DELAY_SECONDS
        ):
            raise ValueError(f'"delay" must be a number of seconds from 0 to {MAX_DELAY_SECONDS}.')
        if not isinstance(self.drop, bool):
            raise ValueError('"drop" must be true or false.')
        if self.body is not None and not isinstance(self.body, str):
            raise ValueError('"body" must be a string, the body of the answer.')
        # With a line break in the value, the caller could add headers.
        if self.content_type is not None and not (
            isinstance(self.content_type, str) and _HEADER_VALUE.fullmatch(self.content_type)
        ):
            raise ValueError(
                '"content_type" must be one line of ASCII characters, such as "text/html".'
            )
        if self.error_code is not None and not _is_whole(self.error_code, 1, 99_999):
            raise ValueError('"error_code" must be a whole number from 1 to 99999, such as 4432.')

    def _check_receipt(self) -> None:
        if self.replaces_answer or self.content_type:
            raise ValueError(
                "A receipt is not an answer, so leave out status, body and content_type."
            )
        if self.drop and self.error_code is not None:
            raise ValueError('With "drop" no receipt is posted, so leave out error_code.')
        if not (self.drop or self.error_code is not None or self.delay is not None):
            raise ValueError("A fault on a receipt must set drop, delay or error_code.")

    def _check_request(self) -> None:
        if self.error_code is not None:
            raise ValueError(f'"error_code" is only for receipts: set "on" to "{RECEIPT}".')
        if self.drop and (self.replaces_answer or self.content_type):
            raise ValueError(
                'With "drop" no answer is sent, so leave out status, body and content_type.'
            )
        if not (self.replaces_answer or self.drop or self.content_type or self.delay is not None):
            raise ValueError("A fault must set status, delay, drop, body or content_type.")


class Faults:
    """The active faults.  It is safe for threads.

    Each request or receipt gets at most one fault: first the faults with a count, in the order in
    which they were added; then the newest fault without a count.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Add a fault."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Delete all faults."""
        with self._lock:
            self._faults = []

    def take(self, target: str) -> Fault | None:
        """Return the fault for this endpoint or receipt, and count it; None if there is none."""
        names = (target, "all") if target in ENDPOINTS else (target,)
        with self._lock:
            hits = [fault for fault in self._faults if fault.on in names]
            for fault in hits:
                if fault.times is not None:
                    fault.times -= 1
                    if not fault.times:
                        self._faults.remove(fault)
                    return fault
            return hits[-1] if hits else None

    def as_json(self) -> list[dict[str, object]]:
        """Return the active faults, the oldest first, with the remaining counts."""
        with self._lock:
            return [fault.as_json() for fault in self._faults]


def _is_whole(value: object, lowest: int, highest: int) -> bool:
    return type(value) is int and lowest <= value <= highest
