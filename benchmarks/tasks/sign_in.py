"""Sign-ins, one after another, and the pages after them."""

from __future__ import annotations

import cProfile
import gc
import io
import pstats
import re
from collections.abc import Iterable
from typing import Any

from benchmarks.browser import Answer, Browser, Request, get
from benchmarks.worker import Site

WRITES = re.compile(r"(INSERT|UPDATE|DELETE|REPLACE|WITH)\b", re.IGNORECASE)
BEGINS = re.compile(r"(BEGIN|START TRANSACTION)\b", re.IGNORECASE)
ENDS = re.compile(r"(COMMIT|ROLLBACK)(?! TO\b)", re.IGNORECASE)


def sign_in(site: Site, people: int) -> Any:
    """Sign new users in twice.

    :returns: ``{"first": {step: [[cpu, wall], ...]}, "steady": {...}}``, in nanoseconds.
    """
    numbers = site.add_people(people)
    return {which: sign_in_each(site, numbers) for which in ("first", "steady")}


def sign_in_each(site: Site, numbers: Iterable[int]) -> dict[str, list[list[int]]]:
    """Sign users in; returns ``{step: [[cpu, wall], ...]}``, in nanoseconds."""
    gc.collect()
    times: dict[str, list[list[int]]] = {}
    for n in numbers:
        _browser, answers = site.sign_in(n)
        for step, answer in answers.items():
            times.setdefault(step, []).append([answer.cpu, answer.wall])
    return times


def pages(site: Site, path: str, times: int) -> Any:
    """Ask for a page again and again, as somebody who is signed in.

    :returns: ``[[cpu, wall], ...]``, in nanoseconds.
    """
    [n] = site.add_people(1)
    browser, _answers = site.sign_in(n)
    gc.collect()
    answers = [browser.ask(get(path)) for _ in range(times)]
    if {answer.status for answer in answers} != {200}:
        raise RuntimeError(f"{path} answers {answers[-1].status}")
    return [[answer.cpu, answer.wall] for answer in answers]


def queries(site: Site) -> Any:
    """The statements of a user's first sign-in, and of the second.

    On a database that nobody has signed in to yet, also those of the very first one: ``empty``.

    :returns: ``{which: {step: {"sql": [...], "commits": n}}}``.
    """
    sign_ins: dict[str, Any] = {}
    if not site.next_person:
        [n] = site.add_people(1)
        sign_ins["empty"] = statements(site, n)
    [n] = site.add_people(1)
    sign_ins["first"] = statements(site, n)
    sign_ins["steady"] = statements(site, n)
    return sign_ins


def statements(site: Site, n: int) -> dict[str, Any]:
    """Sign the n-th user in; returns ``{step: {"sql": [...], "commits": n}}``."""
    notes = Notes()
    _browser, answers = site.sign_in(n, notes.ask)
    return {
        step: {"sql": sql, "commits": count_commits(sql)}
        for step, sql in zip(answers, notes.statements, strict=True)
    }


class Notes:
    """Records the statements of each request that was sent through it."""

    def __init__(self) -> None:
        self.statements: list[list[str]] = []

    def ask(self, browser: Browser, request: Request) -> Answer:
        """Send the request with the browser."""
        from django.db import connection

        connection.force_debug_cursor = True
        try:
            # Django empties its log at the start of each request.
            answer = browser.ask(request)
            self.statements.append([query["sql"] for query in connection.queries])
        finally:
            connection.force_debug_cursor = False
        return answer


def count_commits(statements: Iterable[str]) -> int:
    """Count the transactions that are written: a statement that writes outside of one is one.

    A transaction that only reads, or that is rolled back, is none.
    """
    commits, is_open, has_written = 0, False, False
    for sql in statements:
        if BEGINS.match(sql):
            is_open, has_written = True, False
        elif ENDS.match(sql):
            commits += has_written and sql.upper().startswith("COMMIT")
            is_open = False
        elif WRITES.match(sql):
            has_written = True
            commits += not is_open
    return commits


def profile(site: Site, people: int) -> Any:
    """Return the two tables of cProfile over ``people`` steady sign-ins."""
    numbers = site.add_people(people)
    for n in numbers:
        site.sign_in(n)
    profiler = cProfile.Profile()

    def ask(browser: Browser, request: Request) -> Answer:
        profiler.enable()
        try:
            return browser.ask(request)
        finally:
            profiler.disable()

    for n in numbers:
        site.sign_in(n, ask)
    tables = {}
    for order in ("tottime", "cumulative"):
        text = io.StringIO()
        pstats.Stats(profiler, stream=text).strip_dirs().sort_stats(order).print_stats(60)
        tables[order] = text.getvalue()
    return tables
