"""The command line: ``python -m benchmarks sign-in``, and so on."""

from __future__ import annotations

import argparse

from benchmarks import sign_in
from benchmarks.processes import DATABASES
from benchmarks.sites import SITES


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parts = parser.add_subparsers(dest="part", required=True)

    part = parts.add_parser("sign-in", help="a sign-in by step on each site")
    part.add_argument("--rounds", type=int, default=7)
    part.add_argument("--people", type=int, default=20, help="who sign in, twice, in each round")
    part.add_argument("--pages", type=int, default=200, help="pages in each round")
    part.add_argument("--sites", nargs="+", choices=SITES, default=list(SITES))
    part.add_argument("--databases", nargs="+", choices=DATABASES, default=list(DATABASES))
    part.add_argument(
        "--profile",
        action="store_true",
        help="print the statements and the profile of one site, instead of measuring: this app, "
        "or the first of --sites",
    )

    chosen = parser.parse_args()
    if chosen.profile:
        site = "ours" if len(chosen.sites) == len(SITES) else chosen.sites[0]
        sign_in.print_profile(site, chosen.databases[0], chosen.people)
        return
    found = sign_in.measure(
        chosen.sites,
        chosen.databases,
        rounds=chosen.rounds,
        people=chosen.people,
        pages=chosen.pages,
    )
    sign_in.print_results(found)


if __name__ == "__main__":
    main()
