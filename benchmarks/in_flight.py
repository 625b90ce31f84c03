"""Measure a site with many sign-ins at the same time, while Bandwidth is slow.

    python -m benchmarks.in_flight [--sign-ins 200] [--latency 2] [--pages 20] [--gone 20]

The example site runs in one uvicorn process, with a pool of database connections.  The simulator
stands for Bandwidth, and takes ``--latency`` seconds for each answer.  All ``--sign-ins`` people
begin within one second.  Each signs in at the JSON API: the password, the send, the code.  Others
ask for ``--pages`` pages a second meanwhile.  Afterwards nobody else signs in: ``--gone`` people
ask for a code one after another, and close the connection half a second later.  Others ask for
pages again meanwhile.

``--package FOLDER`` runs another copy of ``django_bandwidth_mfa``, which lies in that folder: an
earlier commit's, to compare the two.  It needs ``aiohttp``, ``uvicorn`` and
``psycopg[binary,pool]``, and makes and drops a role and a database of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from benchmarks.connections import (
    HERE,
    PASSWORD,
    PLACES,
    ROOT,
    database,
    free_port,
    number,
    prepare,
)

API = "/mfa/api/"
PATIENCE = aiohttp.ClientTimeout(total=60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sign-ins", type=int, default=200, help="all begin within one second")
    parser.add_argument("--latency", type=float, default=2, help="seconds of each call")
    parser.add_argument("--pages", type=float, default=20, help="other pages in a second")
    parser.add_argument("--gone", type=int, default=20, help="people who close the connection")
    parser.add_argument("--limit", type=int, default=50, help="database connections of the pool")
    parser.add_argument("--places", type=int, help="MAX_CONCURRENT_CALLS; 64 by default")
    parser.add_argument("--package", type=Path, default=ROOT, help="folder of the package")
    parser.add_argument("--server", default="postgres://postgres@127.0.0.1:5432/postgres")
    arguments = parser.parse_args()
    site_port, simulator_port = free_port(), free_port()
    places = dict(PLACES)
    if arguments.places:
        places["MAX_CONCURRENT_CALLS"] = str(arguments.places)
    with database(arguments.server, arguments.limit + 5) as url:
        paths = (arguments.package.resolve(), ROOT / "example_project", HERE, ROOT)
        environment = {
            **os.environ,
            **{f"BANDWIDTH_MFA_{name}": value for name, value in places.items()},
            "BANDWIDTH_MFA_TRUSTED_PROXIES": "1",  # each person has an address of their own
            "BANDWIDTH_SIMULATOR_URL": f"http://127.0.0.1:{simulator_port}",
            "DATABASE_URL": url,
            "DATABASE_POOL": json.dumps({"min_size": 4, "max_size": arguments.limit}),
            "DJANGO_SETTINGS_MODULE": "connections_site",
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "SECRET_KEY": "of-a-benchmark",
        }
        prepare(environment, arguments.sign_ins + arguments.gone + 1)
        simulator = ("-m", "django_bandwidth_mfa.simulator", "--port", str(simulator_port))
        site = ("-m", "uvicorn", "--factory", "django.core.asgi:get_asgi_application")
        options = ("--port", str(site_port), "--no-proxy-headers", "--log-level", "warning")
        with (
            program(environment, *simulator, "--latency", str(arguments.latency)),
            program(environment, *site, *options),
        ):
            people = People(site_port, simulator_port)
            asyncio.run(people.everybody(arguments))


@contextlib.contextmanager
def program(environment: dict[str, str], *arguments: str) -> Iterator[None]:
    """Run Python, in a folder that holds no copy of the package."""
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [sys.executable, *arguments],
            env=environment,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process,
    ):
        try:
            yield
        finally:
            process.terminate()


class People:
    """The people who use the site."""

    def __init__(self, site_port: int, simulator_port: int) -> None:
        self.site = f"http://127.0.0.1:{site_port}"
        self.simulator = f"http://127.0.0.1:{simulator_port}"
        self.ends: Counter[str] = Counter()
        self.seconds: list[float] = []
        self.pages: list[float] = []

    async def everybody(self, arguments: argparse.Namespace) -> None:
        # No limit: each visitor has a separate connection.
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        async with aiohttp.ClientSession(connector=connector, timeout=PATIENCE) as self.session:
            await self.until_up()
            await self.sign_in(arguments.sign_ins + arguments.gone, 0)  # imports, connects
            self.ends.clear()
            self.seconds.clear()
            signing_in = asyncio.gather(
                *(self.sign_in(n, n / arguments.sign_ins) for n in range(arguments.sign_ins))
            )
            await self.read_until(signing_in, arguments.pages)
            self.print_sign_ins(arguments.sign_ins)
            self.print_pages("pages meanwhile")
            self.pages.clear()
            first = arguments.sign_ins
            going = asyncio.gather(
                *(self.ask_and_go(first + n, n * 0.5) for n in range(arguments.gone))
            )
            await self.read_until(going, arguments.pages)
            self.print_pages(f"pages while {arguments.gone} people close the connection")

    async def until_up(self) -> None:
        for url in (f"{self.site}/accounts/login/", f"{self.simulator}/inbox.json"):
            for _ in range(300):
                with contextlib.suppress(aiohttp.ClientError):
                    async with self.session.get(url):
                        break
                await asyncio.sleep(0.1)
            else:
                sys.exit(f"{url} does not answer.")

    async def read_until(self, others: asyncio.Future[list[None]], rate: float) -> None:
        """Ask for pages until ``others`` are done. A slow page does not delay the next pages."""
        reading = []
        while not others.done():
            reading.append(asyncio.create_task(self.read()))
            await asyncio.wait([others], timeout=1 / rate)
        await asyncio.gather(others, *reading)

    async def read(self) -> None:
        began = time.monotonic()
        async with self.session.get(f"{self.site}/accounts/login/") as answer:
            await answer.read()
            assert answer.status == 200, answer.status
        self.pages.append(time.monotonic() - began)

    async def ask(self, n: int, address: str, ticket: str = "", **body: str) -> dict[str, object]:
        headers = {"X-Forwarded-For": f"198.18.{n // 250}.{n % 250 + 1}"}
        if ticket:
            headers["Authorization"] = f"MFA-Ticket {ticket}"
        url = self.site + API + address
        async with self.session.post(url, json=body, headers=headers) as answer:
            if answer.status != 200:
                raise RuntimeError(f"{address}: {answer.status}")
            data: dict[str, object] = await answer.json()
            return data

    async def ticket(self, n: int) -> str:
        answer = await self.ask(n, "login", username=f"user{n}", password=PASSWORD)
        return str(answer["ticket"])

    async def sign_in(self, n: int, wait: float) -> None:
        await asyncio.sleep(wait)
        began = time.monotonic()
        try:
            ticket = await self.ticket(n)
            await self.ask(n, "send", ticket)
            async with self.session.get(f"{self.simulator}/inbox.json") as inbox:
                messages = await inbox.json()
            code = next(message["code"] for message in messages if message["to"] == number(n))
            answer = await self.ask(n, "verify", ticket, code=code)
            assert answer["completion"], answer
        except (RuntimeError, aiohttp.ClientError, TimeoutError) as error:
            is_told = isinstance(error, RuntimeError)
            self.ends[str(error) if is_told else type(error).__name__] += 1
        else:
            self.ends["in"] += 1
            self.seconds.append(time.monotonic() - began)

    async def ask_and_go(self, n: int, wait: float) -> None:
        await asyncio.sleep(wait)
        asking = asyncio.create_task(self.ask(n, "send", await self.ticket(n)))
        # After half a second, the request has reached Bandwidth, which has not answered.
        await asyncio.wait([asking], timeout=0.5)
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError, RuntimeError):
            await asking

    def print_sign_ins(self, count: int) -> None:
        refused = {end: times for end, times in self.ends.items() if end != "in"}
        print(f"{self.ends['in']} of {count} are in; not in: {refused or 'nobody'}")
        tell("sign-in", self.seconds)

    def print_pages(self, name: str) -> None:
        tell(name, self.pages)


def tell(name: str, seconds: list[float]) -> None:
    if len(seconds) > 1:
        hundredths = statistics.quantiles(seconds, n=100)
        print(
            f"{name}: {len(seconds)}, p50 {hundredths[49]:.3f} s, p99 {hundredths[98]:.3f} s, "
            f"longest {max(seconds):.3f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
