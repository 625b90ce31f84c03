"""The rules of Bandwidth's MFA API: the fields of requests, and the form of errors.

Source: the MFA reference page and the OpenAPI description.  If they differ, the wider limit is used
(``digits`` and the length of ``code`` from 2, ``expirationTimeInMinutes`` above 0), and a
verification needs only ``to``, ``code`` and ``expirationTimeInMinutes``.
"""

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeGuard
from urllib.parse import urlsplit

DEFAULT_SCOPE = "2FA"
MAX_EXPIRATION_MINUTES = 15

EXPLICIT_DENY = "User is not authorized to access this resource with an explicit deny"
MISSING_TOKEN = "Missing Authentication Token"  # noqa: S105 - the API gateway's words
TOO_MANY_WRONG = "This number has exceeded verification attempts, please wait {}"
THROTTLE_SECONDS = 120

# Not imported from the client on purpose: if the client's pattern is wrong, the simulator refuses
# the number, as Bandwidth would.
_E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_FORM = "application/x-www-form-urlencoded"
_URL = re.compile(r"[!-~]+")
_LABELS = {"to": "to number", "from": "from number"}
_MIN_DIGITS, _MAX_DIGITS = 2, 8


class ContractError(ValueError):
    """The request is not valid; the text is the ``error`` of the answer."""


@dataclass(frozen=True)
class CodeRequest:
    """A valid body of ``/code/messaging`` or ``/code/voice``."""

    to: str
    from_: str
    application_id: str
    message: str
    digits: int
    scope: str
    callback_url: str | None


@dataclass(frozen=True)
class VerifyRequest:
    """A valid body of ``/code/verify``.  Optional fields that are missing are None."""

    to: str
    code: str
    expiration_minutes: float
    scope: str
    from_: str | None
    application_id: str | None
    digits: int | None


def error_body(status: int, detail: str | None = None) -> dict[str, str]:
    """Return the body of Bandwidth's answer with this error status."""
    if status == HTTPStatus.UNAUTHORIZED:
        return {"message": "Unauthorized"}
    if status == HTTPStatus.FORBIDDEN:
        return {"Message": EXPLICIT_DENY}
    if detail is None:
        is_throttled = status == HTTPStatus.TOO_MANY_REQUESTS
        detail = too_many_wrong(THROTTLE_SECONDS) if is_throttled else "Bad Request"
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            detail = "Internal Error"
    return {"error": detail, "requestId": str(uuid.uuid4())}


def too_many_wrong(seconds: int) -> str:
    """Return the text of a 429, with the wait in words."""
    minutes, rest = divmod(seconds, 60)
    number, unit = (seconds, "second") if rest else (minutes, "minute")
    return TOO_MANY_WRONG.format(f"{number} {unit}{'' if number == 1 else 's'}")


def load_request(content_type: str, body: bytes) -> dict[str, object]:
    """Return the JSON object in the body of an API request.

    Bandwidth's own sample has no content type.  curl then sends that of a form, and other programs
    send none.  Both are accepted.

    :raises ContractError: another content type, or a body that is not a JSON object in UTF-8.
    """
    if _media_type(content_type) in ("", _FORM):
        return parse_object(body)
    return load_object(content_type, body)


def load_object(content_type: str, body: bytes) -> dict[str, object]:
    """Return the JSON object in the body of a request.

    :raises ContractError: the content type is not JSON, or the body is not a JSON object in UTF-8.
    """
    if _media_type(content_type) != "application/json":
        raise ContractError("Content-Type must be application/json")
    return parse_object(body)


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def parse_object(body: bytes) -> dict[str, object]:
    """Return the JSON object in ``body``.

    :raises ContractError: the body is not a JSON object in UTF-8.
    """
    try:
        data = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):  # RecursionError: nested some thousand levels deep
        raise ContractError("request body must be valid JSON in UTF-8") from None
    if not isinstance(data, dict):
        raise ContractError("request body must be a JSON object")
    return data


def parse_code_request(data: Mapping[str, object]) -> CodeRequest:
    """Return the checked body of a send.

    :raises ContractError: a field is wrong; the text names the first one.
    """
    to, from_ = _number(data, "to"), _number(data, "from")
    application_id = _text(data, "applicationId", 1, 50)
    message = _text(data, "message", 1, 2048)
    if "{CODE}" not in message:
        raise ContractError("message must contain {CODE}")
    callback_url = _url(data, "callbackUrl") if "callbackUrl" in data else None
    return CodeRequest(
        to, from_, application_id, message, _digits(data), _scope(data), callback_url
    )


def parse_verify_request(data: Mapping[str, object]) -> VerifyRequest:
    """Return the checked body of a verification.

    :raises ContractError: a field is wrong; the text names the first one.
    """
    return VerifyRequest(
        to=_number(data, "to"),
        code=_text(data, "code", _MIN_DIGITS, _MAX_DIGITS),
        expiration_minutes=_expiration(data),
        scope=_scope(data),
        from_=_number(data, "from") if "from" in data else None,
        application_id=_text(data, "applicationId", 1, 50) if "applicationId" in data else None,
        digits=_digits(data) if "digits" in data else None,
    )


def _required(data: Mapping[str, object], field: str) -> object:
    value = data.get(field)
    if value is None or value == "":
        raise ContractError(f"{_LABELS.get(field, field)} is required")
    return value


def _number(data: Mapping[str, object], field: str) -> str:
    value = _required(data, field)
    if not isinstance(value, str) or not _E164.fullmatch(value):
        raise ContractError(f"{_LABELS[field]} must be in E.164 format, such as +12025550123")
    return value


def _text(data: Mapping[str, object], field: str, shortest: int, longest: int) -> str:
    return _check_text(field, _required(data, field), shortest, longest)


def _check_text(field: str, value: object, shortest: int, longest: int) -> str:
    if not isinstance(value, str):
        raise ContractError(f"{field} must be a string")
    if not shortest <= len(value) <= longest:
        raise ContractError(f"{field} must be {shortest} to {longest} characters long")
    return value


def _url(data: Mapping[str, object], field: str) -> str:
    value = _text(data, field, 1, 2048)
    if not _is_http_url(value):
        raise ContractError(f"{field} must be an absolute http or https URL")
    return value


def _is_http_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        is_absolute = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a bad port or IPv6 address
        return False
    return bool(is_absolute and _URL.fullmatch(value))


def _scope(data: Mapping[str, object]) -> str:
    return _check_text("scope", data.get("scope", DEFAULT_SCOPE), 1, 25)


def _digits(data: Mapping[str, object]) -> int:
    value = _required(data, "digits")
    # 6.0 is an integer in JSON, but not in Python.
    if not _is_number(value) or value not in range(_MIN_DIGITS, _MAX_DIGITS + 1):
        raise ContractError(f"digits must be an integer from {_MIN_DIGITS} to {_MAX_DIGITS}")
    return int(value)


def _expiration(data: Mapping[str, object]) -> float:
    value = _required(data, "expirationTimeInMinutes")
    if not _is_number(value) or not 0 < value <= MAX_EXPIRATION_MINUTES:
        raise ContractError(
            f"expirationTimeInMinutes must be a number above 0 and at most {MAX_EXPIRATION_MINUTES}"
        )
    return float(value)


def _is_number(value: object) -> TypeGuard[int | float]:
    """Return whether ``value`` is a number in JSON, where true and false are not numbers."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
