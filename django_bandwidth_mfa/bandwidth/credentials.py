"""The credentials of a call: an OAuth 2.0 token, or HTTP Basic."""

from __future__ import annotations

import base64
import re
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from .answers import failure_error, parse_object, read_object
from .errors import InvalidResponse, Unreachable
from .secret import Secret
from .transport import Deadline, Failure, PerProcess, Transport

# A token is not used any more when it has only this many seconds left.
MARGIN = 60.0

# After a 403, a token is renewed only if it is older than so many seconds, and not more often.  A
# 403 can mean wrong credentials, or no access to MFA, which can last for days.
RENEWAL = 60.0

# The claims of a token that are shown to people, and the allowed form of their values.
_SHOWN_CLAIMS = ("accounts", "roles")
_SHOWN_VALUE = re.compile(r"[A-Za-z0-9_ .:/@-]{1,100}")
_MOST_VALUES = 50

# RFC 6750, 2.1.  Any other character could add headers to our requests.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,8192}=*")


class Credentials(Protocol):
    """The source of the ``Authorization`` header of a call."""

    def authorization(
        self, deadline: Deadline, refused: Secret[str] | None = None
    ) -> Secret[str]: ...

    def may_renew(self, status: int, refused: Secret[str]) -> bool: ...

    def claims(self, deadline: Deadline) -> dict[str, list[str]]: ...


def basic(user: Secret[str], password: Secret[str]) -> Secret[str]:
    """Return the header of HTTP Basic (RFC 7617), in UTF-8."""
    return Secret(
        "Basic " + base64.b64encode(f"{user.reveal()}:{password.reveal()}".encode()).decode()
    )


class BasicCredentials:
    """The username and password of an API user.  The header is always the same."""

    def __init__(self, username: Secret[str], password: Secret[str]) -> None:
        self._header = basic(username, password)

    def authorization(self, deadline: Deadline, refused: Secret[str] | None = None) -> Secret[str]:
        return self._header

    def may_renew(self, status: int, refused: Secret[str]) -> bool:
        return False

    def claims(self, deadline: Deadline) -> dict[str, list[str]]:
        return {}


@dataclass(frozen=True)
class _Token:
    """An ``Authorization`` header, and the moments of its creation and its end.

    Moments are those of the monotonic clock.
    """

    header: Secret[str]
    born: float
    ends: float


class OAuthCredentials:
    """OAuth 2.0 client credentials (RFC 6749, 4.4), with a cached token.

    One thread requests a token.  Other threads wait for it, until their own deadlines.
    """

    def __init__(
        self, client_id: Secret[str], client_secret: Secret[str], transport: Transport, url: str
    ) -> None:
        self._client = basic(client_id, client_secret)
        self._transport = transport
        self._url = url
        self._lock = PerProcess(threading.Lock)
        self._token: _Token | None = None
        self._renewed = -RENEWAL  # when a refused token was last dropped, by the monotonic clock

    def authorization(self, deadline: Deadline, refused: Secret[str] | None = None) -> Secret[str]:
        """Return the header to send.

        :param refused: a header that just got a 401 or 403, and is not returned again; None for
            none.
        :raises BandwidthError: no token could be obtained.  The call itself was not made, so
            ``may_have_arrived`` is False.
        """
        header = self._usable(refused)
        if header is not None:
            return header
        lock = self._lock.get()
        if not lock.acquire(timeout=deadline.remaining()):
            raise Unreachable(
                "No token arrived in time, so the call was not made. Try again later.",
                endpoint="token",
            )
        try:
            header = self._usable(refused)  # another thread may have fetched it meanwhile
            if header is None:
                if refused is not None:
                    # Before the request, so that a failed one counts, too.
                    self._renewed = time.monotonic()
                self._token = self._fetch(deadline)
                header = self._token.header
            return header
        finally:
            lock.release()

    def may_renew(self, status: int, refused: Secret[str]) -> bool:
        """Return whether a call that got ``status`` should be repeated with another token.

        After a 401 it should, because the token may have been revoked.  After a 403, which
        Bandwidth also sends for wrong credentials, it should only if the token is older than a
        minute, and at most once a minute.
        """
        if status != HTTPStatus.FORBIDDEN:
            return status == HTTPStatus.UNAUTHORIZED
        token = self._token
        if token is None or token.header is not refused:
            return True  # another thread has renewed it
        now = time.monotonic()
        return now - token.born > RENEWAL and now - self._renewed >= RENEWAL

    def claims(self, deadline: Deadline) -> dict[str, list[str]]:
        """Return the claims ``accounts`` and ``roles`` of the token, if it has them.

        Its signature is not checked, so only show the claims to people.

        :raises BandwidthError: no token could be obtained.
        """
        return _shown_claims(self.authorization(deadline))

    def _usable(self, refused: Secret[str] | None) -> Secret[str] | None:
        token = self._token
        if token is None or token.header is refused or time.monotonic() >= token.ends:
            return None
        return token.header

    def _fetch(self, deadline: Deadline) -> _Token:
        asked = time.monotonic()
        outcome = self._transport.post(
            self._url,
            body=Secret(b"grant_type=client_credentials"),
            content_type="application/x-www-form-urlencoded",
            authorization=self._client,
            deadline=deadline,
        )
        if isinstance(outcome, Failure):
            raise failure_error(outcome, "token")
        grant = _Grant(read_object(outcome, "token"))
        if not grant.is_sound():
            raise InvalidResponse(
                "The answer of the token endpoint is not a token. Check the token URL.",
                endpoint="token",
                status=outcome.status,
            )
        return _Token(grant.header(), asked, asked + grant.seconds() - MARGIN)


def _shown_claims(header: Secret[str]) -> dict[str, list[str]]:
    # A JSON Web Token (RFC 7519) has three parts.  Only the second one is revealed, which cannot be
    # used without the third one.
    payload = "".join(header.reveal().split(".")[1:2])
    try:
        decoded = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    except ValueError:
        return {}
    fields = parse_object(decoded) or {}
    claims = {name: _shown_values(fields.get(name)) for name in _SHOWN_CLAIMS}
    return {name: values for name, values in claims.items() if values}


def _shown_values(claim: object) -> list[str]:
    """Return the values that are safe to show; a token could contain control characters."""
    values = claim if isinstance(claim, list) else [claim]
    texts = [str(value) for value in values if type(value) in (str, int)]
    return [text for text in texts if _SHOWN_VALUE.fullmatch(text)][:_MOST_VALUES]


class _Grant:
    """The answer of the token endpoint, in a form that error pages do not show."""

    __slots__ = ("_fields",)

    def __init__(self, fields: dict[str, object]) -> None:
        self._fields = fields

    def is_sound(self) -> bool:
        token, kind = self._fields.get("access_token"), self._fields.get("token_type")
        seconds = self._fields.get("expires_in")
        return (
            isinstance(token, str)
            and _TOKEN.fullmatch(token) is not None
            and isinstance(kind, str)
            and kind.lower() == "bearer"
            and isinstance(seconds, int | float)
            and not isinstance(seconds, bool)
            and 0 < seconds < 10**9
        )

    def header(self) -> Secret[str]:
        return Secret(f"Bearer {self._fields['access_token']}")

    def seconds(self) -> float:
        seconds = self._fields["expires_in"]
        return float(seconds) if isinstance(seconds, int | float) else 0.0
