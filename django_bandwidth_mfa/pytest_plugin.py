"""The fixture ``fake_bandwidth``; pytest finds it once the package is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

__all__ = ["fake_bandwidth"]

if TYPE_CHECKING:
    from .testing import FakeBandwidth


@pytest.fixture
def fake_bandwidth(settings: object) -> Iterator[FakeBandwidth]:
    """A Bandwidth of this test's own; ``fake_bandwidth.outbox[0]["code"]`` is the newest code."""
    # Here, for pytest loads plugins before Django's settings are there.
    from .testing import FakeBandwidth

    with FakeBandwidth() as running:
        yield running
