"""The example site under gunicorn."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..browser.demo import free_ports
from .server import HANGS, THREADS, VISITORS, get

ROOT = Path(__file__).resolve().parents[2]

ADD_VISITORS = """
from django.contrib.auth.models import User
from django.utils import timezone
from django_bandwidth_mfa.models import Phone

for n in range({many}):
    user = User.objects.create_user(f"visitor{{n}}", password="correct horse")
    Phone.objects.create(
        user=user, number=f"+12025550{{n:03}}", is_primary=True, confirmed_at=timezone.now()
    )
"""


@pytest.fixture
def engine() -> str:
    """Return the session store of the site."""
    return "db"


@pytest.fixture
def extra_environment() -> dict[str, str]:
    """Return more variables for the site's environment."""
    return {}


@pytest.fixture
def site(
    bandwidth: Any, tmp_path: Path, engine: str, extra_environment: dict[str, str]
) -> Iterator[int]:
    """Run the example site under gunicorn, and return its port."""
    (port,) = free_ports(1)
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{tmp_path}/site.sqlite3",
        "BANDWIDTH_SIMULATOR_URL": bandwidth.url,
        "BANDWIDTH_MFA_READ_TIMEOUT": str(HANGS),
        "BANDWIDTH_MFA_MAX_CONCURRENT_CALLS": str(THREADS - 2),
        "BANDWIDTH_MFA_MAX_WAITING_CALLS": "1",
        "BANDWIDTH_MFA_WAIT_SECONDS": "30",
        "BANDWIDTH_MFA_SEND_LIMITS": '{"address": ""}',
        "BANDWIDTH_MFA_RESEND_COOLDOWN": "[0]",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'example_project'}",
        "DJANGO_SETTINGS_MODULE": "tests.proof.worker_settings",
        "TEST_SESSION_ENGINE": engine,
        **extra_environment,
    }
    for command in (["migrate", "-v", "0"], ["shell", "-c", ADD_VISITORS.format(many=VISITORS)]):
        subprocess.run(
            [sys.executable, "-m", "django", *command],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "example.wsgi"),
            *("--bind", f"127.0.0.1:{port}", "--workers", "1", "--threads", str(THREADS)),
            *("--log-level", "error"),
        ],
        env=environment,
    )
    try:
        for _ in range(200):
            try:
                get(port, "/")
                break
            except OSError:
                time.sleep(0.05)  # A connection is the only way to see that the server listens.
        yield port
    finally:
        server.terminate()
        server.wait(30)
