"""The receivers that connect logins and phones of this app with django-otp's devices."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from ...models import Phone
from ...verification import carry
from .models import BandwidthDevice

__all__ = ["add_device", "show_verification"]


def show_verification(request: HttpRequest | None, user: Any, **kwargs: object) -> None:
    """Receive ``user_logged_in``: a login with the code of a device owes no second code.

    It is connected before the receiver that parks logins.  A device that was set on the user
    without a code, for example because of a cookie, does not count.
    """
    device = getattr(user, "otp_device", None)
    if not isinstance(device, BandwidthDevice) or device.verification is None:
        return
    verification, device.verification = device.verification, None
    if verification.user.pk != user.pk:
        return
    carry(user, verification)
    # For a user who was already signed in, Django's login() does not change the session key.  It is
    # changed here, so that somebody who has stolen the old key does not become verified by this
    # code.
    session = getattr(request, "session", None)
    if session is not None and session.session_key is not None:
        session.cycle_key()


def add_device(phone: Phone, **kwargs: object) -> None:
    """Receive ``phone_confirmed``: create a device for the phone."""
    BandwidthDevice.objects.add(phone)
