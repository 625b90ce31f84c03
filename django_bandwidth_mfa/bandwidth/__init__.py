"""A client of Bandwidth's MFA API, which does not use Django.

In this example, the simulator takes the place of Bandwidth, with its own names and secrets.
Without ``base_url`` and ``token_url``, the client calls Bandwidth:

>>> from django_bandwidth_mfa.bandwidth import BandwidthClient
>>> from django_bandwidth_mfa.simulator import Simulator
>>> ids = {"to": "+19195551234", "from_": "+19195554321", "application_id": "sim-messaging"}
>>> with (
...     Simulator(quiet=True) as simulator,
...     BandwidthClient(
...         account_id="5500001",
...         client_id="sim-client",
...         client_secret="sim-secret",
...         base_url=simulator.base_url,
...         token_url=simulator.token_url,
...     ) as client,
... ):
...     message_id = client.send_message(**ids, message="Your code is {CODE}", digits=6)
...     code = simulator.inbox[0]["code"]
...     client.verify(**ids, code=code, digits=6, expiration_minutes=3)
True
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
