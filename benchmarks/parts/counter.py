"""Codes sent at the same time by many connections, all through the limit of the whole site."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.processes import DATABASES, Worker, database, provider, worker
from benchmarks.report import NAMES, conditions, percentile, spread, table


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--connections", type=int, nargs="+", default=[2, 8, 32])
    parser.add_argument("--sends", type=int, default=320, help="sends of all connections together")
    parser.add_argument("--databases", nargs="+", choices=DATABASES, default=["postgresql"])


def run(chosen: Namespace, folder: Path | None) -> str:
    sections = [
        f"{conditions(chosen.databases)} {chosen.rounds} rounds of {chosen.sends} sends, in "
        f"{chosen.processes} processes."
    ]
    rows = []
    for kind in chosen.databases:
        with provider() as url, database(kind, "counter") as address, ExitStack() as stack:
            senders = Senders(
                [stack.enter_context(worker("ours", url, address)) for _ in range(chosen.processes)]
            )
            for right in (False, True):
                for connections in chosen.connections:
                    cells = measure(senders, right, connections, chosen.rounds, chosen.sends)
                    what = "send, and the right code" if right else "send"
                    rows.append([NAMES[kind], what, connections, *cells])
    head = ["", "what", "connections", "a second", "p99 ms", "a second, no limit of the site"]
    return "\n\n".join([*sections, table([*head, "failed"], rows)])


class Senders:
    """Several processes of one site on one database."""

    def __init__(self, workers: list[Worker]) -> None:
        self._workers = workers
        self._next_person = 0

    def send(self, right: bool, is_limited: bool, threads: int, sends: int) -> list[Any]:
        """Start all processes at the same moment, and return the answer of each.

        :param threads: the number of threads in each process.
        :param sends: the number of sends in each thread.
        """
        people = 1 + threads * sends
        begin = time.time() + 2  # they make their users before
        for ask in self._workers:
            ask.begin(
                "counter.send",
                first=self._next_person,
                threads=threads,
                sends=sends,
                begin=begin,
                right=right,
                is_limited=is_limited,
            )
            self._next_person += people
        return [ask.answer() for ask in self._workers]

    def __len__(self) -> int:
        return len(self._workers)


def measure(
    senders: Senders, right: bool, connections: int, rounds: int, sends: int
) -> list[object]:
    """Return the cells of one row: with the limit of the site and without it, for each round."""
    rates: dict[bool, list[float]] = {True: [], False: []}
    slowest, failed = [], Counter[str]()
    for _round in range(rounds):
        for is_limited, round_rates in rates.items():
            answers = senders.send(
                right, is_limited, connections // len(senders), sends // connections
            )
            seconds = [duration for answer in answers for duration in answer["seconds"]]
            failed.update(text for answer in answers for text in answer["failed"])
            whole = max(a["ended"] for a in answers) - min(a["began"] for a in answers)
            round_rates.append(len(seconds) / whole)
            if is_limited:
                slowest.append(percentile(seconds, 99) * 1000)
    errors = "; ".join(f"{count} × {text}" for text, count in failed.items())
    return [spread(rates[True], 0), spread(slowest, 0), spread(rates[False], 0), errors or 0]
