"""Fixtures of the tests with django-otp."""

from __future__ import annotations

from typing import Any

import pytest

from django_bandwidth_mfa.contrib.otp.models import BandwidthDevice


@pytest.fixture
def device(user: Any, bandwidth: Any, configure: Any) -> BandwidthDevice:
    """The device of ``user``, with a fake Bandwidth."""
    configure(RESEND_COOLDOWN=[0])
    assert BandwidthDevice.objects.add_missing() == 1
    return BandwidthDevice.objects.get(user=user)
