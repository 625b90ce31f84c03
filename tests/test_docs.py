"""What the documents name is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_each_test_that_the_threat_model_names_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", (ROOT / "docs/security.md").read_text())
    missing = [
        f"{file}::{name}" for file, name in named if f"def {name}(" not in (ROOT / file).read_text()
    ]
    assert missing == []
    assert len(named) > 100


def test_each_event_is_told_in_the_operations_page() -> None:
    code = "".join(
        (ROOT / "django_bandwidth_mfa" / file).read_text()
        for file in ("events.py", "bandwidth/breaker.py", "views/base.py")
    )
    events = re.findall(r'_log\(\s*logging\.\w+, "(\w+)"|"event": "(\w+)"', code)
    page = (ROOT / "docs/operations.md").read_text()
    assert [one for pair in events for one in pair if one and f"`{one}`" not in page] == []
    assert len(events) > 15
