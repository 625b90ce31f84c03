"""Run another package's own tests on a site with this app. Several sessions share this module.

It is a pytest plugin, too: it gives each test a fake Bandwidth, and counts the codes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from django_bandwidth_mfa.testing import FakeBandwidth

HERE = Path(__file__).resolve().parent
FIRST_PHONE = "+12025550143"

codes_given = 0
fake_bandwidth: FakeBandwidth


def run(suite: str, source: Path, tests: str, *arguments: str, **variables: str) -> int:
    """Run ``tests`` in the folder ``source`` with the settings and the plugin of ``suite``.

    Returns the status of pytest.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-p", f"{suite}.plugin"]
    command += ["-p", "no:randomly", "-p", "no:cacheprovider", "-n", "0", "-W", "ignore"]
    command += [f"--ds={suite}.settings", "--tb=short", "--show-capture=no", "-r", "fEx"]
    # Its package `tests` comes first.
    path = os.pathsep.join([str(source), str(HERE)])
    environment = {**os.environ, **variables, "PYTHONPATH": path}
    done = subprocess.run([*command, *arguments, tests], cwd=source, env=environment, check=False)
    return done.returncode


@pytest.fixture(autouse=True)
def bandwidth() -> Iterator[FakeBandwidth]:
    """Run a fake Bandwidth in this process, for :func:`last_code`."""
    global fake_bandwidth
    with FakeBandwidth() as fake_bandwidth:
        yield fake_bandwidth


def last_code() -> str:
    """Return the code that was sent last, for the client to give it."""
    global codes_given
    codes_given += 1
    return fake_bandwidth.outbox[0]["code"]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_line(f"codes given: {codes_given}")
