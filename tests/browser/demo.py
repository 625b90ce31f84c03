"""The demo of the example site, with its own processes and its own database."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse"
START_SECONDS = 60
# These numbers are reserved for fiction: they belong to nobody.
NUMBERS = [f"+1206555{n:04}" for n in range(100, 150)]

# Requests go straight to loopback, also on a machine with an HTTP proxy.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

ADD_MEMBERS = """
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django_bandwidth_mfa.models import Phone

password = make_password({password!r})
with transaction.atomic():
    for n, number in enumerate({numbers!r}):
        User.objects.create(username=f"newcomer{{n}}", password=password)
        user = User.objects.create(username=f"member{{n}}", password=password)
        Phone.objects.create(user=user, number=number, is_primary=True, confirmed_at=timezone.now())
"""

AGE_SESSION = """
from django.contrib.sessions.backends.db import SessionStore
from django_bandwidth_mfa.internal.login.mark import MARK

session = SessionStore({key!r})
moments = {{name: session[MARK][name] - {seconds!r} for name in ("at", "signed_in")}}
session[MARK] = {{**session[MARK], **moments}}
session.save()
"""


@dataclass(frozen=True)
class Member:
    """A person with an account, and the number of their phone."""

    username: str
    number: str


CHANGE = """
from datetime import timedelta
from django.contrib.auth import get_user_model
from django.db.models import F
from django.utils import timezone
from django_bandwidth_mfa.models import Challenge, SecondFactor
user = get_user_model().objects.get(username="{username}")
sent = Challenge.objects.filter(user=user).order_by("-sent_at")[:1]
sent = Challenge.objects.filter(pk__in=[one.pk for one in sent])
now = timezone.now()
"""


class Demo:
    """``manage.py demo`` on free ports, in ``folder``.

    It runs in a copy of the example project.  So it uses neither the database of another demo nor
    an ``.env`` with real credentials.  ``changes`` are variables of the environment.
    """

    numbers: Sequence[str] = NUMBERS
    """One for each member."""

    def __init__(self, folder: Path, changes: Mapping[str, str]) -> None:
        self.project = folder / "example_project"
        shutil.copytree(
            ROOT / "example_project",
            self.project,
            ignore=shutil.ignore_patterns("*.sqlite3*", "__pycache__"),
        )
        port, simulator_port = free_ports(2)
        self.url = f"http://127.0.0.1:{port}"
        self.simulator_url = f"http://127.0.0.1:{simulator_port}"
        self._log = folder / "demo.log"
        self._unused = iter(range(len(self.numbers)))
        ours = ("BANDWIDTH_", "DATABASE_URL", "DJANGO_", "DEBUG", "SECRET_KEY", "ALLOWED_HOSTS")
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(ours)},
            "PYTHONPATH": str(ROOT),
            **changes,
        }
        self._command = ["demo", "--port", str(port), "--simulator-port", str(simulator_port)]

    def __enter__(self) -> Demo:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", *self._command, "--no-browser"],
                cwd=self.project,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait()
            self._shell(ADD_MEMBERS.format(password=PASSWORD, numbers=list(self.numbers)))
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def member(self) -> Member:
        """Return a person who has added a phone, and whom no other test uses."""
        n = next(self._unused)
        return Member(f"member{n}", self.numbers[n])

    def newcomer(self) -> Member:
        """Return a person who has not added a phone, and whom no other test uses."""
        n = next(self._unused)
        return Member(f"newcomer{n}", self.numbers[n])

    def messages(self, number: str) -> list[dict[str, Any]]:
        """Return the messages and calls to ``number``, newest first."""
        with _opener.open(f"{self.simulator_url}/inbox.json", timeout=10) as answer:
            return [message for message in json.load(answer) if message["to"] == number]

    def fault(self, **fault: Any) -> None:
        """Set a fault of the simulator; without arguments, end all faults."""
        request = urllib.request.Request(
            f"{self.simulator_url}/faults",
            json.dumps(fault).encode(),
            {"Content-Type": "application/json"},
        )
        _opener.open(request, timeout=10).close()

    def age_session(self, key: str, seconds: int) -> None:
        """Make the sign-in of a session, and its last code, older by ``seconds``."""
        self._shell(AGE_SESSION.format(key=key, seconds=seconds))

    def change(self, who: Member, code: str) -> None:
        """Run ``code`` on the demo's database.

        It can use the variables ``user``, ``sent`` (the user's newest code) and ``now``.
        """
        self._shell(CHANGE.format(username=who.username) + code)

    @property
    def log(self) -> str:
        """The output of the demo."""
        return self._log.read_text(errors="replace")

    def _shell(self, code: str) -> None:
        """Run ``code`` in the site's own shell, on the demo's database."""
        done = subprocess.run(
            [sys.executable, "manage.py", "shell", "-c", code],
            cwd=self.project,
            env={
                **self._environment,
                "DATABASE_URL": f"sqlite:///{self.project / 'demo.sqlite3'}",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"The demo's shell failed:\n{done.stdout}{done.stderr}")

    def _wait(self) -> None:
        end = time.monotonic() + START_SECONDS
        for url in (f"{self.simulator_url}/inbox.json", f"{self.url}/"):
            while not answers(url):
                if self._process.poll() is not None:
                    raise RuntimeError(f"The demo ended:\n{self.log}")
                if time.monotonic() > end:
                    raise RuntimeError(f"No answer from {url}:\n{self.log}")
                time.sleep(0.1)

    def _stop(self) -> None:
        """Send the signal of Ctrl-C to the process group of the demo, and wait for its end."""
        for number in (signal.SIGINT, signal.SIGKILL):
            if self._process.poll() is None:
                os.killpg(self._process.pid, number)
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                continue
            return


def free_ports(count: int) -> list[int]:
    """Return free ports of loopback.  All are open at the same time, so no two are the same."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def answers(url: str) -> bool:
    """Return whether a page is shown at ``url``."""
    try:
        with _opener.open(url, timeout=10):
            return True
    except (OSError, HTTPException):
        return False
