"""The rows of docs/other-packages.md."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs/other-packages.md"


@dataclass(frozen=True)
class Row:
    """One package: the id in the markers of its tests, and the release that was tried."""

    id: str
    requirement: str
    """As in ``pyproject.toml``; empty for a package that no test installs."""
    tried: str

    def __str__(self) -> str:
        return self.id

    @property
    def is_installed(self) -> bool:
        return bool(self.requirement)

    @property
    def distribution(self) -> str:
        return re.split(r"[\[>]", self.requirement)[0]


def rows() -> list[Row]:
    """Read the table of the page."""
    matches = re.findall(
        r"^\| `([^`]+)` \|[^|]*\| (?:`([^`]+)`|–), ([\d.]+) \|", PAGE.read_text(), re.MULTILINE
    )
    return [Row(*one) for one in matches]


ROWS = rows()
