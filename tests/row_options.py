"""``pytest --attack P1`` runs only the tests that show the defence of row P1 in docs/attacks.md.

``pytest --standard V6.5.1`` runs those of a row in docs/standards.md, and
``pytest --package django-axes`` those of a row in docs/other-packages.md.  A test names its rows by
a marker: ``@pytest.mark.attack("P1", "G4")``, ``@pytest.mark.package("django-axes")``.
"""

from __future__ import annotations

import pytest

PAGES = {
    "attack": "docs/attacks.md",
    "standard": "docs/standards.md",
    "package": "docs/other-packages.md",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    for marker, page in PAGES.items():
        parser.addoption(
            f"--{marker}",
            action="append",
            metavar="ID",
            help=f"run only the tests of this row in {page} (may be given several times)",
        )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for marker in PAGES:
        wanted = set(config.getoption(marker) or ())
        if wanted:
            keep_rows(config, items, marker, wanted)


def keep_rows(
    config: pytest.Config, items: list[pytest.Item], marker: str, wanted: set[str]
) -> None:
    """Keep the tests whose marker names one of the ``wanted`` rows."""

    def is_wanted(item: pytest.Item) -> bool:
        return any(wanted.intersection(mark.args) for mark in item.iter_markers(marker))

    config.hook.pytest_deselected(items=[item for item in items if not is_wanted(item)])
    items[:] = filter(is_wanted, items)
