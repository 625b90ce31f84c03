"""How a call proves who makes it: an OAuth 2.0 token, or HTTP Basic."""

from __future__ import annotations

import base64
import re
import threading
import time
from typing import Protocol

from .answers import failure_error, read_object
from .errors import InvalidResponse, Unreachable
from .secret import Secret
from .transport import Deadline, Failure, PerProcess, Transport

# Seconds before its end at which a token is no longer used.
MARGIN = 60.0

# RFC 6750, 2.1. Anything else could add headers to our requests.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,8192}=*")


class Credentials(Protocol):
    """Where a call's `Authorization` header comes from."""

    renewable: bool

    def authorization(
        self, deadline: Deadline, refused: Secret[str] | None = None
    ) -> Secret[str]: ...


def basic(user: Secret[str], password: Secret[str]) -> Secret[str]:
    """The header of HTTP Basic, RFC 7617, in UTF-8."""
    return Secret(
        "Basic " + base64.b64encode(f"{user.reveal()}:{password.reveal()}".encode()).decode()
    )


class BasicCredentials:
    """An API user's name and password, the same header every time."""

    renewable = False

    def __init__(self, username: Secret[str], password: Secret[str]) -> None:
        self._header = basic(username, password)

    def authorization(self, deadline: Deadline, refused: Secret[str] | None = None) -> Secret[str]:
        return self._header


class OAuthCredentials:
    """OAuth 2.0 client credentials (RFC 6749, 4.4), with the token kept until it ends.

    One thread fetches a token, the others wait for it, each no longer than its own deadline.
    """

    renewable = True

    def __init__(
        self, client_id: Secret[str], client_secret: Secret[str], transport: Transport, url: str
    ) -> None:
        self._client = basic(client_id, client_secret)
        self._transport = transport
        self._url = url
        self._lock = PerProcess(threading.Lock)
        # The header, and the moment of the monotonic clock at which to stop using it.
        self._token: tuple[Secret[str], float] | None = None

    def authorization(self, deadline: Deadline, refused: Secret[str] | None = None) -> Secret[str]:
        """The header to send. `refused` is one that just got a 401, and is not given again.

        Raises:
            BandwidthError: there is no token to be had; the call that needs it was not made, so
                `may_have_arrived` is `False`.
        """
        header = self._usable(refused)
        if header is not None:
            return header
        lock = self._lock.get()
        if not lock.acquire(timeout=deadline.remaining()):
            raise Unreachable(
                "No token came in time, so the call was not made. Try again later.",
                endpoint="token",
            )
        try:
            header = self._usable(refused)  # another thread may have fetched it meanwhile
            if header is None:
                self._token = self._fetch(deadline)
                header = self._token[0]
            return header
        finally:
            lock.release()

    def _usable(self, refused: Secret[str] | None) -> Secret[str] | None:
        token = self._token
        if token is None or token[0] is refused or time.monotonic() >= token[1]:
            return None
        return token[0]

    def _fetch(self, deadline: Deadline) -> tuple[Secret[str], float]:
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
                "The token endpoint's answer is no token. Check the token URL.",
                endpoint="token",
                status=outcome.status,
            )
        return grant.header(), asked + grant.seconds() - MARGIN


class _Grant:
    """The token endpoint's answer, which no error page may print."""

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
