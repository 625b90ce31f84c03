"""The pytest fixture ``fake_bandwidth``.  pytest finds it when the package is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

__all__ = ["fake_bandwidth"]

if TYPE_CHECKING:
    from .testing import FakeBandwidth


@pytest.fixture
def fake_bandwidth(settings: object) -> Iterator[FakeBandwidth]:
    """Yield a simulated Bandwidth; its ``outbox[0]["code"]`` is the newest code."""
    # Imported here, because pytest loads plugins before Django's settings are configured.
    from .testing import FakeBandwidth

    with FakeBandwidth() as running:
        yield running
