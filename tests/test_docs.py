"""The names in the documents exist, and their tables agree with the code and the tests."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.dispatch import Signal
from django.urls import get_resolver

from django_bandwidth_mfa import conf, policies, signals
from django_bandwidth_mfa.internal.notify.delivery_errors import ERRORS
from django_bandwidth_mfa.internal.notify.events import EVENTS

from . import other_packages
from .other_packages import ROWS

ROOT = Path(__file__).resolve().parents[1]


def ids_of_tests(marker: str) -> Iterator[str]:
    """Yield each id in a marker such as ``@pytest.mark.attack(...)``, once for each of its tests.

    The files are read, not imported: the tests in a browser need packages that may be missing.
    """
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if not node.name.startswith("test_"):
                continue
            for decorator in node.decorator_list:
                if (
                    isinstance(decorator, ast.Call)
                    and ast.unparse(decorator.func) == f"pytest.mark.{marker}"
                ):
                    yield from {ast.literal_eval(argument) for argument in decorator.args}


@pytest.mark.slow
def test_each_attack_of_the_threat_model_has_a_test() -> None:
    """Tried on broken copies. It fails when a row has no test, when a marker names no row, when two
    rows have the same id, when a row has no id, and when a test loses one of its rows."""
    page = (ROOT / "docs/attacks.md").read_text()
    tables = page.split("## Attack by attack")[1].split("## What a code by phone")[0]
    first_cells = re.findall(r"^\|(.*?)\|", tables, re.MULTILINE)
    in_page = [cell.strip() for cell in first_cells if cell not in (" id ", " --- ")]
    in_tests = list(ids_of_tests("attack"))
    assert [cell for cell in in_page if not re.fullmatch(r"[A-Z]\d+", cell)] == []
    assert len(in_page) == len(set(in_page))
    assert set(in_page) - set(in_tests) == set(), "rows without a test"
    assert set(in_tests) - set(in_page) == set(), "markers without a row"
    assert len(in_tests) >= 160


# The states of a row in docs/standards.md, and whether a row with this state needs a test.
STATES = {
    "met": True,
    "in part": True,
    "not met": False,
    "site": False,
    "others": False,
    "does not apply": False,
}


def rows_of_standards() -> list[tuple[str, str]]:
    """Return the id and the state of each row in the two tables of docs/standards.md."""
    page = (ROOT / "docs/standards.md").read_text()
    rows = []
    for heading in ("## OWASP ASVS 5.0", "## NIST SP 800-63B-4"):
        table = page.split(heading)[1].split("\n| id |")[1].split("\n\n")[0]
        head, _line, *lines = f"| id |{table}".splitlines()
        state = head.split(" | ").index("state")
        rows += [
            (cells[0].removeprefix("| "), cells[state])
            for cells in (line.split(" | ") for line in lines)
        ]
    return rows


@pytest.mark.slow
def test_each_row_of_a_standard_that_is_met_has_a_test() -> None:
    """Tried on broken copies. It fails when a row that is met, in full or in part, has no test,
    when a marker names no row or a row that is not met, when two rows have the same id, when an id
    has another form, and when a row has an unknown state."""
    rows = rows_of_standards()
    ids, states = [id for id, _ in rows], dict(rows)
    assert [id for id in ids if not re.fullmatch(r"V\d\.\d\.\d|63B-[\d.]+\d[a-e]?", id)] == []
    assert len(ids) == len(set(ids))
    assert set(states.values()) == set(STATES)
    shown = set(ids_of_tests("standard"))
    need_a_test = {id for id, state in rows if STATES[state]}
    assert need_a_test - shown == set(), "rows that are met, without a test"
    assert shown - need_a_test == set(), "markers without a row that is met"
    assert len(rows) > 75


@pytest.mark.slow
def test_each_other_package_of_the_page_is_installed_and_has_a_test() -> None:
    """Fails when a row has no test, when a marker has no row, when two rows have the same id, and
    when the page and ``pyproject.toml`` name different releases."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    installed = project["optional-dependencies"]["neighbours"]
    in_page, in_tests = [row.id for row in ROWS], set(ids_of_tests("package"))
    table = other_packages.PAGE.read_text().split("\n| --- |")[1].split("\n\n")[0]
    assert len(in_page) == len(set(in_page)) == len(table.splitlines()) - 1
    assert set(in_page) - in_tests == set(), "rows without a test"
    assert in_tests - set(in_page) == set(), "markers without a row"
    assert {row.requirement for row in ROWS if row.is_installed} - set(installed) == set()


def test_the_operations_page_names_each_event() -> None:
    """Fails when an event is added to the table or to the breaker, but not to the page."""
    breaker = (ROOT / "django_bandwidth_mfa/bandwidth/breaker.py").read_text()
    events = [*EVENTS, *re.findall(r'"event": "(\w+)"', breaker)]
    page = (ROOT / "docs/operations.md").read_text()
    assert [event for event in events if f"`{event}`" not in page] == []
    assert len(events) > 25


def test_the_carriers_page_and_the_log_describe_delivery_errors_alike() -> None:
    """Fails when a code moves between the two tables, or when its words change in one place."""
    page = (ROOT / "docs/carriers.md").read_text()
    senders, others = page.split("### The fault is the sender's")[1].split("### The fault is not")
    for part, is_senders_fault in ((senders, True), (others, False)):
        rows = re.findall(r"^\| (\d{4}) \| (.*) \|$", part, re.MULTILINE)
        assert {int(code): means for code, means in rows} == {
            code: error.means
            for code, error in ERRORS.items()
            if error.is_senders_fault is is_senders_fault
        }
    assert len(ERRORS) > 60


