"""The helpers for the tests of a site, used as a site uses them."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client, override_settings

from django_bandwidth_mfa.conf import settings as mfa_settings
from django_bandwidth_mfa.testing import FakeBandwidth, alogin_verified, login_verified

from .browsing import give_password, state
from .conftest import NUMBER

pytestmark = pytest.mark.django_db


def test_login_verified_opens_a_view_that_needs_a_fresh_code(client: Client, user: Any) -> None:
    login_verified(client, user)
    assert state(client) == "verified"
    assert client.get("/transfer/").content == b"transfer"
    assert client.get("/whoami/").json()["method"] == "sms"


def test_login_verified_signs_in_for_this_client_only(client: Client, user: Any) -> None:
    """Fails when the verification stays on the user: the next login would need no code."""
    login_verified(client, user, method="trusted_browser")
    assert client.get("/transfer/").status_code == 302
    other = Client()
    other.force_login(user)
    assert state(other) == "parked"


def test_alogin_verified_does_the_same_in_an_async_test(user: Any) -> None:
    async def test() -> Any:
        client = AsyncClient()
        await alogin_verified(client, user)
        return await client.get("/atransfer/")

    assert async_to_sync(test)().content == b"async transfer"


def test_the_fixture_replaces_bandwidth(client: Client, user: Any, fake_bandwidth: Any) -> None:
    give_password(client, user)
    client.get("/mfa/verify/")
    assert fake_bandwidth.outbox[0]["to"] == NUMBER
    client.post("/mfa/verify/", {"code": fake_bandwidth.outbox[0]["code"]})
    assert state(client) == "verified"


def test_fake_bandwidth_works_without_pytest_and_without_settings(user: Any) -> None:
    with override_settings(BANDWIDTH_MFA={"USERNAME": "real", "PASSWORD": "real", "DIGITS": 8}):
        with FakeBandwidth() as fake_bandwidth:
            client = Client()
            give_password(client, user)
            client.get("/mfa/verify/")
            assert len(fake_bandwidth.outbox[0]["code"]) == 8
            assert mfa_settings.USERNAME is None
        assert mfa_settings.USERNAME == "real"
