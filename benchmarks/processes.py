"""The processes of a benchmark: the provider, and one for each site on each database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]

# The server of `.ci/services`, unless the variable names another one.
POSTGRESQL_URL = os.environ.get(
    "CI_POSTGRES_URL", f"postgres://postgres@127.0.0.1:{os.environ.get('PGPORT', '5432')}/postgres"
)

DATABASES = ("sqlite", "postgresql")


@contextmanager
def provider(latency: float = 0) -> Iterator[str]:
    """Run the provider; gives its address."""
    command = [sys.executable, "-m", "benchmarks.provider", f"--latency={latency}"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.stdin.close()


@contextmanager
def database(kind: str, name: str) -> Iterator[str]:
    """Make an empty database; gives its ``DATABASE_URL``."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/{name}.sqlite3"
        return
    import psycopg

    server = urlsplit(POSTGRESQL_URL.replace("postgres://", "postgresql://"))
    name = f"bandwidth_mfa_benchmark_{name}_{os.getpid()}"
    with psycopg.connect(server.geturl(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield server._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


class Worker:
    """A site in a process of its own, which does as it is told."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._input, self._output = process, process.stdin, process.stdout
        self._answer()

    def __call__(self, command: str, **arguments: Any) -> Any:
        """Have the site do ``command``, one of :data:`benchmarks.worker.COMMANDS`."""
        print(json.dumps({"do": command, **arguments}), file=self._input, flush=True)
        return self._answer()

    def _answer(self) -> Any:
        line = self._output.readline()
        if not line:
            raise SystemExit(f"A benchmark failed: {self._process.args!r}")
        return json.loads(line)


@contextmanager
def worker(site: str, provider_url: str, kind: str) -> Iterator[Worker]:
    """Run a site on an empty database of a kind."""
    command = [sys.executable, "-m", "benchmarks.worker", site]
    pipe = subprocess.PIPE
    with database(kind, site) as url:
        variables = {**os.environ, "DATABASE_URL": url, "PROVIDER_URL": provider_url}
        with subprocess.Popen(
            command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT, env=variables
        ) as process:
            try:
                yield Worker(process)
            finally:
                assert process.stdin is not None
                process.stdin.close()
