"""One site in a process of its own: ``python -m benchmarks.worker SITE``.

Each line of its input is a command, as JSON: ``{"do": "sign_in", "people": 20}``.  It answers each
with one line of JSON.  The commands are the functions in :data:`COMMANDS`.
"""

from __future__ import annotations

import cProfile
import gc
import importlib
import io
import json
import os
import pstats
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.browser import Answer, Application, Browser, Request

# Statements that end a transaction, where none is open.
WRITES = re.compile(r"(INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)
BEGINS = re.compile(r"(BEGIN|START TRANSACTION)\b", re.IGNORECASE)
ENDS = re.compile(r"(COMMIT|ROLLBACK)(?! TO\b)", re.IGNORECASE)


class Site:
    """``name``: a package in :mod:`benchmarks.sites`."""

    def __init__(self, name: str) -> None:
        os.environ["DJANGO_SETTINGS_MODULE"] = f"benchmarks.sites.{name}.settings"
        from django.core.management import call_command
        from django.core.wsgi import get_wsgi_application

        self.application: Application = get_wsgi_application()
        call_command("migrate", verbosity=0)
        # A site's own models have no migrations. Their tables come last: they refer to the others.
        call_command("migrate", verbosity=0, run_syncdb=True)
        self.people = importlib.import_module(f"benchmarks.sites.{name}.people")
        self._next = 0

    def add_people(self, many: int) -> list[int]:
        """Make ``many`` users, and return their numbers."""
        numbers = list(range(self._next, self._next + many))
        self._next += many
        self.people.add(numbers)
        return numbers

    def sign_in(
        self, n: int, ask: Callable[[Browser, Request], Answer] = Browser.ask
    ) -> tuple[Browser, dict[str, Answer]]:
        """Sign the n-th user in; the browser, and the answer of each step.

        :param ask: how the browser asks; it may look at what the request does.
        :raises RuntimeError: the last page does not say that this user is signed in.
        """
        from benchmarks.sites.making import address, name

        browser, answers = Browser(self.application, address(n)), {}
        sign_in = self.people.sign_in(n)
        step, request = next(sign_in)
        while True:
            answer = answers[step] = ask(browser, request)
            try:
                step, request = sign_in.send(answer)
            except StopIteration:
                break
        expect_page(answers["page"], name(n))
        return browser, answers


def expect_page(answer: Answer, name: str) -> None:
    """Raise ``RuntimeError`` where ``answer`` is not the page of a user who is signed in."""
    if answer.status != 200 or f"Signed in: {name}<" not in answer.text:
        raise RuntimeError(
            f"{name} is not signed in: {answer.status} {answer.location} {answer.text[-600:]}"
        )


def sign_in(site: Site, people: int) -> Any:
    """Sign new users in twice.

    :returns: ``{"first": {step: [[cpu, wall], ...]}, "steady": {...}}``, in nanoseconds.
    """
    numbers = site.add_people(people)
    gc.collect()
    found: dict[str, Any] = {}
    for which in ("first", "steady"):
        times: dict[str, list[list[int]]] = {}
        for n in numbers:
            _browser, answers = site.sign_in(n)
            for step, answer in answers.items():
                times.setdefault(step, []).append([answer.cpu, answer.wall])
        found[which] = times
    return found


def pages(site: Site, path: str, times: int) -> Any:
    """Ask for a page again and again, as somebody who is signed in; ``[[cpu, wall], ...]``."""
    from benchmarks.browser import get

    [n] = site.add_people(1)
    browser, _answers = site.sign_in(n)
    gc.collect()
    answers = [browser.ask(get(path)) for _ in range(times)]
    if {answer.status for answer in answers} != {200}:
        raise RuntimeError(f"{path} answers {answers[-1].status}")
    return [[answer.cpu, answer.wall] for answer in answers]


def queries(site: Site) -> Any:
    """The statements of a user's first sign-in, of the second, and of one to empty tables.

    :returns: ``{which: {step: {"sql": [...], "commits": n}}}``.  A commit is an end of a
        transaction, or a statement that writes outside of one.
    """
    found: dict[str, Any] = {}
    # The first sign-in of a database that nobody has signed in to; no other command comes before.
    order = (["empty"] if not site._next else []) + ["first", "steady"]
    [n] = site.add_people(1)
    for which in order:
        if which == "first" and "empty" in order:
            [n] = site.add_people(1)
        notes = Notes()
        _browser, answers = site.sign_in(n, notes.ask)
        found[which] = {
            step: {"sql": sql, "commits": count_commits(sql)}
            for step, sql in zip(answers, notes.statements, strict=True)
        }
    return found


class Notes:
    """The statements of each request that was asked through it."""

    def __init__(self) -> None:
        self.statements: list[list[str]] = []

    def ask(self, browser: Browser, request: Request) -> Answer:
        """Ask as the browser does."""
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
    """Return how many of ``statements`` end a transaction that is written to the disk."""
    commits, is_open = 0, False
    for sql in statements:
        if BEGINS.match(sql):
            is_open = True
        elif ENDS.match(sql):
            is_open = False
            commits += sql.upper().startswith("COMMIT")
        elif not is_open and WRITES.match(sql):
            commits += 1
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


COMMANDS: dict[str, Callable[..., Any]] = {
    "sign_in": sign_in,
    "pages": pages,
    "queries": queries,
    "profile": profile,
}


def main(name: str) -> None:
    # What anything prints must not come between the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    site = Site(name)
    print(json.dumps("ready"), file=answers, flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        found = COMMANDS[command.pop("do")](site, **command)
        print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
