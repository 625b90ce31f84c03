"""django-otp's own tests of its e-mail device, with our device in its place.

The tests come from django-otp's source distribution (``DJANGO_OTP_SOURCE``), and run unchanged. Two
things are replaced: the device, and the way to read the code. An e-mail device stores its code in
``token``; for our device, the code is read from the phone.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from django.test import override_settings
from django.utils import timezone

from django_bandwidth_mfa import conf
from django_bandwidth_mfa.contrib.otp.models import BandwidthDevice
from django_bandwidth_mfa.models import Phone
from django_bandwidth_mfa.testing import FakeBandwidth

SOURCE = Path(os.environ["DJANGO_OTP_SOURCE"])

# These tests cannot run with our device, for one of these reasons.
MAILS = "it is about the text and the address of an e-mail"
NO_TIMESTAMPS = "the device has no TimestampMixin"
LEFT_OUT = {
    "AuthFormTest.test_email_interaction": "it counts e-mails; test_devices.py has the same",
    "EmailTest.test_defaults": MAILS,
    "EmailTest.test_settings": MAILS,
    "EmailTest.test_settings_with_token_in_subject": MAILS,
    "EmailTest.test_settings_html_template": MAILS,
    "EmailTest.test_settings_html_template_path": MAILS,
    "EmailTest.test_settings_template_path": MAILS,
    "EmailTest.test_settings_extra_template_options": MAILS,
    "EmailTest.test_alternative_email": MAILS,
    "CooldownTestCase.test_cooldown_imposed_message": "our sentence, in the user's language",
    "CooldownTestCase.test_cooldown_imposed_expiration_message": "the same sentence",
    "TimestampTestCase": NO_TIMESTAMPS,
}


class Wrapped:
    """Our device, with ``token`` and ``generate_token()`` as the tests use them."""

    def __init__(self, device: BandwidthDevice, bandwidth: FakeBandwidth) -> None:
        self._device = device
        self._bandwidth = bandwidth

    def __getattr__(self, name: str) -> Any:
        return getattr(self._device, name)

    def __setattr__(self, name: str, value: Any) -> None:
        target = self if name.startswith("_") else self._device
        object.__setattr__(target, name, value)

    @property
    def token(self) -> str | None:
        outbox = self._bandwidth.outbox
        return outbox[0]["code"] if outbox else None

    def generate_token(self) -> None:
        self._device.generate_challenge()


class OurDevice:
    """Replaces ``EmailDeviceMixin``: it makes the device for each test."""

    def setUp(self) -> None:
        bandwidth: Any = FakeBandwidth()
        bandwidth.__enter__()
        self.addCleanup(bandwidth.__exit__, None, None, None)  # type: ignore[attr-defined]
        # This equals OTP_EMAIL_COOLDOWN_DURATION in django-otp's tests.
        cooldown = 10 if type(self).__name__ == "CooldownTestCase" else 0
        configured = {**_settings(), "RESEND_COOLDOWN": [cooldown]}
        override = override_settings(BANDWIDTH_MFA=configured)
        override.enable()
        self.addCleanup(override.disable)  # type: ignore[attr-defined]
        alice = self.create_user("alice", "password")  # type: ignore[attr-defined]
        Phone.objects.create(
            user=alice, number="+12025550142", is_primary=True, confirmed_at=timezone.now()
        )
        device = BandwidthDevice.objects.create(user=alice)
        if "EmailTest" in type(self).__name__:
            # This equals OTP_EMAIL_THROTTLE_FACTOR=0 in django-otp's tests.
            device.throttling_enabled = False
        self.device = Wrapped(device, bandwidth)


def _settings() -> dict[str, Any]:
    from django.conf import settings

    return dict(settings.BANDWIDTH_MFA)


def their_tests() -> dict[str, type]:
    """Return django-otp's test classes, with :class:`OurDevice` as the base class that makes the
    device."""
    name = "django_otp.plugins.otp_email.tests"
    spec = importlib.util.spec_from_file_location(
        name, SOURCE / "src/django_otp/plugins/otp_email/tests.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    classes = {}
    for one in vars(module).values():
        if not (isinstance(one, type) and module.EmailDeviceMixin in one.__bases__):
            continue
        kept = {
            key: value
            for key, value in vars(one).items()
            if f"{one.__name__}.{key}" not in LEFT_OUT
        }
        bases = tuple(OurDevice if b is module.EmailDeviceMixin else b for b in one.__bases__)
        classes[one.__name__] = type(one.__name__, bases, kept)
    return {name: one for name, one in classes.items() if name not in LEFT_OUT}


globals().update(their_tests())


def test_no_test_is_left_out_that_is_not_there() -> None:
    """Fails when django-otp renames a test: a name in the list above would have no test."""
    text = (SOURCE / "src/django_otp/plugins/otp_email/tests.py").read_text()
    missing = [one for one in LEFT_OUT if f" {one.rpartition('.')[2]}(" not in text]
    assert missing == []
    assert conf.settings.DIGITS == 6
