"""Pictures of each state of each page, and a check of each: ``nox -s gallery``.

::

    nox -s gallery                    # everything; the result is gallery/index.html
    nox -s gallery -- --only locked   # the states whose names hold a word
    nox -s gallery -- --quick         # one picture of each state, in English
    nox -s gallery -- --look pseudo   # the looks whose names hold a word, such as "English"
    nox -s gallery -- --docs          # only the pictures of README and docs

Each state is visited in English (three widths, light, dark, forced colours), without JavaScript,
from right to left, and in a pseudo-language.  The program fails if a state is not reached, and on

- any violation that axe-core finds, at 390 px;
- a page that is wider than a screen of 320 px;
- a text that the pseudo-language shows untranslated;
- any complaint on the browser's console.

The environment names axe-core in ``AXE``, and may name a browser in ``CHROMIUM``.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Error, expect, sync_playwright

from tests.browser.conftest import launch
from tests.pseudo_language import ROOT

from .docs import write_pictures
from .index import write_index
from .looks import QUICK, Examiner, Look, Result, complaint_of, looks
from .mails import examine_mails
from .sites import Sites
from .states import STATES, State, Visit

OUTPUT = ROOT / "gallery"
NAMES = ("Harbour Credit Union", "Harbour", "Work")


def main() -> None:
    options = read_options()
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = launch(playwright)
        with Sites(Path(folder)) as sites:
            if options.docs:
                write_pictures(browser, sites)
            else:
                problems = make_gallery(browser, sites, options.only, chosen_looks(options))
                if problems:
                    sys.exit(f"{problems} problems: see {OUTPUT.name}/index.html")
        browser.close()


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s gallery --")
    parser.add_argument("--only", default="", help="a word in the names of the states to visit")
    parser.add_argument("--look", default="", help="a word in the names of the looks to take")
    parser.add_argument("--quick", action="store_true", help="one picture of each, in English")
    parser.add_argument("--docs", action="store_true", help="write the pictures of the docs alone")
    return parser.parse_args()


def chosen_looks(options: argparse.Namespace) -> list[Look]:
    return [QUICK] if options.quick else [one for one in looks() if options.look in one.name]


def make_gallery(browser: Browser, sites: Sites, only: str, ways: list[Look]) -> int:
    """Visit the states, write the gallery, and return how many problems it shows."""
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir()
    start = time.monotonic()
    examiner = Examiner(OUTPUT, Path(os.environ["AXE"]).read_text())
    results = []
    for state in STATES:
        if only in state.name:
            results.append(visit(browser, examiner, sites, state, ways))
            # A person who stops the program can see which states are done.
            print(
                f"{len(results):3}  {state.name}: {len(results[-1].problems)} problems", flush=True
            )
    states = len(results)
    if not only:
        results += examine_mails(browser, examiner, sites.mails, ways)
    problems = sum(len(one.problems) for one in results)
    summary = (
        f"{states} states and {len(results) - states} mails, "
        f"{sum(len(one.pictures) for one in results)} pictures, {examiner.axe_runs} runs of axe, "
        f"{problems} problems, {time.monotonic() - start:.0f} seconds"
    )
    write_index(OUTPUT / "index.html", results, summary)
    places: dict[str, list[str]] = {}
    for one in results:
        for text in one.problems:
            places.setdefault(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1", text), []).append(one.name)
    for text, names in places.items():
        more = f", and {len(names) - 1} more" if len(names) > 1 else ""
        print(f"{names[0]}{more}: {text}")
    print(summary)
    return problems


def visit(
    browser: Browser, examiner: Examiner, sites: Sites, state: State, ways: list[Look]
) -> Result:
    """Visit ``state`` in each look, and examine the page."""
    result = Result(state.name, state.how, state.rows_changed)
    for look in ways:
        if state.is_staffs and look.language != "en-US":
            continue
        try:
            visit_once(browser, examiner, sites, state, look, result)
        except (AssertionError, Error, IndexError, ValueError) as error:
            result.problems.append(f"{look.name}: not reached: {error}")
    return result


def visit_once(
    browser: Browser, examiner: Examiner, sites: Sites, state: State, look: Look, result: Result
) -> None:
    site = sites.get(state.site)
    context = browser.new_context(
        locale=look.language,
        java_script_enabled=look.javascript,
        viewport={"width": 390, "height": 800},
    )
    context.set_default_timeout(10_000)
    complaints: list[str | None] = []
    page = context.new_page()
    page.on("console", lambda message: complaints.append(complaint_of(message)))
    page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
    try:
        people = (site.member(), site.newcomer(), site.member())
        person = Visit(page, site, *people, javascript=look.javascript)
        state.reach(person)
        for shown in state.shown:
            expect(page.locator(shown).first).to_be_visible()
        names = (*NAMES, *(one.username for one in people))
        examiner.examine(page, look, result, ours=not state.is_staffs, data=names)
        result.problems += [f"{look.name}: {one}" for one in complaints if one]
    finally:
        context.close()


if __name__ == "__main__":
    main()
