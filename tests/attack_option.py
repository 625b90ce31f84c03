"""``pytest --attack P1`` runs only the tests that show the defence of row P1 in docs/security.md.

A test names its rows by a marker: ``@pytest.mark.attack("P1", "G4")``.
"""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--attack",
        action="append",
        metavar="ID",
        help="run only the tests of this row in docs/security.md (may be given several times)",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = set(config.getoption("attack") or ())
    if not wanted:
        return

    def is_wanted(item: pytest.Item) -> bool:
        return any(wanted.intersection(mark.args) for mark in item.iter_markers("attack"))

    config.hook.pytest_deselected(items=[item for item in items if not is_wanted(item)])
    items[:] = filter(is_wanted, items)
