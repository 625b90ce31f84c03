"""Read Bandwidth's answers.  Any answer that does not match the documentation is an error."""

from __future__ import annotations

import email.utils
import json
import re
import time
from datetime import UTC
from typing import NoReturn

from .errors import (
    BadRequest,
    BandwidthError,
    Endpoint,
    Forbidden,
    InvalidResponse,
    ServerError,
    TooManyRequests,
    Unauthorized,
    UnknownOutcome,
    Unreachable,
)
from .transport import Answer, Failure

# The longest wait that is accepted, in seconds.  Bandwidth asks for two minutes.
MAX_RETRY_AFTER = 3600.0

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:=/-]{1,100}")
_WAIT = re.compile(r"wait (\d{1,5}) (second|minute|hour)", re.ASCII | re.IGNORECASE)
_UNITS = {"second": 1, "minute": 60, "hour": 3600}


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    # {"valid": false, "valid": true}: parsers differ in which value they take, so it is refused.
    if len(fields) != len(pairs):
        raise ValueError("a key twice")
    return fields


def _not_json(constant: str) -> NoReturn:
    raise ValueError(constant)  # NaN and Infinity, which Python's parser accepts, are not JSON


def parse_object(body: bytes) -> dict[str, object] | None:
    """Return the JSON object in ``body``.

    It is None if the body is not UTF-8, not JSON or not an object, or has a key twice.
    """
    try:
        fields = json.loads(
            body.decode("utf-8"), object_pairs_hook=_distinct, parse_constant=_not_json
        )
    except (ValueError, RecursionError):  # RecursionError: tens of thousands of "["
        return None
    return fields if isinstance(fields, dict) else None


def read_object(answer: Answer, endpoint: Endpoint) -> dict[str, object]:
    """Return the JSON object of an answer with the status 200.

    :raises BandwidthError: the subclass for the status; ``InvalidResponse`` if it is not JSON.
    """
    if answer.status != 200:
        raise _status_error(answer, endpoint)
    # HTML comes from a captive portal or a proxy, not from Bandwidth.
    fields = None if "text/html" in answer.content_type.lower() else parse_object(answer.body)
    if fields is None:
        raise InvalidResponse(
            "The answer is not a JSON object, so it does not come from Bandwidth. Check the base "
            "URL, and whether a proxy answers instead.",
            endpoint=endpoint,
            status=answer.status,
        )
    return fields


def read_id(answer: Answer, endpoint: Endpoint, name: str) -> str:
    """Return the field ``name``, ``"messageId"`` or ``"callId"``, of an answer.

    An older page of Bandwidth's documentation writes ``MessageId``, which is accepted, too.

    :raises BandwidthError: the answer has no such field, or is an error.
    """
    identifier = _usable_id(read_object(answer, endpoint), name)
    if identifier is None:
        raise InvalidResponse(
            f"The answer has no valid {name}. The code may have been sent.",
            endpoint=endpoint,
            status=answer.status,
        )
    return identifier


def read_verdict(answer: Answer) -> bool:
    """Return whether Bandwidth answered that the code is right.

    :raises BandwidthError: the field ``valid`` is not ``true`` or ``false``, or it is an error.
    """
    verdict = _verdict(read_object(answer, "verify"))
    if verdict is None:
        raise InvalidResponse(
            "The answer does not say whether the code is valid.",
            endpoint="verify",
            status=answer.status,
        )
    return verdict


# These two functions do not raise, and the functions that raise have no variable with a field of
# the answer: a server may return the secret values that it received, and error pages show local
# variables.


def _usable_id(fields: dict[str, object], name: str) -> str | None:
    value = fields.get(name, fields.get(name[0].upper() + name[1:]))
    if isinstance(value, str) and 1 <= len(value) <= 200 and value.isprintable():
        return value
    return None


def _verdict(fields: dict[str, object]) -> bool | None:
    valid = fields.get("valid")
    # Compare with `is`: "true", 1 and other true values must not count as a right code.
    return valid if valid is True or valid is False else None


def failure_error(failure: Failure, endpoint: Endpoint) -> BandwidthError:
    """Return the error for a request without a complete answer.

    A request for a token contains no code and no number.  If it fails, the call itself was not
    made.
    """
    if failure.unreadable and failure.sent:
        return InvalidResponse(
            f"Bandwidth's answer could not be read: {failure.reason}.", endpoint=endpoint
        )
    if failure.sent and endpoint != "token":
        return UnknownOutcome(
            f"The request was sent, but no answer arrived ({failure.reason}). Bandwidth may have "
            "sent the code, or counted the try.",
            endpoint=endpoint,
        )
    return Unreachable(
        f"Bandwidth could not be reached ({failure.reason}), so the call was not made. Try again "
        "later. Check the network, the proxy and https://status.bandwidth.com.",
        endpoint=endpoint,
    )


_STATUS_ERRORS: dict[int, tuple[type[BandwidthError], str]] = {
    400: (
        BadRequest,
        "Bandwidth says that the request is not valid. Check the numbers and the application id.",
    ),
    401: (Unauthorized, "Bandwidth refused the credentials. Check them and the account id."),
    403: (
        Forbidden,
        "The credentials are wrong, or have no access to MFA. Check them and the account id. If "
        "they are right, ask Bandwidth to activate MFA.",
    ),
    429: (
        TooManyRequests,
        "Bandwidth received too many wrong codes or too many requests, and asks for a wait.",
    ),
}


def _status_error(answer: Answer, endpoint: Endpoint) -> BandwidthError:
    status = answer.status
    if endpoint == "token" and status == 400:  # "invalid_client" and similar errors, RFC 6749, 5.2
        kind, message = _STATUS_ERRORS[401]
    elif status in _STATUS_ERRORS:
        kind, message = _STATUS_ERRORS[status]
    elif 500 <= status <= 599:
        kind, message = ServerError, "Bandwidth has an internal error. Try again later."
    else:
        kind = InvalidResponse
        message = "Bandwidth does not document this status. Check the base URL and the proxy."
    fields = parse_object(answer.body) or {}
    return kind(
        message,
        endpoint=endpoint,
        status=status,
        request_id=_request_id(fields),
        retry_after=_retry_after(answer, fields),
    )


def _request_id(fields: dict[str, object]) -> str | None:
    """Return ``requestId``; None if it is missing, or if it could forge a log line."""
    value = fields.get("requestId")
    return value if isinstance(value, str) and _REQUEST_ID.fullmatch(value) else None


def _retry_after(answer: Answer, fields: dict[str, object]) -> float | None:
    """Return the wait in seconds, from ``Retry-After`` (RFC 9110, 10.2.3) or the text of a 429."""
    header = answer.retry_after.strip()
    seconds: float | None = None
    if re.fullmatch(r"[0-9]{1,9}", header):
        seconds = float(header)
    elif header:
        seconds = _seconds_until(header)
    if seconds is None and answer.status == 429:
        text = fields.get("error")
        if isinstance(text, str) and (wait := _WAIT.search(text)):
            seconds = float(wait[1]) * _UNITS[wait[2].lower()]
    return None if seconds is None else min(max(seconds, 0.0), MAX_RETRY_AFTER)


def _seconds_until(http_date: str) -> float | None:
    try:
        moment = email.utils.parsedate_to_datetime(http_date)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
