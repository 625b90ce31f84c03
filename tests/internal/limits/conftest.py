"""Fixtures for the limits: a frozen clock, and both forms of the SQL statements."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine

from tests.databases import statements_are_portable


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        yield clock


@pytest.fixture(params=["in one statement", "in a portable way"])
def way(request: Any, monkeypatch: Any) -> None:
    """Run the test twice: with the SQL of this database, and with the SQL for a database without
    ``RETURNING``."""
    if request.param == "in a portable way":
        statements_are_portable(monkeypatch)
