"""What the documents name is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def attack_ids_of_tests() -> Iterator[str]:
    """Each id in a marker ``@pytest.mark.attack(...)``, once for each test that carries it.

    The files are read, not imported: the tests of the browser need packages that may be missing.
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
                    and ast.unparse(decorator.func) == "pytest.mark.attack"
                ):
                    yield from {ast.literal_eval(argument) for argument in decorator.args}


def test_each_attack_of_the_threat_model_is_shown_by_a_test() -> None:
    """Tried on broken copies. It fails when a row has no test, when a marker names no row, when two
    rows have the same id, when a row has no id, and when a test loses one of its rows."""
    page = (ROOT / "docs/security.md").read_text()
    tables = page.split("### Attack by attack")[1].split("#### What a code by phone")[0]
    first_cells = re.findall(r"^\|(.*?)\|", tables, re.MULTILINE)
    in_page = [cell.strip() for cell in first_cells if cell not in (" id ", " --- ")]
    in_tests = list(attack_ids_of_tests())
    assert [cell for cell in in_page if not re.fullmatch(r"[A-Z]\d+", cell)] == []
    assert len(in_page) == len(set(in_page))
    assert set(in_page) - set(in_tests) == set(), "rows without a test"
    assert set(in_tests) - set(in_page) == set(), "markers without a row"
    assert len(in_tests) >= 160


def test_each_event_is_told_in_the_operations_page() -> None:
    code = "".join(
        (ROOT / "django_bandwidth_mfa" / file).read_text()
        for file in ("events.py", "bandwidth/breaker.py", "views/base.py")
    )
    events = re.findall(r'_log\(\s*logging\.\w+, "(\w+)"|"event": "(\w+)"', code)
    page = (ROOT / "docs/operations.md").read_text()
    assert [one for pair in events for one in pair if one and f"`{one}`" not in page] == []
    assert len(events) > 15
