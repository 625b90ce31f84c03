"""Reading Bandwidth's answers: nothing counts that is not exactly the contract."""

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

# Seconds. Bandwidth's own wait is two minutes; nobody is locked out for days by one header.
MAX_RETRY_AFTER = 3600.0

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:=/-]{1,100}")
_WAIT = re.compile(r"wait (\d{1,5}) (second|minute|hour)", re.ASCII | re.IGNORECASE)
_UNITS = {"second": 1, "minute": 60, "hour": 3600}


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    # {"valid": false, "valid": true}: parsers disagree on which one counts, so neither does.
    if len(fields) != len(pairs):
        raise ValueError("a key twice")
    return fields


def _not_json(constant: str) -> NoReturn:
    raise ValueError(constant)  # NaN and Infinity, which Python's parser would take


def parse_object(body: bytes) -> dict[str, object] | None:
    """The JSON object in `body`, or `None`: not UTF-8, not JSON, not an object, a key twice."""
    try:
        fields = json.loads(
            body.decode("utf-8"), object_pairs_hook=_distinct, parse_constant=_not_json
        )
    except (ValueError, RecursionError):  # RecursionError: tens of thousands of "["
        return None
    return fields if isinstance(fields, dict) else None


def read_object(answer: Answer, endpoint: Endpoint) -> dict[str, object]:
    """The JSON object of a 200 answer.

    Raises:
        BandwidthError: the subclass that the status stands for, or `InvalidResponse`.
    """
    if answer.status != 200:
        raise _status_error(answer, endpoint)
    # A captive portal or a proxy's page is not Bandwidth, whatever its body looks like.
    fields = None if "text/html" in answer.content_type.lower() else parse_object(answer.body)
    if fields is None:
        raise InvalidResponse(
            "The answer is not a JSON object, so it is not Bandwidth's. Look for a proxy or a "
            "wrong base URL in between.",
            endpoint=endpoint,
            status=answer.status,
        )
    return fields


def read_id(answer: Answer, endpoint: Endpoint, name: str) -> str:
    """`messageId` or `callId`, in either spelling (an older page writes `MessageId`)."""
    identifier = _usable_id(read_object(answer, endpoint), name)
    if identifier is None:
        raise InvalidResponse(
            f"The answer has no usable {name}; the code may have been sent all the same.",
            endpoint=endpoint,
            status=answer.status,
        )
    return identifier


def read_verdict(answer: Answer) -> bool:
    """Return whether Bandwidth said that the code is right: `valid` is `true` or `false`, nothing
    else."""
    verdict = _verdict(read_object(answer, "verify"))
    if verdict is None:
        raise InvalidResponse(
            "The answer says neither that the code is valid nor that it is not.",
            endpoint="verify",
            status=answer.status,
        )
    return verdict


# These two do not raise, and the frames that do hold no field of the answer: a server may echo
# what it was sent, and error pages print locals.


def _usable_id(fields: dict[str, object], name: str) -> str | None:
    value = fields.get(name, fields.get(name[0].upper() + name[1:]))
    if isinstance(value, str) and 1 <= len(value) <= 200 and value.isprintable():
        return value
    return None


def _verdict(fields: dict[str, object]) -> bool | None:
    valid = fields.get("valid")
    # Identity, not truth: "true", 1 and {"valid": {}} let nobody in.
    return valid if valid is True or valid is False else None


def failure_error(failure: Failure, endpoint: Endpoint) -> BandwidthError:
    """The error for a request that got no whole answer.

    A token request carries no code and no number: when that one fails, the call itself was never
    made, whatever happened to the token request.
    """
    if failure.unreadable and failure.sent:
        return InvalidResponse(
            f"Bandwidth's answer could not be read: {failure.reason}.", endpoint=endpoint
        )
    if failure.sent and endpoint != "token":
        return UnknownOutcome(
            f"The request was sent, and no answer came back ({failure.reason}). Bandwidth may "
            "have acted on it.",
            endpoint=endpoint,
        )
    return Unreachable(
        f"Bandwidth could not be reached ({failure.reason}), so the call was not made. Try again "
        "later; check the network, the proxy and https://status.bandwidth.com.",
        endpoint=endpoint,
    )


_STATUS_ERRORS: dict[int, tuple[type[BandwidthError], str]] = {
    400: (
        BadRequest,
        "Bandwidth found the request invalid. Check the numbers and the application id.",
    ),
    401: (Unauthorized, "Bandwidth refused the credentials. Check them and the account id."),
    403: (
        Forbidden,
        "The credentials are wrong, or have no access. Check them and the account id; then ask "
        "Bandwidth to activate MFA.",
    ),
    429: (TooManyRequests, "Bandwidth asks to wait: too many wrong codes, or too many requests."),
}


def _status_error(answer: Answer, endpoint: Endpoint) -> BandwidthError:
    status = answer.status
    if endpoint == "token" and status == 400:  # "invalid_client" and its kin, RFC 6749, 5.2
        kind, message = _STATUS_ERRORS[401]
    elif status in _STATUS_ERRORS:
        kind, message = _STATUS_ERRORS[status]
    elif 500 <= status <= 599:
        kind, message = ServerError, "Bandwidth has a fault of its own. Try again later."
    else:
        kind = InvalidResponse
        message = "The status is none that Bandwidth documents. Check the base URL and the proxy."
    fields = parse_object(answer.body) or {}
    return kind(
        message,
        endpoint=endpoint,
        status=status,
        request_id=_request_id(fields),
        retry_after=_retry_after(answer, fields),
    )


def _request_id(fields: dict[str, object]) -> str | None:
    """`requestId`, if it can stand in a log line without forging another."""
    value = fields.get("requestId")
    return value if isinstance(value, str) and _REQUEST_ID.fullmatch(value) else None


def _retry_after(answer: Answer, fields: dict[str, object]) -> float | None:
    """Seconds, from the `Retry-After` header (RFC 9110, 10.2.3) or the text of a 429."""
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
