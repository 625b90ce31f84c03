"""Count the people who sign in while Bandwidth is slow and PostgreSQL accepts few connections.

    python benchmarks/connections.py [--rate 14] [--seconds 10] [--latency 2] [--limit 50] [--pool]

The example site runs in one uvicorn process. Its role in PostgreSQL may have ``--limit``
connections at once. The simulator replaces Bandwidth, and takes ``--latency`` seconds for each
answer. ``--rate`` people begin to sign in each second, even if earlier people have not finished.
Each person loads the login page, gives the password, loads the code page, gives the code, and loads
a page that needs both.

The program needs ``uvicorn`` and ``psycopg[binary,pool]``. It makes and deletes its own role and
database on the server that ``--server`` names.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import requests

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
NAME = "bandwidth_mfa_connections"  # of the role, its password and the database
PASSWORD = "made-up"
# For an async server, as docs/operations.md says.
PLACES = {"MAX_CONCURRENT_CALLS": "64", "MAX_WAITING_CALLS": "64", "WAIT_SECONDS": "2"}


@dataclass
class Result:
    """The outcomes of all sign-ins."""

    ends: Counter[str] = field(default_factory=Counter)
    sign_ins: list[float] = field(default_factory=list)  # seconds, of those who are in
    login_pages: list[float] = field(default_factory=list)  # seconds
    connections: int = 0  # the most that were open at once


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rate", type=float, default=14, help="sign-ins that begin each second")
    parser.add_argument("--seconds", type=float, default=10, help="duration of the arrivals")
    parser.add_argument("--latency", type=float, default=2, help="seconds of each call")
    parser.add_argument("--limit", type=int, default=50, help="connections of the site's role")
    parser.add_argument("--pool", action="store_true", help="a pool of as many connections")
    parser.add_argument("--server", default="postgres://postgres@127.0.0.1:5432/postgres")
    arguments = parser.parse_args()
    people = round(arguments.rate * arguments.seconds)
    site_port, simulator_port = free_port(), free_port()
    with database(arguments.server, arguments.limit) as url:
        environment = {
            **os.environ,
            **{f"BANDWIDTH_MFA_{name}": value for name, value in PLACES.items()},
            "BANDWIDTH_MFA_TRUSTED_PROXIES": "1",  # each person has an address of their own
            "BANDWIDTH_SIMULATOR_URL": f"http://127.0.0.1:{simulator_port}",
            "DATABASE_URL": url,
            "DATABASE_POOL": json.dumps(
                {"min_size": 4, "max_size": arguments.limit} if arguments.pool else None
            ),
            "DJANGO_SETTINGS_MODULE": "connections_site",
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "example_project", HERE))),
            "SECRET_KEY": "of-a-benchmark",
        }
        prepare(environment, people + 1)
        simulator = ("django_bandwidth_mfa.simulator", "--port", str(simulator_port))
        uvicorn = ("uvicorn", "--factory", "django.core.asgi:get_asgi_application")
        options = ("--port", str(site_port), "--no-proxy-headers", "--log-level", "warning")
        with (
            program(simulator_port, environment, *simulator, "--latency", str(arguments.latency)),
            program(site_port, environment, *uvicorn, *options),
        ):
            result = sign_in_all(
                f"http://127.0.0.1:{site_port}",
                f"http://127.0.0.1:{simulator_port}",
                people,
                arguments.rate,
                arguments.server,
            )
    tell(result, people)


def tell(result: Result, people: int) -> None:
    print(f"{result.ends.pop('in', 0)} of {people} are in")
    for end, times in result.ends.most_common():
        print(f"  {times} × {end}")
    print(f"most connections at once: {result.connections}")
    for name, seconds in (("sign-in", result.sign_ins), ("login page", result.login_pages)):
        if len(seconds) > 1:
            hundredths = statistics.quantiles(seconds, n=100)
            print(f"{name}: median {hundredths[49]:.2f} s, 99th percentile {hundredths[98]:.2f} s")


def number(n: int) -> str:
    """Return the n-th valid number of the United States."""
    return f"+1206{2_000_000 + n}"


@contextlib.contextmanager
def database(server: str, limit: int) -> Iterator[str]:
    """Make a role that may have ``limit`` connections, and a database. Yields its URL."""
    drop = (f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)", f"DROP ROLE IF EXISTS {NAME}")
    make = (
        f"CREATE ROLE {NAME} LOGIN PASSWORD '{NAME}' CONNECTION LIMIT {limit}",
        f"CREATE DATABASE {NAME} OWNER {NAME}",
    )
    with psycopg.connect(server, autocommit=True) as connection:
        for statement in (*drop, *make):
            connection.execute(statement.encode())
        try:
            parts = urlsplit(server)
            yield f"postgres://{NAME}:{NAME}@{parts.hostname}:{parts.port or 5432}/{NAME}"
        finally:
            for statement in drop:
                connection.execute(statement.encode())


def prepare(environment: dict[str, str], people: int) -> None:
    """Make the tables, and ``people`` users with a phone, in a separate process."""
    run = f"import connections; connections.fill({people})"
    subprocess.run([sys.executable, "-c", run], env=environment, cwd=ROOT, check=True)


def fill(people: int) -> None:
    import django

    django.setup()
    from django.contrib.auth.hashers import make_password
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.utils import timezone

    from django_bandwidth_mfa.models import Phone

    call_command("migrate", verbosity=0)
    password, now = make_password(PASSWORD), timezone.now()
    users = User.objects.bulk_create(
        User(username=f"user{n}", password=password) for n in range(people)
    )
    Phone.objects.bulk_create(
        Phone(user=user, number=number(n), is_primary=True, confirmed_at=now)
        for n, user in enumerate(users)
    )


@contextlib.contextmanager
def program(port: int, environment: dict[str, str], *arguments: str) -> Iterator[None]:
    """Run a Python module that listens on ``port``."""
    with tempfile.NamedTemporaryFile(suffix=".log", delete=False) as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], env=environment, cwd=ROOT, stdout=log, stderr=log
        )
        try:
            for _ in range(200):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.1)
            else:
                sys.exit(f"{arguments[0]} does not start. See {log.name}.")
            print(f"log of {arguments[0]}: {log.name}")
            yield
        finally:
            process.terminate()
            process.wait()


def sign_in_all(site: str, simulator: str, people: int, rate: float, server: str) -> Result:
    """Begin a sign-in every ``1 / rate`` seconds, each in a thread. Waits until all have ended."""
    sign_in(site, simulator, people, Result())  # the first request imports and connects
    result, over = Result(), threading.Event()
    watcher = threading.Thread(target=watch, args=(server, result, over))
    watcher.start()
    began, threads = time.monotonic(), []
    for n in range(people):
        time.sleep(max(0.0, began + n / rate - time.monotonic()))
        threads.append(threading.Thread(target=sign_in, args=(site, simulator, n, result)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    over.set()
    watcher.join()
    return result


def sign_in(site: str, simulator: str, n: int, result: Result) -> None:
    began, moment = time.monotonic(), "login page"
    session = requests.Session()
    session.trust_env = False
    session.headers["X-Forwarded-For"] = f"198.18.{n // 250}.{n % 250 + 1}"

    def ask(method: str, path: str, **data: str) -> requests.Response:
        return session.request(
            method,
            site + path,
            data=data,
            headers={"X-CSRFToken": session.cookies.get("csrftoken", "")},
            allow_redirects=False,
            timeout=60,
        )

    def check(answer: requests.Response, status: int) -> None:
        if answer.status_code != status:
            raise RuntimeError(f"status {answer.status_code}")

    try:
        check(ask("GET", "/accounts/login/"), 200)
        result.login_pages.append(time.monotonic() - began)
        moment = "password"
        check(ask("POST", "/accounts/login/", username=f"user{n}", password=PASSWORD), 302)
        moment = "code page"
        check(ask("GET", "/mfa/verify/"), 200)
        inbox = session.get(f"{simulator}/inbox.json", timeout=60).json()
        codes = [message["code"] for message in inbox if message["to"] == number(n)]
        if not codes:
            raise RuntimeError("no code was sent")
        moment = "code"
        check(ask("POST", "/mfa/verify/", code=codes[0]), 302)
        moment = "page after it"
        check(ask("GET", "/account/"), 200)
    except (RuntimeError, requests.RequestException) as error:
        reason = str(error) if isinstance(error, RuntimeError) else type(error).__name__
        result.ends[f"{moment}: {reason}"] += 1
    else:
        result.ends["in"] += 1
        result.sign_ins.append(time.monotonic() - began)


def watch(server: str, result: Result, over: threading.Event) -> None:
    """Record the largest number of connections that the site's role has at once."""
    count = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{NAME}'"  # noqa: S608
    with psycopg.connect(server, autocommit=True) as connection:
        while not over.wait(0.1):
            row = connection.execute(count.encode()).fetchone()
            result.connections = max(result.connections, row[0] if row else 0)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    main()
