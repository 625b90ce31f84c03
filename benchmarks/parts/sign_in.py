"""Sign-ins on each site, step by step, and the pages after them."""

from __future__ import annotations

import random
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import chart
from benchmarks.processes import DATABASES, database, provider, worker
from benchmarks.report import NAMES, conditions, ratios, spread, table
from benchmarks.sites import PEERS, SIGN_IN, SITES, STEPS

CPU, WALL = 0, 1
CHART = "performance.svg"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--people", type=int, default=20, help="users who sign in twice a round")
    parser.add_argument("--pages", type=int, default=200, help="pages in each round")
    parser.add_argument("--sites", nargs="+", choices=SITES, default=list(SITES))
    parser.add_argument("--databases", nargs="+", choices=DATABASES, default=list(DATABASES))
    parser.add_argument(
        "--profile",
        action="store_true",
        help="print the statements and the profile of one site, instead of measuring: this app, "
        "or the first of --sites",
    )


def run(chosen: Namespace, folder: Path | None) -> str:
    """Measure, and write the chart to ``folder``."""
    if chosen.profile:
        if folder is not None:
            raise SystemExit("A profile is too long for the page: leave --write out.")
        site = "ours" if len(chosen.sites) == len(SITES) else chosen.sites[0]
        return profile(site, chosen.databases[0], chosen.people)
    sections = [f"{conditions(chosen.databases, PEERS)} {chosen.rounds} rounds."]
    by_database = {
        kind: measure(chosen.sites, kind, chosen.rounds, chosen.people, chosen.pages)
        for kind in chosen.databases
    }
    if folder is not None:
        draw(by_database, folder / CHART)
        sections.append(f"![CPU time of a sign-in with each package]({CHART})")
    for kind, results in by_database.items():
        name = NAMES[kind]
        sections += [f"### {name}: a user who has signed in before", whole(results, "steady")]
        sections += ["By step, in milliseconds of CPU time (queries, commits):", by_step(results)]
        sections += [f"### {name}: a user's first sign-in", whole(results, "first")]
        if "ours" in results:
            queries, commits = count(results["ours"], "empty", "sign-in")
            sections.append(
                "The very first sign-in of a site with this app, while all tables are empty, "
                f"takes {queries} queries and {commits} commits."
            )
        sections += [f"### {name}: pages of a user who is signed in", pages(results)]
    return "\n\n".join(sections)


def measure(sites: list[str], kind: str, rounds: int, people: int, pages: int) -> dict[str, Any]:
    """Let each site work in each round, in a changing order.

    :returns: ``{site: {"queries": ..., "rounds": [...], "page": [...], "public": [...]}}``, as
        :mod:`benchmarks.tasks.sign_in` returns them.
    """
    order = random.Random(1)
    with provider() as url, ExitStack() as stack:
        workers = {
            site: stack.enter_context(worker(site, url, stack.enter_context(database(kind, site))))
            for site in sites
        }
        results: dict[str, Any] = {}
        for site, ask in workers.items():
            made = ask("sign_in.queries")
            results[site] = {"queries": made, "rounds": [], "page": [], "public": []}
            # A process loads templates and URL patterns once, at its first requests.
            ask("sign_in.sign_in", people=5)
        for _round in range(rounds):
            for site in order.sample(sites, len(sites)):
                ask, result = workers[site], results[site]
                result["rounds"].append(ask("sign_in.sign_in", people=people))
                for name in ("page", "public"):
                    asked = ask("sign_in.pages", path=f"/{name}/", times=pages)
                    result[name].append(asked)
        return results


def milliseconds(result: Any, which: str, step: str, clock: int = CPU) -> list[float]:
    """Return the median of each round, of one step or of a whole ``"sign-in"``."""
    medians = []
    for sign_ins in result["rounds"]:
        chosen = [times for name, times in sign_ins[which].items() if name in parts_of(step)]
        if chosen:
            sums = (sum(pair[clock] for pair in pairs) for pairs in zip(*chosen, strict=True))
            medians.append(median(sums) / 1e6)
    return medians


