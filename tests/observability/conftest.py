"""A day of codes, which both monitoring packages must report."""

from __future__ import annotations

from typing import Any

import pytest

from django_bandwidth_mfa import service
from django_bandwidth_mfa.exceptions import Busy, Limited, Locked, ProviderUnavailable
from django_bandwidth_mfa.internal.codes import provider
from tests.browsing import wrong
from tests.conftest import give_recovery_codes


@pytest.fixture
def a_day(user: Any, bandwidth: Any, configure: Any) -> list[str]:
    """Produce each outcome once, and return the codes that were sent.

    Two codes are sent by SMS and one by a call. One code is right and one is wrong. Both limits and
    the lock refuse a code. One send fails, one exceeds the number of concurrent calls, and one
    finds the breaker open.
    """
    configure(RESEND_COOLDOWN=[0], FAILURES_BEFORE_WAIT=1, SEND_LIMITS={"user": "3/h"})
    assert service.verify_code(service.send_code(user), bandwidth.inbox[0]["code"])
    service.send_code(user, channel="voice")
    challenge = service.send_code(user, purpose="step-up")
    assert not service.verify_code(challenge, wrong(bandwidth.inbox[0]["code"]))
    with pytest.raises(Limited):
        service.verify_code(challenge, bandwidth.inbox[0]["code"])
    with pytest.raises(Limited):
        service.send_code(user)
    configure(FAILURES_BEFORE_LOCK=1)
    with pytest.raises(Locked):
        service.send_code(user)
    assert service.use_recovery_code(user, give_recovery_codes(user, 1)[0])
    no_place = {"MAX_CONCURRENT_CALLS": 1, "MAX_WAITING_CALLS": 0}
    configure(SEND_LIMITS={"user": ""}, BREAKER_FAILURES=1, **no_place)
    with provider.breaker().guard(), pytest.raises(Busy):
        service.send_code(user)
    bandwidth.fault(on="messaging", drop=True, times=1)
    for _ in range(2):
        with pytest.raises(ProviderUnavailable):
            service.send_code(user)
    return [one["code"] for one in bandwidth.inbox]
