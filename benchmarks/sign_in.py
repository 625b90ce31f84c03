"""What a sign-in costs on each site, step by step, and the page after it."""

from __future__ import annotations

import random
from contextlib import ExitStack
from statistics import median
from typing import Any

from benchmarks.processes import provider, worker
from benchmarks.sites import SIGN_IN, SITES, STEPS

CPU, WALL = 0, 1


def measure(
    sites: list[str], kinds: list[str], *, rounds: int, people: int, pages: int
) -> dict[str, Any]:
    """Let each site work in each round, in an order that changes.

    :returns: ``{kind: {site: {"queries": ..., "rounds": [...], "page": [...], "public": [...]}}}``.
    """
    found: dict[str, Any] = {}
    order = random.Random(1)
    with provider() as url:
        for kind in kinds:
            with ExitStack() as stack:
                workers = {site: stack.enter_context(worker(site, url, kind)) for site in sites}
                results: dict[str, Any] = {
                    site: {"queries": ask("queries"), "rounds": [], "page": [], "public": []}
                    for site, ask in workers.items()
                }
                for ask in workers.values():
                    # Templates, patterns of addresses and the like are made once in a process.
                    ask("sign_in", people=5)
                for _round in range(rounds):
                    for site in order.sample(sites, len(sites)):
                        ask = workers[site]
                        results[site]["rounds"].append(ask("sign_in", people=people))
                        for name in ("page", "public"):
                            results[site][name].append(ask("pages", path=f"/{name}/", times=pages))
                found[kind] = results
    return found


def milliseconds(result: Any, which: str, step: str, clock: int = CPU) -> list[float]:
    """The median of each round, of one step or of ``"sign-in"``: all steps up to the page."""
    medians = []
    for one in result["rounds"]:
        chosen = [times for name, times in one[which].items() if name in parts_of(step)]
        if chosen:
            sums = (sum(pair[clock] for pair in pairs) for pairs in zip(*chosen, strict=True))
            medians.append(median(sums) / 1e6)
    return medians


def parts_of(step: str) -> tuple[str, ...]:
    return SIGN_IN if step == "sign-in" else (step,)


def ratios_to_bare(results: Any, site: str, which: str, clock: int = CPU) -> list[float]:
    """A site's sign-in divided by the bare one's, round by round; empty without the bare one."""
    if "bare" not in results:
        return []
    mine, base = (milliseconds(results[one], which, "sign-in", clock) for one in (site, "bare"))
    return [a / b for a, b in zip(mine, base, strict=True)]


def statements(result: Any, which: str, step: str) -> tuple[int, int]:
    """How many queries and commits there are in one step, or in ``"sign-in"``."""
    steps = result["queries"][which]
    chosen = [made for name, made in steps.items() if name in parts_of(step)]
    sql = [sql for one in chosen for sql in one["sql"]]
    return sum(map(is_query, sql)), sum(one["commits"] for one in chosen)


def is_query(sql: str) -> bool:
    """Whether it is more than the begin or the end of a transaction or of a savepoint."""
    words = ("BEGIN", "START TRANSACTION", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE SAVEPOINT")
    return not sql.upper().startswith(words)


def print_results(found: dict[str, Any]) -> None:
    for kind, results in found.items():
        for which in ("steady", "first"):
            print(f"\n{kind}, {which}: queries/commits, CPU ms (wall ms)")
            head = ["", *STEPS, "sign-in", "÷ bare CPU", "÷ bare wall"]
            print(" | ".join(f"{cell:>22}" for cell in head))
            for site, result in results.items():
                cells = [SITES[site][:22]]
                for step in (*STEPS, "sign-in"):
                    cpu = milliseconds(result, which, step)
                    if not cpu:
                        cells.append("–")
                        continue
                    wall = milliseconds(result, which, step, WALL)
                    made = "/".join(map(str, statements(result, which, step)))
                    cells.append(f"{made} {median(cpu):.2f} ({median(wall):.2f})")
                for clock in (CPU, WALL):
                    ratios = ratios_to_bare(results, site, which, clock)
                    if ratios:
                        cells.append(f"{median(ratios):.2f} {min(ratios):.2f}–{max(ratios):.2f}")
                print(" | ".join(f"{cell:>22}" for cell in cells))
        for name in ("page", "public"):
            print(f"{kind}, /{name}/ when signed in, CPU µs:", end=" ")
            for site, result in results.items():
                times = [median(pair[CPU] for pair in one) / 1e3 for one in result[name]]
                print(f"{site} {median(times):.0f}", end="; ")
            print()
    empty = {k: statements(r["ours"], "empty", "sign-in") for k, r in found.items() if "ours" in r}
    print("ours, the very first sign-in of a database, queries/commits:", empty)


def print_profile(site: str, kind: str, people: int) -> None:
    """Print the statements of a sign-in by step, and where its time goes."""
    with provider() as url, worker(site, url, kind) as ask:
        for which, steps in ask("queries").items():
            if which == "empty":
                continue
            print(f"\n== {which}: a user's {'first' if which == 'first' else 'second'} sign-in")
            for step, made in steps.items():
                many = sum(map(is_query, made["sql"]))
                print(f"\n-- {step}: {many} queries, {made['commits']} commits")
                for sql in made["sql"]:
                    print("  ", sql)
        for table in ask("profile", people=people).values():
            print(table)
