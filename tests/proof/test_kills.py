"""``kill -9`` at any point of a sign-in: no code passes twice, no count is lost, a retry works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection, connections

from .killing import ACTIONS

ROOT = Path(__file__).resolve().parents[2]


def database_url() -> str:
    """Return the URL of the test database, for a separate process."""
    parts = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{parts['NAME']}"
    scheme = {"postgresql": "postgres", "mysql": "mysql"}[connection.vendor]
    login = quote(parts["USER"], safe="")
    if parts["PASSWORD"]:
        login += ":" + quote(parts["PASSWORD"], safe="")
    return f"{scheme}://{login}@{parts['HOST']}:{parts['PORT']}/{parts['NAME']}"


@pytest.mark.attack("N11")
@pytest.mark.django_db(transaction=True)
def test_a_process_killed_at_any_point_loses_no_count_and_lets_no_code_pass_twice(
    bandwidth: Any, figures: Any
) -> None:
    """Fails when a try or a send is counted after the request to Bandwidth instead of before it."""
    url = database_url()
    connections.close_all()
    killed = subprocess.run(
        [sys.executable, "-m", "tests.proof.killing", bandwidth.url],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        stdout=subprocess.PIPE,
        check=True,
        timeout=300,
    )
    points = [json.loads(line) for line in killed.stdout.splitlines()]
    assert {point["action"] for point in points} == set(ACTIONS)
    assert len(points) > 60
    figures.add("kill -9", len(points))
    figures.add("logins lost to it", sum(point["lost"] for point in points))
    figures.add("logins doubled by it", sum(point["doubled"] for point in points))
    assert [point for point in points if point["wrongs"] or point["lost"]] == []
