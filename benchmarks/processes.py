"""The processes of a benchmark: the provider, and one for each site on each database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
    """Connect to the server of PostgreSQL, to no database of ours."""
    import psycopg

    address = POSTGRESQL._replace(scheme="postgresql", path="/postgres")
    return psycopg.connect(address.geturl(), autocommit=True)


@contextmanager
def database(kind: str, name: str) -> Iterator[str]:
    """Make an empty database; gives its ``DATABASE_URL``."""
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
    """Run one of our modules.

    It ends when its standard input is closed, and is made to where it is still at work.
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
    """Run the provider; gives its address.

    :param latency: the seconds that each of its answers takes.
    """
    with start("benchmarks.provider", f"--latency={latency}") as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"


class Worker:
    """A site in a process of its own, which does as it is told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._input, self._output = process.stdin, process.stdout
        self.answer()

    def __call__(self, task: str, **arguments: Any) -> Any:
        """Have the site do a task, such as ``sign_in.queries``, and return what it answers."""
        self.begin(task, **arguments)
        return self.answer()

    def begin(self, task: str, **arguments: Any) -> None:
        """Have the site begin a task."""
        print(json.dumps({"do": task, **arguments}), file=self._input, flush=True)

    def answer(self) -> Any:
        """Wait for the end of the task, and return what the site answers.

        :raises SystemExit: the task failed; the process has printed why.
        """
        line = self._output.readline()
        if not line:
            raise SystemExit("A benchmark failed. What failed is told above.")
        return json.loads(line)


@contextmanager
def worker(
    site: str, provider_url: str, database_url: str, variables: Mapping[str, str] | None = None
) -> Iterator[Worker]:
    """Run a site.

    :param variables: more variables of its environment.
    """
    given = {"DATABASE_URL": database_url, "PROVIDER_URL": provider_url, **(variables or {})}
    with start("benchmarks.worker", site, variables=given) as process:
        yield Worker(process)
