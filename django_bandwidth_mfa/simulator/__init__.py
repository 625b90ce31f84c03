"""A simulated Bandwidth: the MFA API, with an inbox that shows the messages of the phones.

From a shell: ``python -m django_bandwidth_mfa.simulator --port 8001``.  From Python:

>>> from django_bandwidth_mfa.simulator import Simulator
>>> with Simulator(quiet=True) as simulator:
...     # Here, use the settings BASE_URL = simulator.base_url and TOKEN_URL = simulator.token_url.
...     simulator.inbox
[]

For a message with a ``callbackUrl``, it posts the delivery receipt there.  ``simulator.fault``
makes requests and receipts fail on purpose.

Use it in development and in tests, not on an open network.
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
