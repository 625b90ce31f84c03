"""A local Bandwidth: the MFA API with an inbox that shows what the phone would have received.

From a shell: ``python -m django_bandwidth_mfa.simulator --port 8001``. From Python::

    with Simulator() as simulator:
        ...  # BASE_URL = simulator.base_url, TOKEN_URL = simulator.token_url
        code = simulator.inbox[0]["code"]

A message sent with a ``callbackUrl`` gets its delivery receipt posted there. ``simulator.fault``
makes requests and receipts fail on purpose.

It stands in for Bandwidth in development and in tests. It is no server for the open network.
"""

from .defaults import (
    DEFAULT_ACCOUNT,
    DEFAULT_CLIENT_ID,
    DEFAULT_CLIENT_SECRET,
    DEFAULT_HOST,
    DEFAULT_MAX_WRONG,
    DEFAULT_NAME,
    DEFAULT_PASSWORD,
    DEFAULT_PORT,
    DEFAULT_RECEIPT_DELAY,
    DEFAULT_USERNAME,
)
from .server import Simulator

__all__ = [
    "DEFAULT_ACCOUNT",
    "DEFAULT_CLIENT_ID",
    "DEFAULT_CLIENT_SECRET",
    "DEFAULT_HOST",
    "DEFAULT_MAX_WRONG",
    "DEFAULT_NAME",
    "DEFAULT_PASSWORD",
    "DEFAULT_PORT",
    "DEFAULT_RECEIPT_DELAY",
    "DEFAULT_USERNAME",
    "Simulator",
]
