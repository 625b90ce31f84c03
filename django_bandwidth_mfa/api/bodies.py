"""Read the JSON body of a request.  Any wrong body leads to a 4xx response."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, UnreadablePostError
from django.utils.translation import gettext as _

from .errors import APIError

# The largest body, in bytes.  A normal body has less than a thousand.
MAX_BODY = 16 * 1024


@dataclass(frozen=True)
class Text:
    """A field with a text.

    An optional field may be missing or null.  Both are read as None.

    :param longest: the most characters of the text.
    """

    required: bool = True
    longest: int = 100

    def is_valid(self, value: object) -> bool:
        """Return whether ``value`` is a text that can be stored and compared.

        PostgreSQL cannot store NUL, and a lone surrogate cannot be encoded.
        """
        if not isinstance(value, str) or len(value) > self.longest or "\x00" in value:
            return False
        return not any("\ud800" <= character <= "\udfff" for character in value)


@dataclass(frozen=True)
class Flag:
    """A field with true or false.  A missing field is read as None."""

    required: bool = False

    def is_valid(self, value: object) -> bool:
        return isinstance(value, bool)


Fields = Mapping[str, Text | Flag]


def check_content_type(request: HttpRequest) -> None:
    """Refuse a body that is not JSON, before it is read.

    A form of another site can send the content types of forms without a CORS preflight, but not
    JSON.

    :raises APIError: the request has a body of another type.
    """
    if _is_json(request):
        return
    # A request without a body needs no content type. Django's runserver gives it "text/plain".
    has_length = request.META.get("CONTENT_LENGTH") not in (None, "", "0")
    if has_length or request.content_type not in ("", "text/plain"):
        raise APIError("wrong_content_type")


def _is_json(request: HttpRequest) -> bool:
    charset = (request.content_params or {}).get("charset", "utf-8").lower()
    return request.content_type == "application/json" and charset in ("utf-8", "utf8")


def read_body(request: HttpRequest, fields: Fields) -> dict[str, Any]:
    """Return the body of ``request`` as a dict with all ``fields``.

    A missing body counts as an empty object.

    :raises APIError: the body does not match ``fields``.
    """
    try:
        # Read one byte more than is allowed, because the length in the header may be wrong.
        raw = request.read(MAX_BODY + 1)
    except UnreadablePostError:
        raise APIError("bad_json") from None
    if len(raw) > MAX_BODY:
        raise APIError("body_too_large")
    # On an async server a body can come without a length.
    if raw and not _is_json(request):
        raise APIError("wrong_content_type")
    body = _parse(raw) if raw else {}
    unknown = sorted(set(body) - set(fields))
    if unknown:
        # The message does not repeat the name, which is a text from the client.
        raise APIError("invalid", _("The request has a field that is not known here."))
    for name, field in fields.items():
        value = body.get(name)
        if value is None:
            if field.required:
                text = _("The field “%(name)s” is missing.") % {"name": name}
                raise APIError("invalid", text)
        elif not field.is_valid(value):
            raise APIError("invalid", _("The field “%(name)s” is not right.") % {"name": name})
    return {name: body.get(name) for name in fields}


def _parse(raw: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        # `from None`, so that an error report does not show the body.
        raise APIError("bad_json") from None
    if not isinstance(parsed, dict):
        raise APIError("bad_json")
    return parsed
