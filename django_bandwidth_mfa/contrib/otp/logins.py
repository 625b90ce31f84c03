"""What a login with a device shows to this app, and which devices there are."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from ...models import Phone
from ...verification import carry
from .models import BandwidthDevice

__all__ = ["add_device", "show_verification"]


def show_verification(request: HttpRequest | None, user: Any, **kwargs: object) -> None:
    """Receive ``user_logged_in``: a login with a code of a device owes no second code.

    It stands before the receiver of this app that parks logins.  A device that somebody has put on
    the user without a code, from a cookie for instance, shows nothing.
    """
    device = getattr(user, "otp_device", None)
    if not isinstance(device, BandwidthDevice) or device.verification is None:
        return
    verification, device.verification = device.verification, None
    if verification.user.pk != user.pk:
        return
    carry(user, verification)
    # A user who was signed in already keeps the key of the session in Django's login().  Whoever
    # knew it must not share what this code has shown.
    session = getattr(request, "session", None)
    if session is not None and session.session_key is not None:
        session.cycle_key()


def add_device(phone: Phone, **kwargs: object) -> None:
    """Receive ``phone_confirmed``: each confirmed phone is a device."""
    BandwidthDevice.objects.add(phone)
