"""A client of Bandwidth's MFA API, which does not use Django.

::

    client = BandwidthClient(account_id="9900000", client_id="…", client_secret="…")
    client.send_message(to="+19195551234", from_="+19195554321", application_id="…",
                        message="Your code is {CODE}", digits=6)
    client.verify(to="+19195551234", from_="+19195554321", application_id="…",
                  code="123456", digits=6, expiration_minutes=3)
"""

from .breaker import Breaker
from .client import BASE_URL, TOKEN_URL, BandwidthClient
from .errors import (
    BadRequest,
    BandwidthError,
    Forbidden,
    InvalidResponse,
    NoFreePlace,
    ServerError,
    TooManyRequests,
    Unauthorized,
    UnknownOutcome,
    Unreachable,
)
from .payloads import E164, is_e164

__all__ = [
    "BASE_URL",
    "E164",
    "TOKEN_URL",
    "BadRequest",
    "BandwidthClient",
    "BandwidthError",
    "Breaker",
    "Forbidden",
    "InvalidResponse",
    "NoFreePlace",
    "ServerError",
    "TooManyRequests",
    "Unauthorized",
    "UnknownOutcome",
    "Unreachable",
    "is_e164",
]
