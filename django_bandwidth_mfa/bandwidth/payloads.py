"""The bodies of requests to Bandwidth, which are checked before they are sent, and never shown.

The rules are those of Bandwidth's reference page and its published OpenAPI description
(https://dev.bandwidth.com/apis/mfa-apis/mfa/).  Where the two differ on ``digits`` (2 to 8, 4 to 8)
and on the expiration (over 0, from 1), the wider limit is used, and Bandwidth decides.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from .secret import Secret

# The form of numbers for Bandwidth: `^\+[1-9]\d{1,14}$`, in ASCII digits.  For `fullmatch`.
E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_CODE = re.compile(r"[0-9]{2,8}")


def _is_text(value: object, longest: int) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= longest


def _is_number(value: object, low: float, high: float) -> bool:
    """Return whether ``value`` is an int or float from ``low`` to ``high``, but not a bool."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def is_e164(value: object) -> bool:
    """Return whether ``value`` is a phone number in E.164 form, such as ``"+12025550143"``."""
    return isinstance(value, str) and E164.fullmatch(value) is not None


def is_http_url(value: object) -> bool:
    """Return whether ``value`` is an absolute http or https URL."""
    if not isinstance(value, str) or not value.isprintable() or " " in value:
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a wrong port or IPv6 address; the message would contain the URL
        return False


# For each argument: its name in JSON, a function that checks it, and the rule in words.
_RULES: dict[str, tuple[str, Callable[[object], bool], str]] = {
    "to": ("to", is_e164, "a phone number in E.164 form, such as +12025550143"),
    "from_": ("from", is_e164, "a phone number in E.164 form, such as +12025550143"),
    "application_id": (
        "applicationId",
        lambda value: _is_text(value, 50),
        "a text of 1 to 50 characters",
    ),
    "scope": ("scope", lambda value: _is_text(value, 25), "a text of 1 to 25 characters"),
    "message": (
        "message",
        lambda value: _is_text(value, 2048) and "{CODE}" in str(value),
        "a text of at most 2048 characters that contains {CODE}",
    ),
    "digits": (
        "digits",
        lambda value: isinstance(value, int) and _is_number(value, 2, 8),
        "an integer from 2 to 8",
    ),
    "code": (
        "code",
        lambda value: isinstance(value, str) and _CODE.fullmatch(value) is not None,
        "2 to 8 ASCII digits",
    ),
    "expiration_minutes": (
        "expirationTimeInMinutes",
        lambda value: _is_number(value, 0, 15) and value != 0,
        "a number over 0 and at most 15",
    ),
    "callback_url": ("callbackUrl", is_http_url, "an absolute http or https URL"),
}


class Payload:
    """The fields of one request, with the names of ``BandwidthClient``'s arguments.

    Creating it never raises, so that the caller can delete its own variables before any error.
    """

    __slots__ = ("_fields",)

    def __init__(self, **fields: object) -> None:
        self._fields = fields

    def __repr__(self) -> str:
        return f"<Payload of {', '.join(self._fields)}>"

    def validate(self) -> None:
        """Raise an error for the first field that is not valid.

        The value is never in a local variable here, because error pages show these.

        :raises ValueError: a field is not valid.  The message contains its name, but not its value.
        """
        for name in self._fields:
            _, holds, rule = _RULES[name]
            if not holds(self._fields[name]):
                raise ValueError(f"{name} must be {rule}.")
        if "code" in self._fields and len(str(self._fields["code"])) != self._fields["digits"]:
            raise ValueError("code must have exactly as many digits as the argument digits.")

    def encode(self) -> Secret[bytes]:
        return Secret(
            json.dumps({_RULES[name][0]: value for name, value in self._fields.items()}).encode()
        )
