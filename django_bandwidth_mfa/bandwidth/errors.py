"""The errors of calls to Bandwidth.

After a failure, the caller must know whether Bandwidth may have acted, that is, sent the code or
counted a try.  The attribute ``may_have_arrived`` of each error says so.
"""

from __future__ import annotations

from typing import Literal

Endpoint = Literal["messaging", "voice", "verify", "token"]


class BandwidthError(Exception):
    """The base class of all errors of ``BandwidthClient``, except ``ValueError`` for arguments.

    The text never contains a credential, a code, a phone number or a text of the server, so it can
    be logged.

    .. attribute:: may_have_arrived

        Whether Bandwidth may have acted on the call.  False means that no code was sent, no try was
        counted and nothing is billed: the call was not made, or its answer had a 4xx or 5xx status.

    .. attribute:: endpoint

        The request that failed: ``"messaging"``, ``"voice"``, ``"verify"``, or ``"token"`` for the
        request of an OAuth 2.0 token before one of these.  After a ``"token"`` failure
        ``may_have_arrived`` is always ``False``.

    .. attribute:: status

        The HTTP status; None without an answer.

    .. attribute:: request_id

        Bandwidth's ``requestId``, which its support asks for; None if it is not known.

    .. attribute:: retry_after

        The wait before the next try in seconds, 0 to 3600; None if the server did not name it.
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
    """401: the credentials or the account id are missing or wrong.

    It is also raised for 400 or 401 of the token endpoint, with which OAuth 2.0 refuses a client
    (RFC 6749, section 5.2).  With OAuth 2.0, the client has already tried a new token.
    """


class Forbidden(BandwidthError):
    """403: the credentials are wrong, or have no access to the MFA product or to this account.

    With OAuth 2.0 and a token older than a minute, the client has already tried a new token, at
    most once a minute.
    """


class TooManyRequests(BandwidthError):
    """429: too many wrong codes for this number, or the account's rate limit.

    If ``endpoint`` is ``"token"``, it is not about the number.
    """


class ServerError(BandwidthError):
    """5xx: a fault of Bandwidth.  The call is not billed."""


class Unreachable(BandwidthError):
    """The call was not made, because Bandwidth could not be reached.

    Name resolution, the connection, TLS, the proxy or the token has failed.  Not one byte of the
    API request was written.
    """


class NoFreePlace(BandwidthError):
    """The call was not made, because too many others were running, and none ended in time.

    It says nothing about Bandwidth.
    """


class UnknownOutcome(BandwidthError):
    """The API request was written, but no complete answer came back.

    After a read time-out or a lost connection, the code may have been sent, or the try may have
    been counted.  The client never repeats such a request.
    """

    may_have_arrived = True


class InvalidResponse(BandwidthError):
    """The answer is not as documented: wrong status, not JSON, without a field, or too long.

    ``may_have_arrived`` is ``True``, unless the status is 4xx or 5xx or the answer was the token
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
