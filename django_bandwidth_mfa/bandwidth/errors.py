"""What can go wrong between us and Bandwidth, told so that a caller can act on it.

The question that a caller must answer after a failure is whether Bandwidth may have acted: sent
the code, or counted a try. Every error says so in `may_have_arrived`.
"""

from __future__ import annotations

from typing import Literal

Endpoint = Literal["messaging", "voice", "verify", "token"]


class BandwidthError(Exception):
    """Base of every error that `BandwidthClient` raises, bad arguments (`ValueError`) aside.

    The text never holds a credential, a code, a phone number or what the server wrote; it can be
    logged as it is.

    Attributes:
        may_have_arrived: whether Bandwidth may have acted on the call. `False` means that no code
            was sent, no try was counted and nothing is billed: the call was never made, or was
            answered with a 4xx or 5xx status.
        endpoint: which request failed: `"messaging"`, `"voice"`, `"verify"`, or `"token"` for the
            OAuth 2.0 token that precedes one of them. After a `"token"` failure
            `may_have_arrived` is always `False`.
        status: the HTTP status, if there was an answer.
        request_id: Bandwidth's `requestId`, which its support asks for.
        retry_after: seconds to wait before the next try, 0 to 3600, if the server said so.
    """

    may_have_arrived: bool = False

    def __init__(
        self,
        message: str,
        *,
        endpoint: Endpoint | None = None,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.endpoint = endpoint
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after

    def __str__(self) -> str:
        known = {
            "endpoint": self.endpoint,
            "status": self.status,
            "request id": self.request_id,
            "retry after": self.retry_after,
        }
        details = ", ".join(f"{name} {value}" for name, value in known.items() if value is not None)
        return f"{super().__str__()} ({details})" if details else super().__str__()


class BadRequest(BandwidthError):
    """400: Bandwidth found the request malformed or a field invalid."""


class Unauthorized(BandwidthError):
    """401: the credentials are missing or wrong, or the account id is.

    Also 400 or 401 of the token endpoint, which is how OAuth 2.0 refuses a client
    (RFC 6749, section 5.2). With OAuth 2.0 a fresh token was tried before this is raised.
    """


class Forbidden(BandwidthError):
    """403: the credentials are wrong, or have no access to the MFA product or to this account.

    With OAuth 2.0 and a token older than a minute, a fresh token was tried before this is raised,
    once a minute at most.
    """


class TooManyRequests(BandwidthError):
    """429: too many wrong codes for this number, or the account's rate limit.

    From `endpoint == "token"` it says nothing about the number.
    """


class ServerError(BandwidthError):
    """5xx: Bandwidth's own fault. Not billed."""


class Unreachable(BandwidthError):
    """The call was never made.

    No address, no connection, no TLS, no proxy, no token in time: whatever failed, not one byte of
    the API request had been written.
    """


class NoFreePlace(BandwidthError):
    """The call was never made: too many others were under way, and none ended in time.

    It says nothing about Bandwidth.
    """


class UnknownOutcome(BandwidthError):
    """The API request was written, and no whole answer came back.

    A read time-out or a dropped connection: the code may have been sent, the try may have been
    counted. Never repeated by the client.
    """

    may_have_arrived = True


class InvalidResponse(BandwidthError):
    """An answer came that is not the contract: another status, not JSON, a field missing, too long.

    `may_have_arrived` is `True`, unless the status is 4xx or 5xx or the answer was the token
    endpoint's.
    """

    may_have_arrived = True

    def __init__(
        self,
        message: str,
        *,
        endpoint: Endpoint | None = None,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(
            message,
            endpoint=endpoint,
            status=status,
            request_id=request_id,
            retry_after=retry_after,
        )
        if endpoint == "token" or (status is not None and 400 <= status <= 599):
            self.may_have_arrived = False
