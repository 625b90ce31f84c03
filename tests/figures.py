"""Figures that tests count while they run, printed at the end of the run.

``figures.add("threads raced", 50)`` in a test; the same name adds up over all tests, whichever
worker process of pytest-xdist ran them.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.db import connection

_tally: Counter[str] = Counter()


class Figures:
    """The sums that the tests of this process have counted so far."""

    def add(self, name: str, many: int) -> None:
        _tally[name] += many

    def __getitem__(self, name: str) -> int:
        return _tally[name]


@pytest.fixture
def figures() -> Figures:
    return Figures()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a worker process, pass the figures to the controller, which prints them."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["figures"] = dict(_tally)


@pytest.hookimpl(optionalhook=True)  # the hook exists only where pytest-xdist is installed
def pytest_testnodedown(node: Any) -> None:
    """In the controller, add the figures of a worker. A crashed worker has none."""
    _tally.update(getattr(node, "workeroutput", {}).get("figures", {}))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not _tally:
        return
    terminalreporter.section(f"figures on {connection.vendor}")
    for name, many in sorted(_tally.items()):
        terminalreporter.write_line(f"{many:>7,}  {name}")
