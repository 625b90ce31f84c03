"""A check of each page of the documentation site: ``python -m tests.gallery.documents FOLDER``.

The session ``docs`` runs it on the site that it has built.  Each page is opened on a phone and on a
desktop, light and dark.  The check fails on

- any violation that axe-core finds;
- a page that is wider than the phone's screen.

The environment names axe-core in ``AXE``, and may name a browser in ``CHROMIUM``.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import launch

from .looks import DARK, DESK, HEIGHT, LIGHT, Examiner, overflow

SMALL_PHONE = 360
COLOUR_RULES = ("color-contrast", "link-in-text-block")


@dataclass(frozen=True)
class Report:
    """What was found on some of the pages: for each problem, its page and what is wrong."""

    axe_runs: int
    problems: list[tuple[str, str]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.gallery.documents")
    parser.add_argument("folder", type=Path, help="the folder with the pages that Sphinx has built")
    folder: Path = parser.parse_args().folder.resolve()
    # The largest first, so that no process gets all the large ones.
    files = sorted(folder.rglob("*.html"), key=lambda file: file.stat().st_size, reverse=True)
    if not files:
        sys.exit(f"There is no page in {folder}.")
    start = time.monotonic()
    processes = os.cpu_count() or 1
    parts = [files[number::processes] for number in range(processes)]
    with ProcessPoolExecutor(processes) as pool:
        reports = list(pool.map(examine, [folder] * processes, parts))
    problems = [problem for report in reports for problem in report.problems]
    pages: dict[str, list[str]] = {}
    for page, problem in problems:
        pages.setdefault(problem, []).append(page)
    for problem, names in sorted(pages.items()):
        more = f", and {len(names) - 1} more" if len(names) > 1 else ""
        print(f"{names[0]}{more}: {problem}")
    print(
        f"{len(files)} pages, {sum(report.axe_runs for report in reports)} runs of axe, "
        f"{len(problems)} problems, {time.monotonic() - start:.0f} seconds"
    )
    if problems:
        sys.exit(1)


def examine(folder: Path, files: list[Path]) -> Report:
    """Open the pages in ``files`` in a browser, and report what is wrong with them."""
    examiner = Examiner(folder, Path(os.environ["AXE"]).read_text())
    problems = []
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page()
        for file in files:
            page.goto(file.as_uri())
            name = file.relative_to(folder).as_posix()
            problems += [(name, problem) for problem in problems_of(page, examiner)]
        browser.close()
    return Report(examiner.axe_runs, problems)


def problems_of(page: Page, examiner: Examiner) -> Iterator[str]:
    """Yield what is wrong with the open ``page``, at each width and in each colour scheme.

    Dark pages differ from light ones by their colours only, so only the rules about colours run.
    """
    for width in (SMALL_PHONE, DESK):
        page.set_viewport_size({"width": width, "height": HEIGHT})
        for colours, media, rules in (("light", LIGHT, ()), ("dark", DARK, COLOUR_RULES)):
            page.emulate_media(**media)  # type: ignore[arg-type]
            where = f"{width} px, {colours}"
            if width == SMALL_PHONE:
                yield from (f"{where}: {problem}" for problem in overflow(page, width))
            yield from (f"{where}: {problem}" for problem in examiner.violations(page, *rules))


if __name__ == "__main__":
    main()
