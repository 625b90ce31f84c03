"""The processes of a benchmark: the provider, and one for each site on each database."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import psycopg

ROOT = Path(__file__).resolve().parents[1]

# The server of `.ci/services`, unless the variable names another one.
POSTGRESQL = urlsplit(
    os.environ.get(
        "CI_POSTGRES_URL", f"postgres://postgres@127.0.0.1:{os.environ.get('PGPORT', '5432')}/"
    )
)

DATABASES = ("sqlite", "postgresql")


def connect() -> psycopg.Connection[Any]:
    """Connect to the PostgreSQL server, but not to a benchmark's database."""
    import psycopg

    address = POSTGRESQL._replace(scheme="postgresql", path="/postgres")
    return psycopg.connect(address.geturl(), autocommit=True)


@contextmanager
def database(kind: str, name: str) -> Iterator[str]:
    """Make an empty database, and yield its ``DATABASE_URL``."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/{name}.sqlite3"
        return
    name = f"bandwidth_mfa_benchmark_{name}_{os.getpid()}"
    with connect() as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield POSTGRESQL._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def start(
    *arguments: str, variables: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run one of the benchmark modules.

    The process ends when its standard input is closed. If it is still at work, it is killed.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-m", *arguments],
        stdin=pipe,
        stdout=pipe,
        text=True,
        cwd=ROOT,
        env={**os.environ, **(variables or {})},
    ) as process:
        try:
            yield process
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.terminate()


@contextmanager
def provider(latency: float = 0) -> Iterator[str]:
    """Run the provider, and yield its address.

    :param latency: how many seconds each of its answers takes.
    """
    with start("benchmarks.provider", f"--latency={latency}") as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"


@contextmanager
def server(
    command: Sequence[str], port: int, variables: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Run a web server, which listens on ``port`` of the loopback address.

    What it logs is shown only if it does not start: an error of each refused connection is long.

    :raises SystemExit: it does not listen within half a minute.
    """
    environment = {**os.environ, **(variables or {})}
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(
            [sys.executable, "-m", *command], cwd=ROOT, env=environment, stdout=log, stderr=log
        ) as process,
    ):
        try:
            for _ in range(300):
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                time.sleep(0.1)
            else:
                log.seek(0)
                raise SystemExit(f"{command[0]} does not listen:\n{log.read()}")
            yield
        finally:
            process.terminate()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def role(database_url: str, connections: int) -> Iterator[str]:
    """Make a role with a limited number of connections, and yield the database's address for it.

    The role that makes databases is a superuser, and PostgreSQL limits no superuser.
    """
    name, password = f"bandwidth_mfa_benchmark_{os.getpid()}", secrets.token_hex(16)
    with connect() as connection:
        [owner] = connection.execute("SELECT current_user").fetchone() or [""]
        connection.execute(
            f"CREATE ROLE {name} LOGIN PASSWORD '{password}' CONNECTION LIMIT {connections}"
        )
        # The role gets the owner's rights on the owner's tables.
        connection.execute(f'GRANT "{owner}" TO {name}')
        try:
            address = urlsplit(database_url)
            place = address.netloc.rpartition("@")[2]
            yield address._replace(netloc=f"{name}:{password}@{place}").geturl()
        finally:
            connection.execute(f"DROP ROLE {name}")


class Worker:
    """A site in a separate process, which does the tasks that it receives."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._input, self._output = process.stdin, process.stdout
        self.answer()

    def __call__(self, task: str, **arguments: Any) -> Any:
        """Let the site do a task, such as ``sign_in.queries``, and return the answer."""
        self.begin(task, **arguments)
        return self.answer()

    def begin(self, task: str, **arguments: Any) -> None:
        """Let the site begin a task."""
        print(json.dumps({"do": task, **arguments}), file=self._input, flush=True)

    def answer(self) -> Any:
        """Wait for the end of the task, and return the site's answer.

        :raises SystemExit: the task failed; the process has printed the reason.
        """
        line = self._output.readline()
        if not line:
            raise SystemExit("A benchmark failed. The error is shown above.")
        return json.loads(line)


@contextmanager
def worker(
    site: str, provider_url: str, database_url: str, variables: Mapping[str, str] | None = None
) -> Iterator[Worker]:
    """Run a site.

    :param variables: more variables for the environment of the site.
    """
    environment = {"DATABASE_URL": database_url, "PROVIDER_URL": provider_url, **(variables or {})}
    with start("benchmarks.worker", site, variables=environment) as process:
        yield Worker(process)
