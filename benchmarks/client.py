"""Compare the CPU time of this app's client, Bandwidth's SDK and plain HTTP libraries.

    python benchmarks/client.py [--rounds 15] [--calls 300] [--tls]

Each client asks a server in another process whether a code is right, on one connection that stays
open. The clients take turns: each makes ``--calls`` calls in a round. The figure of a client is the
median, over the rounds, of this process's CPU time for one call. A ratio is the median of the
ratios within a round, so that a slow moment of the machine affects both sides.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import http.client
import json
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

ACCOUNT, USERNAME, PASSWORD = "9900000", "api-user", "made-up"
TO, FROM, APPLICATION = "+12025550142", "+12025550100", "application"
CODE, MINUTES = "735190", 3
PATH = f"/api/v1/accounts/{ACCOUNT}/code/verify"
HEADERS = {
    "Authorization": "Basic " + base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode(),
    "Content-Type": "application/json",
}
# Bandwidth's own answer has such headers.
ANSWER = (
    b"HTTP/1.1 200 OK\r\nDate: Mon, 05 Jan 2026 10:00:00 GMT\r\n"
    b"Content-Type: application/json; charset=utf-8\r\nContent-Length: 14\r\n"
    b'Connection: keep-alive\r\n\r\n{"valid":true}'
)
OURS, SDK = "BandwidthClient", "bandwidth-sdk"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=300, help="calls of each client in a round")
    parser.add_argument("--tls", action="store_true", help="use TLS, as Bandwidth does")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        certificate = make_certificate(Path(folder)) if arguments.tls else None
        with server(certificate) as port:
            origin = f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
            figures = measure(origin, certificate, arguments.rounds, arguments.calls)
    print_table(figures)


def measure(
    origin: str, certificate: Path | None, rounds: int, calls: int
) -> dict[str, list[float]]:
    """Return, for each client, the microseconds of processor time of one call in each round."""
    if certificate:
        os.environ["REQUESTS_CA_BUNDLE"] = str(certificate)
    clients = {
        OURS: bandwidth_client(origin),
        SDK: sdk(origin, certificate),
        "requests": plain_requests(origin),
        "urllib3": plain_urllib3(origin, certificate),
        "http.client": plain_http_client(origin, certificate),
    }
    for name, verify in clients.items():
        for _ in range(50):
            if verify() is not True:
                sys.exit(f"{name} did not read the answer.")
    figures: dict[str, list[float]] = {name: [] for name in clients}
    names = list(clients)
    for number in range(rounds):
        # A different client begins each round.
        for name in names[number % len(names) :] + names[: number % len(names)]:
            verify = clients[name]
            began = time.process_time()
            for _ in range(calls):
                verify()
            figures[name].append((time.process_time() - began) / calls * 1e6)
    return figures


def print_table(figures: dict[str, list[float]]) -> None:
    print(f"{'client':16} {'µs':>6} {'lowest':>7} {'highest':>8} {'÷ ' + SDK:>16}")
    for name, times in figures.items():
        ratio = statistics.median(
            own / other for own, other in zip(times, figures[SDK], strict=True)
        )
        print(
            f"{name:16} {statistics.median(times):6.0f} {min(times):7.0f} {max(times):8.0f} "
            f"{ratio:16.2f}"
        )


def bandwidth_client(origin: str) -> Callable[[], bool]:
    from django_bandwidth_mfa.bandwidth import BandwidthClient

    client = BandwidthClient(
        account_id=ACCOUNT, username=USERNAME, password=PASSWORD, base_url=f"{origin}/api/v1"
    )
    return lambda: client.verify(
        to=TO,
        from_=FROM,
        application_id=APPLICATION,
        scope="sign-in",
        code=CODE,
        digits=6,
        expiration_minutes=MINUTES,
    )


def sdk(origin: str, certificate: Path | None) -> Callable[[], bool]:
    import bandwidth

    configuration = bandwidth.Configuration(
        host=f"{origin}/api/v1",
        ignore_operation_servers=True,
        username=USERNAME,
        password=PASSWORD,
        ssl_ca_cert=str(certificate) if certificate else None,
    )
    api = bandwidth.MFAApi(bandwidth.ApiClient(configuration))

    def verify() -> bool:
        request = bandwidth.VerifyCodeRequest(
            to=TO, scope="sign-in", code=CODE, expiration_time_in_minutes=MINUTES
        )
        return api.verify_code(ACCOUNT, request).valid is True

    return verify


def body() -> bytes:
    """The body that our client sends."""
    return json.dumps(
        {
            "to": TO,
            "from": FROM,
            "applicationId": APPLICATION,
            "scope": "sign-in",
            "code": CODE,
            "digits": 6,
            "expirationTimeInMinutes": MINUTES,
        }
    ).encode()


def plain_requests(origin: str) -> Callable[[], bool]:
    import requests

    session = requests.Session()

    def verify() -> bool:
        answer = session.post(origin + PATH, data=body(), headers=HEADERS, timeout=(3.05, 5))
        return json.loads(answer.content)["valid"] is True

    return verify


def plain_urllib3(origin: str, certificate: Path | None) -> Callable[[], bool]:
    import urllib3

    manager = urllib3.PoolManager(ca_certs=str(certificate) if certificate else None)

    def verify() -> bool:
        answer = manager.request("POST", origin + PATH, body=body(), headers=HEADERS, timeout=5)
        return json.loads(answer.data)["valid"] is True

    return verify


def plain_http_client(origin: str, certificate: Path | None) -> Callable[[], bool]:
    address = origin.partition("://")[2]
    connection = (
        http.client.HTTPSConnection(
            address, timeout=5, context=ssl.create_default_context(cafile=str(certificate))
        )
        if certificate
        else http.client.HTTPConnection(address, timeout=5)
    )

    def verify() -> bool:
        connection.request("POST", PATH, body=body(), headers=HEADERS)
        return json.loads(connection.getresponse().read())["valid"] is True

    return verify


@contextlib.contextmanager
def server(certificate: Path | None) -> Iterator[int]:
    """Run a server in another process, and yield its port."""
    processes = get_context("spawn")
    receiver, sender = processes.Pipe(duplex=False)
    process = processes.Process(target=serve, args=(sender, certificate), daemon=True)
    process.start()
    try:
        yield receiver.recv()
    finally:
        process.kill()
        process.join()


def serve(sender: Connection, certificate: Path | None) -> None:
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", 0))
    sender.send(listener.getsockname()[1])
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=answer_all, args=(connection, context), daemon=True).start()


def answer_all(plain: socket.socket, context: ssl.SSLContext | None) -> None:
    """Answer each request of a connection, until the client leaves."""
    connection = context.wrap_socket(plain, server_side=True) if context else plain
    reader = connection.makefile("rb")
    while True:
        length = 0
        while (line := reader.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        if not length:
            return
        reader.read(length)
        connection.sendall(ANSWER)


def make_certificate(folder: Path) -> Path:
    """Make a certificate for 127.0.0.1, with its key in the same file. This needs openssl."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    certificate.write_bytes(certificate.read_bytes() + key.read_bytes())
    return certificate


if __name__ == "__main__":
    main()
