"""The calculations of the benchmarks.  A session of the gate runs the benchmarks themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.parts import check, scale, sign_in
from benchmarks.provider import answer_to
from benchmarks.tasks.sign_in import count_commits


def test_a_ratio_that_is_too_high_is_named() -> None:
    """Fails when ``too_much`` compares in the wrong direction, or accepts a ratio that is not a
    number."""
    ratios = {"fine": (3.9, 4.0), "slow": (4.1, 4.0), "unknown": (float("nan"), 4.0)}
    assert check.too_much(ratios) == ["slow", "unknown"]


def test_a_ratio_is_made_within_each_round() -> None:
    assert report.ratios([30.0, 60.0], [10.0, 20.0]) == [3.0, 3.0]


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (99, 99), (100, 100)])
def test_a_percentile_is_one_of_the_values(percent: float, value: int) -> None:
    assert report.percentile(list(range(100, 0, -1)), percent) == value


def test_a_commit_is_a_transaction_that_writes() -> None:
    """Fails when a transaction is counted that only reads or is rolled back, or when a statement
    outside of a transaction is not counted."""
    assert count_commits(["SELECT 1", "UPDATE a SET b = 1", "INSERT INTO a VALUES (1)"]) == 2
    assert count_commits(["BEGIN", "UPDATE a", "SAVEPOINT s", "DELETE FROM a", "COMMIT"]) == 1
    assert count_commits(["BEGIN IMMEDIATE", "SELECT 1", "COMMIT"]) == 0
    assert count_commits(["BEGIN", "UPDATE a", "ROLLBACK TO SAVEPOINT s", "COMMIT"]) == 1
    assert count_commits(["BEGIN", "UPDATE a", "ROLLBACK", "SELECT 1"]) == 0


def test_the_sum_of_a_sign_in_does_not_include_the_page_after_it() -> None:
    steps = {
        "password": {"sql": ["SELECT 1", "BEGIN", "UPDATE a", "COMMIT"], "commits": 1},
        "page": {"sql": ["SELECT 1"], "commits": 0},
    }
    times = {"password": [[2_000_000, 3_000_000]], "page": [[9_000_000, 9_000_000]]}
    result = {"queries": {"steady": steps}, "rounds": [{"steady": times}]}
    assert sign_in.count(result, "steady", "sign-in") == (2, 1)
    assert sign_in.milliseconds(result, "steady", "sign-in") == [2.0]
    assert sign_in.milliseconds(result, "steady", "page", sign_in.WALL) == [9.0]
    assert sign_in.milliseconds(result, "steady", "send") == []


def test_the_first_and_the_last_part_of_a_purge_have_their_own_rates() -> None:
    deletions = [(1.0, 1000)] * 5 + [(2.0, 1000)] * 5
    rates = [scale.rate(part) for part in scale.parts(deletions)]
    assert (len(rates), rates[0], rates[-1]) == (5, 1000.0, 500.0)


def test_a_result_replaces_the_text_between_its_markers(tmp_path: Path) -> None:
    document = tmp_path / "document.md"
    document.write_text("a\n<!-- begin x -->\nold\n<!-- end x -->\nz\n")
    report.write_part("x", "new \\1", document)
    report.write_part("x", "newer", document)
    assert document.read_text() == "a\n<!-- begin x -->\n\nnewer\n\n<!-- end x -->\nz\n"
    with pytest.raises(ValueError, match="begin y"):
        report.write_part("y", "new", document)


def test_the_document_has_a_place_for_each_result() -> None:
    """Fails when a marker of the page is renamed."""
    page = report.DOCUMENT.read_text()
    for name in ("sign-in", "client", "counter", "scale", "load"):
        assert page.count(f"<!-- begin {name} -->") == 1
        assert page.count(f"<!-- end {name} -->") == 1


def test_the_provider_refuses_wrong_codes() -> None:
    """Otherwise a benchmark would also pass with a site that does not ask the provider."""
    path = "/api/v1/accounts/5500001/code/verify"
    assert answer_to(path, b'{"code": "123456"}') == {"valid": True}
    assert answer_to(path, b'{"code": "012345"}') == {"valid": False}
