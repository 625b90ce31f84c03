"""django-two-factor-auth with our device: its login pages, and its setup."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice

from django_bandwidth_mfa.contrib.otp.models import BandwidthDevice
from django_bandwidth_mfa.contrib.otp.two_factor import BandwidthMethod
from django_bandwidth_mfa.models import Phone
from tests.browsing import wrong
from tests.conftest import NUMBER, PASSWORD, make_user

pytestmark = pytest.mark.django_db

LOGIN = "/account/login/"
SETUP = "/account/two_factor/setup/"


def give_password(client: Client, username: str = "ada") -> Any:
    return client.post(
        LOGIN,
        {
            "auth-username": username,
            "auth-password": PASSWORD,
            "login_view-current_step": "auth",
        },
    )


def give_code(client: Client, code: str, **fields: str) -> Any:
    form = {"token-otp_token": code, "login_view-current_step": "token", **fields}
    return client.post(LOGIN, form)


def state(client: Client) -> dict[str, Any]:
    content: dict[str, Any] = client.get("/state/").json()
    return content


@pytest.mark.package("django-two-factor-auth")
def test_its_login_sends_a_code_by_bandwidth_and_takes_it(
    client: Client, device: Any, bandwidth: Any
) -> None:
    page = give_password(client).content.decode()
    assert "We sent a 6-digit code to your phone ending in 42." in page
    assert [one["to"] for one in bandwidth.inbox] == [NUMBER]
    sent = bandwidth.inbox[0]["code"]
    assert "Invalid token" in give_code(client, wrong(sent)).content.decode()
    assert state(client) == {"verified": False, "state": "anonymous"}
    # django-otp's wait of one second after a wrong code.
    BandwidthDevice.objects.update(throttling_failure_count=0)
    assert give_code(client, sent).status_code == 302
    assert state(client) == {"verified": True, "state": "verified"}
    assert client.get("/vault/").content == b"the vault"
    assert len(bandwidth.inbox) == 1


def test_its_page_says_that_bandwidth_is_down(client: Client, device: Any, bandwidth: Any) -> None:
    """Fails when ``generate_challenge`` raises an error: the page would answer 500."""
    bandwidth.fault(on="messaging", status=500)
    page = give_password(client)
    assert page.status_code == 200
    assert "The phone service does not answer right now." in page.content.decode()


def test_one_of_two_devices_is_chosen(client: Client, device: Any, bandwidth: Any) -> None:
    TOTPDevice.objects.create(user=device.user, name="default", key="00" * 20)
    BandwidthDevice.objects.update(name="phone")
    assert "Text me the code" in give_password(client).content.decode()
    assert bandwidth.inbox == []
    client.post(LOGIN, {"challenge_device": device.persistent_id})
    assert len(bandwidth.inbox) == 1
    code = bandwidth.inbox[0]["code"]
    assert give_code(client, code, otp_device=device.persistent_id).status_code == 302
    assert state(client) == {"verified": True, "state": "verified"}


def test_it_says_that_a_code_comes_by_a_call(
    client: Client, device: Any, bandwidth: Any, configure: Any
) -> None:
    TOTPDevice.objects.create(user=device.user, name="default", key="00" * 20)
    BandwidthDevice.objects.update(name="phone")
    Phone.objects.update(channel="voice")
    assert "Call me with the code" in give_password(client).content.decode()
    client.post(LOGIN, {"challenge_device": device.persistent_id})
    assert bandwidth.inbox[0]["channel"] == "voice"
    assert BandwidthMethod().verbose_name == "text message"
    configure(MESSAGING_APPLICATION_ID=None)
    assert BandwidthMethod().verbose_name == "phone call"


def test_its_setup_asks_for_a_code_of_bandwidth(
    client: Client, bandwidth: Any, configure: Any
) -> None:
    """The user has a phone and no device, and the policy does not require a code."""
    configure(REQUIRED="never", RESEND_COOLDOWN=[0])
    client.force_login(make_user("ada", NUMBER))
    client.post(SETUP, {"setup_view-current_step": "welcome"})
    page = client.post(SETUP, {"setup_view-current_step": "method", "method-method": "sms"})
    assert "We sent a 6-digit code to your phone ending in 42." in page.content.decode()
    [sent] = bandwidth.inbox
    form = {"setup_view-current_step": "validation", "validation-token": wrong(sent["code"])}
    assert "Entered token is not valid." in client.post(SETUP, form).content.decode()
    assert state(client)["verified"] is False
    assert not BandwidthDevice.objects.filter(confirmed=True).exists()
    BandwidthDevice.objects.update(throttling_failure_count=0)
    answer = client.post(SETUP, {**form, "validation-token": sent["code"]})
    assert answer.status_code == 302
    assert BandwidthDevice.objects.get().confirmed
    assert state(client) == {"verified": True, "state": "exempt"}


def test_its_setup_confirms_nothing_for_a_user_without_a_phone(
    client: Client, newcomer: Any, bandwidth: Any
) -> None:
    """Before, the page asked for a code, and did not say that none was sent."""
    client.force_login(newcomer)
    client.post(SETUP, {"setup_view-current_step": "welcome"})
    page = client.post(SETUP, {"setup_view-current_step": "method", "method-method": "sms"})
    assert "There is no such phone on this account." in page.content.decode()
    assert bandwidth.inbox == []
    form = {"setup_view-current_step": "validation", "validation-token": "123456"}
    assert "Entered token is not valid." in client.post(SETUP, form).content.decode()
    assert not BandwidthDevice.objects.filter(confirmed=True).exists()


@pytest.mark.attack("P55")
def test_its_cookie_that_remembers_a_browser_is_no_code(
    client: Client, device: Any, bandwidth: Any, settings: Any
) -> None:
    """Fails when ``show_verification`` does not check ``verification``: the cookie would make a
    verified session."""
    settings.TWO_FACTOR_REMEMBER_COOKIE_AGE = 3600
    give_password(client)
    give_code(client, bandwidth.inbox[0]["code"], **{"token-remember": "on"})
    assert any(name.startswith("remember-cookie_") for name in client.cookies)
    client.post("/accounts/logout/")
    give_password(client)
    assert state(client) == {"verified": False, "state": "parked"}
