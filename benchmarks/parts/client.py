"""One check of a code: this app's client, Bandwidth's SDK, and plain HTTP libraries."""

from __future__ import annotations

import http.client
import json
import random
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import urllib3

from benchmarks.processes import provider
from benchmarks.report import conditions, ratios, spread, table
from django_bandwidth_mfa.bandwidth import BandwidthClient

ACCOUNT = "5500001"
TO, FROM, APPLICATION, SCOPE = "+12025550142", "+12025550100", "benchmark-messaging", "sign-in"
CODE, DIGITS, MINUTES = "123456", 6, 3
BODY = {
    "to": TO,
    "from": FROM,
    "applicationId": APPLICATION,
    "scope": SCOPE,
    "code": CODE,
    "digits": DIGITS,
    "expirationTimeInMinutes": MINUTES,
}
HEADERS = {
    "Authorization": "Bearer benchmark",
    "Content-Type": "application/json",
    "Accept": "application/json",
}

# Names in the order of the table; the others are compared with the second.
OURS, SDK, URLLIB3, HTTP_CLIENT = (
    "BandwidthClient.verify",
    "bandwidth-sdk",
    "urllib3 alone",
    "http.client",
)


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=200, help="calls in each round")


def run(chosen: Namespace, folder: Path | None) -> str:
    measured_on = conditions((), ("requests", "urllib3", "bandwidth-sdk"))
    figures = measure(chosen.rounds, chosen.calls)
    rows = []
    for name, times in figures.items():
        cpu, wall = ([pair[clock] for pair in times] for clock in (0, 1))
        rows.append([name, spread(cpu, 0), spread(to_sdk(figures, name), 2), spread(wall, 0)])
    head = ["", "CPU µs", "÷ bandwidth-sdk", "wall µs"]
    return f"{measured_on} {chosen.rounds} rounds of {chosen.calls} calls.\n\n{table(head, rows)}"


def measure(rounds: int, calls: int) -> dict[str, list[tuple[float, float]]]:
    """Let each client make ``calls`` in each round, in an order that changes.

    :returns: ``{name: [(CPU, wall), ...]}``: microseconds of one call, for each round.
    """
    order = random.Random(1)
    with provider() as url:
        clients = {
            OURS: our_client(url),
            SDK: sdk(url),
            URLLIB3: bare_urllib3(url),
            HTTP_CLIENT: bare_http_client(url),
        }
        figures: dict[str, list[tuple[float, float]]] = {name: [] for name in clients}
        for verify in clients.values():
            for _ in range(20):  # connections, access tokens, and what is made on first use
                assert verify()
        for _round in range(rounds):
            for name in order.sample(list(clients), len(clients)):
                verify = clients[name]
                wall, cpu = time.perf_counter(), time.process_time()
                right = [verify() for _ in range(calls)]
                spent = (time.process_time() - cpu, time.perf_counter() - wall)
                if right != [True] * calls:
                    raise RuntimeError(f"{name} refused a right code")
                figures[name].append((spent[0] / calls * 1e6, spent[1] / calls * 1e6))
        return figures


def to_sdk(figures: dict[str, list[tuple[float, float]]], name: str) -> list[float]:
    """Return the CPU time of a client divided by the SDK's, for each round."""
    mine, sdks = ([cpu for cpu, _wall in figures[client]] for client in (name, SDK))
    return ratios(mine, sdks)


def our_client(url: str) -> Callable[[], bool]:
    client = BandwidthClient(
        account_id=ACCOUNT,
        client_id="benchmark",
        client_secret="benchmark",
        base_url=f"{url}/api/v1",
        token_url=f"{url}/api/v1/oauth2/token",
    )
    return lambda: client.verify(
        to=TO,
        from_=FROM,
        application_id=APPLICATION,
        code=CODE,
        digits=DIGITS,
        expiration_minutes=MINUTES,
        scope=SCOPE,
    )


def sdk(url: str) -> Callable[[], bool]:
    import bandwidth

    configuration = bandwidth.Configuration(
        host=f"{url}/api/v1", ignore_operation_servers=True, access_token="benchmark"
    )
    api = bandwidth.MFAApi(bandwidth.ApiClient(configuration))

    def verify() -> bool:
        request = bandwidth.VerifyCodeRequest.model_validate(BODY)
        return api.verify_code(ACCOUNT, request).valid is True

    return verify


def bare_urllib3(url: str) -> Callable[[], bool]:
    pool = urllib3.PoolManager()
    address = f"{url}/api/v1/accounts/{ACCOUNT}/code/verify"

    def verify() -> bool:
        answer = pool.request("POST", address, body=json.dumps(BODY), headers=HEADERS)
        return answer.status == 200 and json.loads(answer.data)["valid"] is True

    return verify


def bare_http_client(url: str) -> Callable[[], bool]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    path = f"/api/v1/accounts/{ACCOUNT}/code/verify"

    def verify() -> bool:
        connection.request("POST", path, json.dumps(BODY), HEADERS)
        answer = connection.getresponse()
        body = answer.read()
        return answer.status == 200 and json.loads(body)["valid"] is True

    return verify
