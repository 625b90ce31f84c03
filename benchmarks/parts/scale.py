"""A site with many users and many codes: sign-ins, admin pages, commands, sizes, purge."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.parts.sign_in import CPU, WALL, milliseconds
from benchmarks.processes import DATABASES, database, provider, worker
from benchmarks.report import NAMES, conditions, spread, table

# A purge is divided into this number of parts. The first and the last part are compared.
PARTS = 5


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--challenges", type=int, default=500_000)
    parser.add_argument("--counters", type=int, default=200_000)
    parser.add_argument("--people", type=int, default=50, help="users who sign in twice")
    parser.add_argument("--times", type=int, default=5, help="requests of each page")
    parser.add_argument("--databases", nargs="+", choices=DATABASES, default=["postgresql"])


def run(chosen: Namespace, folder: Path | None) -> str:
    sections = [
        f"{conditions(chosen.databases)} {chosen.users:,} users, {chosen.challenges:,} codes sent "
        f"over 60 days, as many spent codes, and {chosen.counters:,} counters."
    ]
    for kind in chosen.databases:
        results = measure(kind, chosen)
        sections += [f"### {NAMES[kind]}: sign-ins, in milliseconds", sign_ins(results)]
        sections += [f"### {NAMES[kind]}: what staff do, in milliseconds", staff(results)]
        if results["sizes"]:
            sections += [f"### {NAMES[kind]}: what the tables take", sizes(results["sizes"])]
        sections += [f"### {NAMES[kind]}: `mfa_purge`", purged(results["purge"])]
    return "\n\n".join(sections)


def measure(kind: str, chosen: Namespace) -> dict[str, Any]:
    results: dict[str, Any] = {}
    with provider() as url:
        with (
            database(kind, "empty") as address,
            worker("ours", url, address) as ask,
        ):
            ask("sign_in.sign_in", people=10)
            results["empty"] = ask("sign_in.sign_in", people=chosen.people)
        with database(kind, "scale") as address, worker("ours", url, address) as ask:
            rows = {
                "users": chosen.users,
                "challenges": chosen.challenges,
                "counters": chosen.counters,
            }
            results["fill"] = ask("scale.fill", **rows)
            ask("sign_in.sign_in", people=10)
            results["full"] = ask("scale.sign_in", people=chosen.people)
            results["commands"] = ask("scale.commands", times=chosen.times)
            results["admin"] = ask("scale.admin", times=chosen.times)
            results["sizes"] = ask("scale.sizes")
            results["purge"] = ask("scale.purge")
    return results


def sign_ins(results: dict[str, Any]) -> str:
    rows = []
    for name in ("empty", "full"):
        result = {"rounds": [results[name]]}
        for which in ("first", "steady"):
            cpu, wall = (milliseconds(result, which, "sign-in", clock) for clock in (CPU, WALL))
            rows.append(
                [
                    "full tables" if name == "full" else "empty tables",
                    "first" if which == "first" else "again",
                    f"{median(cpu):.1f}",
                    f"{median(wall):.1f}",
                ]
            )
    return table(["", "a user's sign-in", "CPU ms", "wall ms"], rows)


def staff(results: dict[str, Any]) -> str:
    rows = [
        [name, spread([duration * 1000 for duration in seconds], 0)]
        for name, seconds in (
            *((f"`{name}`", seconds) for name, seconds in results["commands"].items()),
            *((f"admin: {name}", seconds) for name, seconds in results["admin"].items()),
        )
    ]
    return table(["", "wall ms"], rows)


def sizes(tables: dict[str, Any]) -> str:
    rows = [
        [
            f"`{name}`",
            f"{size['rows']:,}",
            f"{size['bytes'] / 1e6:,.0f}",
            f"{size['indexes'] / 1e6:,.0f}",
            f"{(size['bytes'] + size['indexes']) / size['rows']:,.0f}",
        ]
        for name, size in tables.items()
        if size["rows"] > 1000  # of the others, the first page says nothing of a row
    ]
    return table(["", "rows", "MB", "MB of indexes", "bytes a row"], rows)


def purged(tables: dict[str, list[tuple[float, int]]]) -> str:
    rows = []
    for name, deletions in tables.items():
        whole = sum(rows for _seconds, rows in deletions)
        if whole < 1000:
            continue
        rates = [rate(part) for part in parts(deletions)]
        rows.append([f"`{name}`", f"{whole:,}", f"{rate(deletions):,.0f}"])
        rows[-1] += [f"{rates[0]:,.0f}", f"{rates[-1]:,.0f}"]
    head = ["", "rows deleted", "a second", "in the first fifth", "in the last fifth"]
    return table(head, rows)


def parts(deletions: list[tuple[float, int]]) -> list[list[tuple[float, int]]]:
    """Divide the deletions into :data:`PARTS` parts of equal size, or fewer."""
    size = max(1, len(deletions) // PARTS)
    return [deletions[start : start + size] for start in range(0, len(deletions), size)][:PARTS]


def rate(deletions: list[tuple[float, int]]) -> float:
    """Return the number of rows per second."""
    return sum(rows for _s, rows in deletions) / sum(seconds for seconds, _r in deletions)
