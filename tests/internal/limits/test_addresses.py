"""Which address of a request is limited."""

from __future__ import annotations

import time
from typing import Any

import pytest

from django_bandwidth_mfa.internal.limits import addresses


@pytest.mark.attack("S9")
@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "203.0.113.9", "198.51.100.7"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (2, "6.6.6.6, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (2, "203.0.113.9", "198.51.100.7"),
        (1, "nonsense", None),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
        (1, "", None),
        (1, "203.0.113.9:4711", "203.0.113.9"),
        (1, "6.6.6.6:1, 203.0.113.9:65535", "203.0.113.9"),
        (1, "[2001:db8:1:2:3:4:5:6]:443", "2001:db8:1:2::/64"),
        (1, "[2001:db8:1:2:3:4:5:6]", "2001:db8:1:2::/64"),
        (1, "[::ffff:203.0.113.9]:80", "203.0.113.9"),
        (1, "2001:db8:1:2:3:4:5:443", "2001:db8:1:2::/64"),
        (1, "203.0.113.9:", None),
        (1, "203.0.113.9:http", None),
        (1, "[203.0.113.9", None),
        (1, "[2001:db8::1]443", None),
    ],
)
def test_a_forwarded_address_counts_only_as_far_as_our_own_proxies_vouch_for_it(
    rf: Any, configure: Any, proxies: int, forwarded: str, expected: str | None
) -> None:
    """Fails when the header is read from the left, or without TRUSTED_PROXIES. Fails when the port
    stays in the address: no limit by address would work."""
    configure(TRUSTED_PROXIES=proxies)
    request = rf.get("/", REMOTE_ADDR="198.51.100.7", HTTP_X_FORWARDED_FOR=forwarded)
    assert addresses.client_address(request) == expected


def test_an_address_that_cannot_be_read_is_logged_once_an_hour(
    rf: Any, monkeypatch: Any, caplog: Any
) -> None:
    """Fails when no log record says that the limits by address do not work, or when each request
    logs it."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(addresses, "_logged_at", None)
    for seconds in (0, 1, 3598):
        now[0] += seconds
        assert addresses.client_address(rf.get("/", REMOTE_ADDR="")) is None
    [record] = caplog.records
    assert record.event == "address_unreadable"
    assert record.levelname == "ERROR"
    assert "TRUSTED_PROXIES" in record.getMessage()
    now[0] += 1
    addresses.client_address(rf.get("/", REMOTE_ADDR="unix:"))
    assert len(caplog.records) == 2