def parts_of(step: str) -> tuple[str, ...]:
    return SIGN_IN if step == "sign-in" else (step,)


def microseconds(result: Any, page: str, clock: int = CPU) -> list[float]:
    """Return the median of each round, of ``"page"`` or ``"public"``."""
    return [median(pair[clock] for pair in times) / 1e3 for times in result[page]]


def count(result: Any, which: str, step: str) -> tuple[int, int]:
    """Return the number of queries and commits in one step, or in ``"sign-in"``."""
    steps = result["queries"][which]
    chosen = [made for name, made in steps.items() if name in parts_of(step)]
    return (
        sum(is_query(sql) for record in chosen for sql in record["sql"]),
        sum(record["commits"] for record in chosen),
    )


def is_query(sql: str) -> bool:
    """Return whether the statement does more than begin or end a transaction or a savepoint."""
    words = ("BEGIN", "START TRANSACTION", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE SAVEPOINT")
    return not sql.upper().startswith(words)


def to_bare(results: Any, site: str, which: str, clock: int = CPU) -> list[float]:
    """Return a site's sign-in divided by the bare site's, round by round.

    The list is empty without the bare site.
    """
    if "bare" not in results:
        return []
    mine, base = (milliseconds(results[name], which, "sign-in", clock) for name in (site, "bare"))
    return ratios(mine, base)


def whole(results: Any, which: str) -> str:
    """Return a table of complete sign-ins."""
    head = ["", "queries", "commits", "CPU ms", "÷ bare", "wall ms", "÷ bare"]
    rows = []
    for site, result in results.items():
        cells: list[object] = [SITES[site], *count(result, which, "sign-in")]
        for clock in (CPU, WALL):
            cells.append(spread(milliseconds(result, which, "sign-in", clock)))
            cells.append(spread(to_bare(results, site, which, clock), 2))
        rows.append(cells)
    return table(head, rows)


def by_step(results: Any) -> str:
    """Return a table of the steps of a steady sign-in."""
    rows = []
    for site, result in results.items():
        cells = [SITES[site]]
        for step in STEPS:
            times = milliseconds(result, "steady", step)
            queries, commits = count(result, "steady", step)
            cells.append(f"{median(times):.1f} ({queries}, {commits})" if times else "–")
        rows.append(cells)
    return table(["", *STEPS], rows)


def pages(results: Any) -> str:
    """Return a table of the pages that a signed-in user requests."""
    head = ["", "queries", "CPU µs", "CPU µs of a view that does not look at the user"]
    rows = []
    for site, result in results.items():
        [queries, _commits] = count(result, "steady", "page")
        times = [spread(microseconds(result, page), 0) for page in ("page", "public")]
        rows.append([SITES[site], queries, *times])
    return table(head, rows)


def draw(by_database: dict[str, Any], file: Path) -> None:
    """Draw the CPU time of a steady sign-in."""
    bars = {
        NAMES[kind]: {
            SITES[site]: milliseconds(result, "steady", "sign-in")
            for site, result in results.items()
        }
        for kind, results in by_database.items()
    }
    chart.draw(bars, file, "CPU time of a sign-in, milliseconds")


def profile(site: str, kind: str, people: int) -> str:
    """Return the statements of a sign-in by step, and where its time goes."""
    lines = []
    with provider() as url, database(kind, site) as address, worker(site, url, address) as ask:
        for which, steps in ask("sign_in.queries").items():
            if which == "empty":
                continue
            lines.append(f"\n== a user's {'first' if which == 'first' else 'second'} sign-in")
            for step, made in steps.items():
                queries = sum(map(is_query, made["sql"]))
                lines.append(f"\n-- {step}: {queries} queries, {made['commits']} commits")
                lines += [f"   {sql}" for sql in made["sql"]]
        lines += ask("sign_in.profile", people=people).values()
    return "\n".join(lines)
