"""The rules of Bandwidth's MFA API: what a request must hold, and how an error looks.

Source: the MFA reference page and the OpenAPI description. Where they differ the wider bound
holds (``digits`` and the length of ``code`` from 2, ``expirationTimeInMinutes`` above 0), and a
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

# On purpose not imported from the client: the simulator stands for Bandwidth, so that a mistake in
# the client's pattern shows as a refused number.
_E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_FORM = "application/x-www-form-urlencoded"
_URL = re.compile(r"[!-~]+")
_LABELS = {"to": "to number", "from": "from number"}
_MIN_DIGITS, _MAX_DIGITS = 2, 8


class ContractError(ValueError):
    """The request breaks a rule of the contract; the text is the answer's ``error``."""


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
    """A valid body of ``/code/verify``. What it may leave out is None."""

    to: str
    code: str
    expiration_minutes: float
    scope: str
    from_: str | None
    application_id: str | None
    digits: int | None


def error_body(status: int, detail: str | None = None) -> dict[str, str]:
    """Return what Bandwidth answers with this error status: each has its own shape."""
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
    """Return the text of a 429, with its wait in words."""
    minutes, rest = divmod(seconds, 60)
    number, unit = (seconds, "second") if rest else (minutes, "minute")
    return TOO_MANY_WRONG.format(f"{number} {unit}{'' if number == 1 else 's'}")


def load_request(content_type: str, body: bytes) -> dict[str, object]:
    """Return the JSON object that an API request carries.

    Bandwidth's own sample names no content type. curl then says that the body is a form, and other
    programs say nothing. Both are taken.

    Raises ContractError for another content type, and as parse_object does.
    """
    if _media_type(content_type) in ("", _FORM):
        return parse_object(body)
    return load_object(content_type, body)


def load_object(content_type: str, body: bytes) -> dict[str, object]:
    """Return the JSON object that a request carries.

    Raises ContractError if the content type is not JSON, and as parse_object does.
    """
    if _media_type(content_type) != "application/json":
        raise ContractError("Content-Type must be application/json")
    return parse_object(body)


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def parse_object(body: bytes) -> dict[str, object]:
    """Return the JSON object. Raises ContractError if the body is none, or is not in UTF-8."""
    try:
        data = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):  # RecursionError: nested some thousand levels deep
        raise ContractError("request body must be valid JSON in UTF-8") from None
    if not isinstance(data, dict):
        raise ContractError("request body must be a JSON object")
    return data


def parse_code_request(data: Mapping[str, object]) -> CodeRequest:
    """Return the checked body of a send. Raises ContractError, naming the first wrong field."""
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
    """Return the checked body of a verification. Raises as parse_code_request does."""
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
    # 6.0 is an integer to JSON but not to Python.
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
    """Say whether it is a number in JSON. There, unlike in Python, true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