def test_each_signal_belongs_to_one_event() -> None:
    """The login itself sends ``login_completed``, and the code that makes a call sends its signals.
    These signals have no record in the log."""
    all_signals = {
        name: value for name, value in vars(signals).items() if isinstance(value, Signal)
    }
    of_events = {event.name: event.signal for event in EVENTS.values() if event.signal is not None}
    unlogged = {"login_completed", "call_began", "call_ended"}
    assert of_events == {
        name: signal for name, signal in all_signals.items() if name not in unlogged
    }


def headings_of(page: Path) -> set[str]:
    """Return the anchors of a Markdown page, as GitHub makes them from its headings."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links_to_pages() -> Iterator[tuple[Path, Path, str]]:
    """Yield each relative link of a Markdown page, and each page of docs/ that code names.

    A link has three parts: the file that contains it, its target, and the anchor, which may be
    empty.
    """
    link = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]*))?\)")
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for path, anchor in link.findall(page.read_text()):
            yield page, (page.parent / path if path else page), anchor
    name = re.compile(r"(?<!/)\b(docs/[\w/-]+\.md)(?:#([\w-]+))?")
    for folder in ("django_bandwidth_mfa", "example_project", "tests", "benchmarks"):
        for file in sorted((ROOT / folder).rglob("*")):
            if file.suffix in {".py", ".html"}:
                for path, anchor in name.findall(file.read_text()):
                    yield file, ROOT / path, anchor


def test_each_link_to_a_page_leads_to_a_file_and_a_heading() -> None:
    """Fails when a page or a heading is renamed, and a link keeps the old name. Tried with a wrong
    name of a page in the README and in a check's hint, and with a wrong anchor in a page."""
    links = list(links_to_pages())
    broken = [
        f"{source.relative_to(ROOT)}: {target.name}#{anchor}"
        for source, target, anchor in links
        if not target.exists()
        or (anchor and target.suffix == ".md" and anchor not in headings_of(target))
    ]
    assert broken == []
    assert len(links) > 150


def test_the_names_in_the_guide_for_a_move_exist() -> None:
    """Fails when a URL name, a template or a setting is renamed, and the guide keeps the old name.
    Tried with one wrong name of each kind."""
    page = (ROOT / "docs/moving-from-two-factor-auth.md").read_text()
    _prefix, ours = get_resolver("tests.urls").namespace_dict["bandwidth_mfa"]
    names = set(re.findall(r"`bandwidth_mfa:(\w+)`", page))
    assert names - {name for name in ours.reverse_dict if isinstance(name, str)} == set()
    templates = set(re.findall(r"`(bandwidth_mfa/\w+\.html)`", page))
    folder = ROOT / "django_bandwidth_mfa/templates"
    assert [name for name in templates if not (folder / name).exists()] == []
    table = page.split("### Settings")[1]
    cells = [line.split("|")[2] for line in table.splitlines() if line.startswith("| `")]
    keys = set(re.findall(r"`([A-Z_]+)`", " ".join(cells)))
    of_django = {"LOGIN_URL", "LOGIN_REDIRECT_URL", "LOGOUT_REDIRECT_URL"}
    assert keys - of_django - set(vars(conf.Settings)) == set()
    assert len(names) > 8
    assert len(templates) > 8
    assert len(keys) > 10


def test_each_policy_is_in_the_table_of_its_page() -> None:
    """Fails when a policy is added or renamed, and the page does not name it."""
    page = (ROOT / "docs/policies.md").read_text()
    names_in_table = set(re.findall(r"^\| `(\w+)", page, re.MULTILINE))
    assert names_in_table == set(policies.__all__) - {"Policy"}


def test_the_comparison_names_the_figures_and_releases_that_were_measured() -> None:
    """Fails when the benchmarks have new figures or other releases, and the page keeps the old
    ones. Tried with another figure in each column, and with another release."""
    page = (ROOT / "docs/comparison.md").read_text()
    measured = (ROOT / "docs/performance.md").read_text().split("### SQLite: a user who has")[1]
    sign_ins, pages = measured.split("By step")[0], measured.split("### SQLite: pages of")[1]

    def cells(table: str, name: str) -> list[str]:
        [row] = re.findall(rf"^\| {re.escape(name)} \| (.*) \|$", table, re.MULTILINE)
        return [cell.split(" (")[0] for cell in row.split(" | ")]

    figures = page.split("## Figure by figure")[1].split("## Sources")[0]
    names = re.findall(r"^\| (django-.*?) \|", figures, re.MULTILINE)
    for name in names:
        queries, _commits, milliseconds, *_ = cells(sign_ins, name)
        expected = [queries, milliseconds, *cells(pages.split("###")[0], name)[:2]]
        assert cells(figures, name) == expected, name
    assert len(names) == 5
    requirements = (ROOT / "benchmarks/requirements.txt").read_text()
    for name, release in re.findall(r"^(django-[\w-]+)\S*==([\d.]+)$", requirements, re.MULTILINE):
        assert re.search(rf"^\| {name}\b.* \| {re.escape(release)} \|", page, re.MULTILINE), name
