"""A small run of most benchmarks for the gate; it fails only if a ratio is far from normal."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from statistics import median

from benchmarks.parts import client, counter, load, scale, sign_in
from benchmarks.processes import database, provider, worker
from benchmarks.report import NAMES, ratios
from benchmarks.sites import SITES
from benchmarks.tasks import FAILED

# The limits of the ratios. The figures themselves are in docs/performance.md.
MOST_TIMES_BARE = 4.0  # the CPU time of a sign-in, divided by the bare login's
MOST_TIMES_BARE_PAGE = 2.0  # of a page for somebody who is signed in
MOST_TIMES_SDK = 2.5  # of a check of a code, divided by that of Bandwidth's SDK

ROUNDS, PEOPLE, PAGES = 4, 5, 40


def add_arguments(parser: ArgumentParser) -> None:
    """Add none."""


def run(chosen: Namespace, folder: Path | None) -> str:
    """Measure, and compare the ratios with their limits.

    :raises SystemExit: a ratio is too high, or a benchmark did not work.
    """
    figures = measure()
    try_the_others()
    lines = [f"{name}: {ratio:.2f}, at most {most:g}" for name, (ratio, most) in figures.items()]
    if wrong := too_much(figures):
        raise SystemExit("\n".join([*lines, f"Far off: {', '.join(wrong)}"]))
    return "\n".join(lines)


def measure() -> dict[str, tuple[float, float]]:
    """Return ``{name: (ratio, its highest allowed value)}``."""
    figures = {}
    # The other sites sign in on one database, to check their users and settings.
    for kind, sites in (("sqlite", list(SITES)), ("postgresql", ["bare", "ours"])):
        results = sign_in.measure(sites, kind, ROUNDS, PEOPLE, PAGES)
        ratio = median(sign_in.to_bare(results, "ours", "steady"))
        figures[f"sign-in ÷ bare login, CPU, {NAMES[kind]}"] = (ratio, MOST_TIMES_BARE)
        mine, base = (sign_in.microseconds(results[site], "page") for site in ("ours", "bare"))
        ratio = median(ratios(mine, base))
        figures[f"page ÷ bare page, CPU, {NAMES[kind]}"] = (ratio, MOST_TIMES_BARE_PAGE)
    ratio = median(client.to_sdk(client.measure(rounds=5, calls=50), client.OURS))
    figures["BandwidthClient.verify ÷ bandwidth-sdk, CPU"] = (ratio, MOST_TIMES_SDK)
    return figures


def try_the_others() -> None:
    """Run the benchmarks that give no ratio, so that an error in them is noticed.

    :raises SystemExit: one of them fails.
    """
    with provider() as url:
        with database("sqlite", "scale") as address, worker("ours", url, address) as ask:
            ask("scale.fill", users=500, challenges=1000, counters=500)
            scale.sign_ins(
                {"empty": ask("sign_in.sign_in", people=1), "full": ask("scale.sign_in", people=1)}
            )
            ask("scale.commands", times=1)
            ask("scale.admin", times=1)
            purged = ask("scale.purge")
            if sum(rows for deletions in purged.values() for _seconds, rows in deletions) < 1500:
                raise SystemExit(f"mfa_purge deleted too little: {purged}")
        with database("postgresql", "counter") as address, worker("ours", url, address) as ask:
            [sent] = counter.Senders([ask]).send(right=True, is_limited=True, threads=8, sends=2)
            if sent["failed"] or len(sent["seconds"]) != 16:
                raise SystemExit(f"codes sent at the same time failed: {sent['failed']}")
    parser = ArgumentParser()
    load.add_arguments(parser)
    for server in load.SERVERS:
        [visited] = load.measure(
            server, 0, "ours", parser.parse_args(["--rates=2", "--seconds=2"])
        ).values()
        # Some may be refused: the machine may do something else, and no time is judged here.
        failed = [visit for visit in visited["sign_ins"] if visit[0] == FAILED]
        if failed or not visited["sign_ins"]:
            raise SystemExit(f"on {server} failed: {failed} of {len(visited['sign_ins'])}")


def too_much(figures: dict[str, tuple[float, float]]) -> list[str]:
    """Return the names of the ratios that are higher than allowed."""
    # "not <=" also reports a ratio that is not a number.
    return [name for name, (ratio, most) in figures.items() if not ratio <= most]
