"""Sign-ins at a fixed rate beside other page requests, on gunicorn and uvicorn; takes minutes."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.processes import database, free_port, provider, role, server, worker
from benchmarks.report import conditions, percentile, table
from benchmarks.sites import SITES
from benchmarks.tasks import FAILED, IN, REFUSED

SERVERS = ("gunicorn", "uvicorn")
# What docs/operations.md advises for an async server. Django keeps no connections there.
FOR_ASGI = {
    "CONN_MAX_AGE": "0",
    "BANDWIDTH_MFA_MAX_CONCURRENT_CALLS": "64",
    "BANDWIDTH_MFA_MAX_WAITING_CALLS": "64",
    "BANDWIDTH_MFA_WAIT_SECONDS": "2",
}


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=list(SERVERS))
    # The other sites' packages check codes themselves, so they wait for the provider only once.
    parser.add_argument("--sites", nargs="+", choices=("bare", "ours"), default=["bare", "ours"])
    parser.add_argument("--rates", type=float, nargs="+", default=[6, 10, 14])
    parser.add_argument("--latencies", type=float, nargs="+", default=[0.3, 2])
    parser.add_argument("--seconds", type=float, default=20, help="duration of the arrivals")
    parser.add_argument("--pages", type=float, default=20, help="other pages in a second")
    parser.add_argument("--workers", type=int, default=2, help="processes of the server")
    parser.add_argument("--threads", type=int, default=8, help="threads of each gunicorn process")
    parser.add_argument("--connections", type=int, default=50, help="most database connections")


def run(chosen: Namespace, folder: Path | None) -> str:
    servers = f"gunicorn with {chosen.workers} × {chosen.threads} threads"
    sections = [
        f"{conditions(['postgresql'], chosen.servers)} {servers}, uvicorn with {chosen.workers} "
        f"processes, at most {chosen.connections} connections to PostgreSQL. People arrive for "
        f"{chosen.seconds:g} seconds, and others ask for {chosen.pages:g} pages a second."
    ]
    rows, why = [], Counter[str]()
    for kind in chosen.servers:
        for latency in chosen.latencies:
            for site in chosen.sites:
                for rate, visits in measure(kind, latency, site, chosen).items():
                    place = [kind, f"{latency:g} s", SITES[site], f"{rate:g}"]
                    rows.append([*place, *cells(visits)])
                    why.update(f"{' '.join(place)}: {visit[1]}" for visit in visits["sign_ins"])
    head = ["server", "provider", "site", "sign-ins a second", "in", "refused", "failed"]
    head += ["page reloaded"]
    head += ["p50 s", "p99 s", "pages p50 ms", "p99 ms", "failed", "late p99 ms"]
    sections.append(table(head, rows))
    reasons = [f"- {text}: {count}" for text, count in why.items() if not text.endswith(": ")]
    if reasons:
        sections += ["Messages to users who did not get in:", "\n".join(reasons)]
    return "\n\n".join(sections)


def measure(kind: str, latency: float, site: str, chosen: Namespace) -> dict[float, Any]:
    """Run one server, let people arrive at each rate, and return the results of each rate."""
    port = free_port()
    with (
        provider(latency) as url,
        database("postgresql", f"load_{site}") as address,
        worker(site, url, address) as ask,
        role(address, chosen.connections) as limited,
    ):
        variables = {
            "DATABASE_URL": limited,
            "PROVIDER_URL": url,
            "DJANGO_SETTINGS_MODULE": f"benchmarks.sites.{site}.settings",
            "BANDWIDTH_MFA_TRUSTED_PROXIES": "1",
            **(FOR_ASGI if kind == "uvicorn" else {}),
        }
        with server(command(kind, port, chosen), port, variables):
            visit = {"url": f"http://127.0.0.1:{port}", "pages": chosen.pages}
            ask("load.visit", rate=3, seconds=3, **visit)  # imports, templates, access tokens
            return {
                rate: ask("load.visit", rate=rate, seconds=chosen.seconds, **visit)
                for rate in chosen.rates
            }


def command(kind: str, port: int, chosen: Namespace) -> list[str]:
    workers = f"--workers={chosen.workers}"
    if kind == "uvicorn":
        place = [f"--port={port}", "--log-level=error", "--no-access-log"]
        return ["uvicorn", "benchmarks.asgi:application", workers, *place]
    threads = ["--worker-class=gthread", f"--threads={chosen.threads}"]
    place = [f"--bind=127.0.0.1:{port}", "--log-level=error"]
    return ["gunicorn", "benchmarks.wsgi:application", workers, *threads, *place]


def cells(visits: Any) -> list[object]:
    """Return the cells of a row. The last cell shows how late visitors arrived."""
    outcomes = Counter(outcome for outcome, *_rest in visits["sign_ins"])
    reloaded = sum(reloads > 0 for _outcome, _why, reloads, *_rest in visits["sign_ins"])
    seconds = [s for outcome, _why, _reloads, s, _late in visits["sign_ins"] if outcome == IN]
    pages = [s * 1000 for _outcome, s, _late in visits["pages"]]
    lost = sum(outcome == FAILED for outcome, *_rest in visits["pages"])
    late = percentile([visit[-1] * 1000 for visit in (*visits["sign_ins"], *visits["pages"])], 99)
    times = [f"{percentile(seconds, p):.1f}" if seconds else "–" for p in (50, 99)]
    times += [f"{percentile(pages, p):,.0f}" for p in (50, 99)]
    signed_in = f"{outcomes[IN]} of {len(visits['sign_ins'])}"
    return [signed_in, outcomes[REFUSED], outcomes[FAILED], reloaded, *times, lost, f"{late:,.0f}"]
