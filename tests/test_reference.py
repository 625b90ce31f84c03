"""The generated reference is complete.

The pages are generated from the code. The tests search the text of the files instead.
"""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest
from django.dispatch import Signal
from django.template.loader import get_template
from django.template.loader_tags import BlockNode
from django.urls import get_resolver

from django_bandwidth_mfa import signals
from django_bandwidth_mfa.internal.notify.events import EVENTS
from docs._extensions import generated
from tests import public_api

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "django_bandwidth_mfa"
SOURCE = {file: file.read_text() for file in PACKAGE.rglob("*.py")}


def sections(page: str) -> dict[str, str]:
    """Return the text below each heading of a page."""
    parts = (part.partition("\n") for part in re.split(r"^## ", page, flags=re.MULTILINE)[1:])
    return {heading: text.strip() for heading, _, text in parts}


def rows(page: str) -> dict[str, list[str]]:
    """Return the other cells of each row of a table, by the name in the first cell."""
    lines = [line[1:-1] for line in page.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)] for line in lines]
    return {first.strip("`"): others for first, *others in cells}


def test_each_part_has_a_page_and_each_mark_a_part() -> None:
    pages = {file.stem: file.read_text() for file in (ROOT / "docs/reference").glob("*.md")}
    assert pages.keys() == generated.PARTS.keys()
    for name, text in pages.items():
        assert f"<!-- generated: {name} -->" in text


def test_each_setting_is_in_the_reference_with_its_meaning_and_its_default() -> None:
    """Fails when a setting is left out. Tried without the secret settings."""
    source = SOURCE[PACKAGE / "conf.py"]
    names = re.findall(r"^    ([A-Z_]+) = Setting\b", source, re.MULTILINE)
    page = sections(generated.settings())
    assert list(page) == names
    assert len(names) > 40
    for text in page.values():
        meaning, _, facts = text.partition("\n\n")
        assert meaning
        assert re.search(r"^- Default: (`.+`|none: it is required)", facts, re.MULTILINE)
    assert "Default: `6`" in page["DIGITS"]
    assert "from 2 to 8" in page["DIGITS"]


@pytest.mark.slow
def test_each_system_check_is_in_the_reference_with_its_meaning_and_its_text() -> None:
    """Fails when a check has no row in the docstring of checks.py, and when the reference does not
    have its text. Tried with an id that only the code has, and without the kinds of doors."""
    ids = set(re.findall(r"bandwidth_mfa\.[EW]\d{3}\b", "".join(SOURCE.values())))
    doors = SOURCE[PACKAGE / "internal/doors/kinds.py"]
    ids |= {f"bandwidth_mfa.{number}" for number in re.findall(r'^    "(E\d+)",', doors, re.M)}
    page = sections(generated.system_checks())
    assert set(page) == ids
    assert len(ids) > 35
    for id, text in page.items():
        meaning, _, messages = text.partition("\n\n")
        assert not meaning.startswith("- "), f"{id} has no meaning"
        # The kinds of doors have the texts of W004.
        assert messages.startswith("- ") or id == "bandwidth_mfa.W004"


def test_each_signal_is_in_the_reference_with_its_arguments() -> None:
    """Fails when the docstring of signals.py does not name a signal. Tried without one row."""
    names = {name for name, value in vars(signals).items() if isinstance(value, Signal)}
    page = generated.all_signals()
    entries = re.findall(r"^```\{py:data\} [\w.]+\.(\w+)\n\n(.*)\n```$", page, re.MULTILINE)
    assert {name for name, text in entries if text} == names
    assert len(names) > 15


def test_each_event_is_in_the_reference_with_its_meaning() -> None:
    """Fails when no function logs an event, and when the reference does not have a log record from
    outside of the table. Tried without such a record."""
    others = re.findall(r'"event": "(\w+)"', "".join(SOURCE.values()))
    page = rows(generated.log_events())
    assert set(page) == {*EVENTS, *others}
    assert [name for name, cells in page.items() if not cells[-1]] == []
    assert page["locked_out"][:3] == ["WARNING", "yes", "yes"]


def test_each_url_is_in_the_reference_with_its_meaning() -> None:
    """Fails when a view has no docstring."""
    _prefix, ours = get_resolver("tests.urls").namespace_dict["bandwidth_mfa"]
    names = {f"bandwidth_mfa:{name}" for name in ours.reverse_dict if isinstance(name, str)}
    page = rows(generated.url_names())
    assert set(page) == names
    assert [name for name, cells in page.items() if not cells[-1]] == []


def test_each_template_is_in_the_reference_with_its_blocks() -> None:
    """Fails when a block of a template is left out. The test uses Django's own parser."""
    page = rows(generated.templates())
    assert len(page) > 40
    assert set(page) == {
        str(file.relative_to(PACKAGE / "templates"))
        for file in (PACKAGE / "templates").rglob("*.*")
    }
    for name, cells in page.items():
        nodes = get_template(name).template.nodelist.get_nodes_by_type(BlockNode)
        assert set(re.findall(r"`(\w+)`", cells[1])) == {node.name for node in nodes}, name


def test_each_command_is_in_the_reference_with_its_arguments() -> None:
    """Fails when a command or one of its arguments is left out. Tried without the options."""
    files = [file for file in (PACKAGE / "management/commands").glob("*.py") if file.stem[0] != "_"]
    page = sections(generated.commands())
    assert set(page) == {file.stem for file in files}
    for file in files:
        arguments = re.findall(r'add_argument\(\s*"([\w-]+)"', file.read_text())
        table = rows(page[file.stem])
        assert list(table) == arguments, file.stem
        assert all(cells[0] for cells in table.values()), file.stem


def test_each_public_name_is_in_the_reference() -> None:
    """Sphinx leaves out functions and classes without a docstring. So each one needs one."""
    modules = generated.public_modules()
    with_names = [
        one for one in public_api.public_modules() if importlib.import_module(one).__all__
    ]
    assert ["django_bandwidth_mfa", *modules] == with_names
    silent = [
        f"{path}.{name}"
        for path in modules
        for name in importlib.import_module(path).__all__
        for value in [getattr(importlib.import_module(path), name)]
        if (inspect.isclass(value) or inspect.isroutine(value)) and not value.__doc__
    ]
    assert silent == []
