"""Helpers for the tests of a site that uses the app.

::

    def test_a_member_sends_money(client, member):
        login_verified(client, member)
        assert client.post("/transfer/", {...}).status_code == 302

    def test_a_member_signs_in(client, member, fake_bandwidth):  # a pytest fixture
        client.post("/login/", {"username": "ada", "password": "..."})
        client.get("/mfa/verify/")
        client.post("/mfa/verify/", {"code": fake_bandwidth.outbox[0]["code"]})

Without pytest, ``with FakeBandwidth() as fake_bandwidth:`` does the same.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self, cast

from asgiref.sync import sync_to_async
from django.conf import settings as django_settings
from django.test import AsyncClient, Client, override_settings
from django.utils import timezone

from . import simulator
from .simulator import Simulator
from .types import User
from .verification import Verification, carry

__all__ = ["FakeBandwidth", "alogin_verified", "login_verified"]

# Values for keys that a site may set in its production environment only.
MISSING = {
    "ACCOUNT_ID": simulator.DEFAULT_ACCOUNT,
    "FROM_NUMBER": "+12025550100",
    "MESSAGING_APPLICATION_ID": "testing-messaging",
    "VOICE_APPLICATION_ID": "testing-voice",
}


def login_verified(client: Client | AsyncClient, user: User, *, method: str = "sms") -> None:
    """Sign ``user`` in to Django's test client, as verified.  No code is sent.

    :param method: the value of ``request.mfa.method`` in the session.
    """
    verification = Verification(user, method, verified_at=timezone.now())
    # Django's stubs know one user model; the site may use another one.
    client.force_login(cast(Any, carry(user, verification)))


async def alogin_verified(client: AsyncClient, user: User, *, method: str = "sms") -> None:
    """Do what :func:`login_verified` does, in an async test.

    :param method: the value of ``request.mfa.method`` in the session.
    """
    await sync_to_async(login_verified)(client, user, method=method)


class FakeBandwidth(Simulator):
    """A simulated Bandwidth in this process.  While it runs, ``BANDWIDTH_MFA`` points to it.

    It is the simulator, with real HTTP on the loopback address.  Set its ``fault`` to make it fail.
    Its ``requests`` lists the requests that it received.
    """

    def __enter__(self) -> Self:
        super().__enter__()
        configured = {**MISSING, **getattr(django_settings, "BANDWIDTH_MFA", {})}
        # Tests must not send the real credentials to any server, or write them to a log.
        for key in ("USERNAME", "PASSWORD"):
            configured.pop(key, None)
        configured |= {
            "ACCOUNT_ID": self.account,
            "CLIENT_ID": simulator.DEFAULT_CLIENT_ID,
            "CLIENT_SECRET": simulator.DEFAULT_CLIENT_SECRET,
            "BASE_URL": self.base_url,
            "TOKEN_URL": self.token_url,
        }
        self._override = override_settings(BANDWIDTH_MFA=configured)
        self._override.enable()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._override.disable()
        super().__exit__(kind, error, traceback)

    @property
    def outbox(self) -> list[dict[str, str]]:
        """The sent codes, newest first.

        Each is a dict with the keys ``to``, ``from``, ``channel``, ``text`` and ``code``.
        """
        return self.inbox
