"""A plain HTTP client of the simulator, for these tests."""

import threading
from collections.abc import Collection
from typing import Any

import requests

from django_bandwidth_mfa import simulator as defaults
from django_bandwidth_mfa.simulator import Simulator

TO = "+12025550143"
FROM = "+12025550100"
APPLICATION = "93de2206-9669-4e07-948d-329f4b722ee2"
BASIC = (defaults.DEFAULT_USERNAME, defaults.DEFAULT_PASSWORD)
CLIENT = (defaults.DEFAULT_CLIENT_ID, defaults.DEFAULT_CLIENT_SECRET)

SEND = {
    "to": TO,
    "from": FROM,
    "applicationId": APPLICATION,
    "scope": "sign-in",
    "message": "Your {NAME} {SCOPE} code is {CODE}",
    "digits": 6,
}
VERIFY = {
    "to": TO,
    "from": FROM,
    "applicationId": APPLICATION,
    "scope": "sign-in",
    "code": "000000",
    "digits": 6,
    "expirationTimeInMinutes": 3,
}
MISSING = object()
"""As a field's value: leave the field out."""


class Clock:
    """A clock that moves only when a test moves it."""

    START = 1_790_000_000.0  # 2026-09-21T14:13:20Z

    def __init__(self) -> None:
        self.now = self.START

    def __call__(self) -> float:
        return self.now


class Api:
    """The MFA API over one kept-alive connection; requests are valid unless a test changes them."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.session = requests.Session()
        self.session.trust_env = False

    def url(self, endpoint: str, account: str = defaults.DEFAULT_ACCOUNT) -> str:
        return f"{self.simulator.base_url}/accounts/{account}/code/{endpoint}"

    def post(self, endpoint: str, **options: Any) -> requests.Response:
        options = {"auth": BASIC, "timeout": 5, **options}
        return self.session.post(self.url(endpoint), **options)

    def send(self, endpoint: str = "messaging", **changes: object) -> requests.Response:
        return self.post(endpoint, json=_changed(SEND, changes))

    def verify(self, code: object, **changes: object) -> requests.Response:
        return self.post("verify", json=_changed(VERIFY, {"code": code, **changes}))

    def new_code(self, **changes: object) -> str:
        """Send a message and return the code that the phone received."""
        assert self.send("messaging", **changes).status_code == 200
        return self.simulator.inbox[0]["code"]

    def token(self, **options: Any) -> requests.Response:
        form = {"grant_type": "client_credentials"}
        options = {"auth": CLIENT, "data": form, "timeout": 5, **options}
        return self.session.post(self.simulator.token_url, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.session.get(self.simulator.url + path, timeout=5, **options)

    def faults(self, **options: Any) -> requests.Response:
        return self.session.post(self.simulator.url + "/faults", timeout=5, **options)


def wrong(code: str) -> str:
    """Return another code with the same number of digits as ``code``."""
    return code[:-1] + str((int(code[-1]) + 1) % 10)


def none_alive(threads: Collection[threading.Thread]) -> bool:
    """Return whether all threads have ended, after a short wait for each."""
    for thread in threads:
        thread.join(timeout=3)
    return not any(thread.is_alive() for thread in threads)


def _changed(body: dict[str, object], changes: dict[str, object]) -> dict[str, object]:
    # `from` is a reserved word of Python, so the keyword argument is called from_.
    named = {name.rstrip("_"): value for name, value in changes.items()}
    return {name: value for name, value in {**body, **named}.items() if value is not MISSING}
