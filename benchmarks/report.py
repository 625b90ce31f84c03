"""Figures as text: where they were measured, tables in Markdown, and their place in a document."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median

NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
DOCUMENT = Path(__file__).resolve().parents[1] / "docs/performance.md"


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Return the median of the rounds, with the lowest and the highest: ``9.3 (8.8–10.1)``."""
    if not values:
        return "–"
    middle, low, high = (
        f"{figure:,.{digits}f}" for figure in (median(values), min(values), max(values))
    )
    return f"{middle} ({low}–{high})"


def ratios(values: Sequence[float], base: Sequence[float]) -> list[float]:
    """Divide round by round, so that a slow round affects both sides."""
    return [mine / other for mine, other in zip(values, base, strict=True)]


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value that ``percent`` of 100 of ``values`` do not exceed (nearest rank)."""
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in Markdown.  The cells of all columns but the first are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def conditions(kinds: Iterable[str], packages: Iterable[str] = ()) -> str:
    """Return a sentence about the machine and the versions that were measured.

    :param kinds: the databases.
    :param packages: distributions whose versions matter.
    """
    versions = [f"Python {platform.python_version()}", f"Django {version('django')}"]
    for kind in kinds:
        versions.append(f"{NAMES[kind]} {version_of(kind)}")
    versions += [f"{name} {version(name)}" for name in packages]
    # The load is read before the run: during the run, the run itself is the load.
    load = f"load {os.getloadavg()[0]:.1f} before the run"
    return f"Measured on {os.cpu_count()} cores ({load}) with {', '.join(versions)}."


def version_of(kind: str) -> str:
    """Return the version of a database."""
    if kind == "sqlite":
        return sqlite3.sqlite_version
    from benchmarks.processes import connect

    with connect() as connection:
        [text] = connection.execute("SHOW server_version").fetchone() or [""]
        return str(text).split(" ")[0]


def write_part(name: str, text: str, document: Path = DOCUMENT) -> None:
    """Put ``text`` between the markers of ``name``.

    :raises ValueError: the document does not hold these markers once.
    """
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    page = document.read_text()
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(page)) != 1:
        raise ValueError(f"{document.name} does not hold {begin} and {end} once")
    document.write_text(pattern.sub(lambda _: f"{begin}\n\n{text.strip()}\n\n{end}", page))
