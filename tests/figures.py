"""Figures that tests count while they run, told at the end of the run.

``figures.add("threads raced", 50)`` in a test; the same name adds up over all tests.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.db import connection

_tally: Counter[str] = Counter()


class Figures:
    """What one test adds."""

    def add(self, name: str, many: int) -> None:
        _tally[name] += many

    def __getitem__(self, name: str) -> int:
        return _tally[name]


@pytest.fixture
def figures() -> Figures:
    return Figures()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not _tally:
        return
    terminalreporter.section(f"figures on {connection.vendor}")
    for name, many in _tally.items():
        terminalreporter.write_line(f"{many:>7,}  {name}")
