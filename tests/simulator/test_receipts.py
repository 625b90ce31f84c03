"""Delivery receipts: when the simulator posts one, what it says, and how often it is posted."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from typing import Any

import pytest
import requests

from django_bandwidth_mfa.simulator import DEFAULT_PASSWORD, DEFAULT_USERNAME, Simulator

BODY = {
    "to": "+12025550142",
    "from": "+12025550100",
    "applicationId": "messaging",
    "message": "{CODE}",
    "digits": 6,
}


class Receiver(ThreadingHTTPServer):
    """An HTTP server that keeps each body, and answers with the statuses that a test sets."""

    daemon_threads = True

    def __init__(self) -> None:
        self.posted: Queue[dict[str, Any]] = Queue()
        self.statuses: list[int] = []
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/receipts/word/?x=1"

    def next(self) -> dict[str, Any]:
        return self.posted.get(timeout=10)

    def assert_silent(self, seconds: float = 0.3) -> None:
        with pytest.raises(Empty):
            self.posted.get(timeout=seconds)


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.put({"path": self.path, **json.loads(body)})
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 204)
        self.send_header("Location", "/elsewhere/")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def quick() -> Iterator[Simulator]:
    with Simulator(receipt_delay=0.02) as running:
        yield running


def send(simulator: Simulator, channel: str = "messaging", **changes: object) -> dict[str, str]:
    answer = requests.post(
        f"{simulator.base_url}/accounts/{simulator.account}/code/{channel}",
        json={**BODY, **changes},
        auth=(DEFAULT_USERNAME, DEFAULT_PASSWORD),
        timeout=10,
    )
    assert answer.status_code == 200, answer.text
    sent: dict[str, str] = answer.json()
    return sent


@pytest.mark.slow
def test_a_message_with_a_callback_url_gets_a_receipt(quick: Simulator, receiver: Receiver) -> None:
    sent = send(quick, callbackUrl=receiver.url)
    posted = receiver.next()
    assert posted.pop("time").endswith("Z")
    assert posted == {
        "path": "/receipts/word/?x=1",
        "type": "message-delivered",
        "description": "ok",
        "platform": "NorthAmericaSMS",
        "message": {"id": sent["messageId"]},
    }
    receiver.assert_silent()


def test_a_receipt_from_another_country_has_the_global_form(
    quick: Simulator, receiver: Receiver
) -> None:
    send(quick, callbackUrl=receiver.url, to="+442071838750")
    assert receiver.next()["platform"] == "GlobalSMS"


@pytest.mark.slow
def test_a_call_and_a_message_without_the_url_get_no_receipt(
    quick: Simulator, receiver: Receiver
) -> None:
    send(quick)
    send(quick, "voice", callbackUrl=receiver.url)
    receiver.assert_silent()


def test_a_fault_makes_a_failed_receipt_and_counts_down(
    quick: Simulator, receiver: Receiver
) -> None:
    quick.fault(on="receipt", error_code=4432, times=1)
    send(quick, callbackUrl=receiver.url)
    failed = receiver.next()
    assert (failed["type"], failed["errorCode"]) == ("message-failed", 4432)
    assert failed["description"] == "forbidden to country"
    send(quick, callbackUrl=receiver.url)
    assert receiver.next()["type"] == "message-delivered"


@pytest.mark.slow
def test_a_dropped_receipt_never_comes_and_a_fault_on_all_leaves_receipts_alone(
    quick: Simulator, receiver: Receiver
) -> None:
    quick.fault(on="receipt", drop=True, times=1)
    send(quick, callbackUrl=receiver.url)
    receiver.assert_silent()
    quick.fault(on="all", delay=0.01)
    send(quick, callbackUrl=receiver.url)
    assert receiver.next()["type"] == "message-delivered"


@pytest.mark.slow
def test_a_delayed_receipt_comes_later(quick: Simulator, receiver: Receiver) -> None:
    quick.fault(on="receipt", delay=0.5, times=1)
    late = send(quick, callbackUrl=receiver.url)["messageId"]
    soon = send(quick, callbackUrl=receiver.url)["messageId"]
    assert [receiver.next()["message"]["id"] for _ in range(2)] == [soon, late]


@pytest.mark.slow
def test_a_failed_receipt_is_posted_again_in_north_america_only(
    quick: Simulator, receiver: Receiver
) -> None:
    receiver.statuses = [500, 302]
    send(quick, callbackUrl=receiver.url)
    first, again, third = (receiver.next() for _ in range(3))
    assert first == again == third
    receiver.assert_silent()
    receiver.statuses = [500]
    send(quick, callbackUrl=receiver.url, to="+442071838750")
    receiver.next()
    receiver.assert_silent()


def test_stopping_does_not_wait_for_a_receipt(receiver: Receiver) -> None:
    simulator = Simulator(receipt_delay=60)
    simulator.start()
    send(simulator, callbackUrl=receiver.url)
    began = time.monotonic()
    simulator.stop()
    assert time.monotonic() - began < 10  # far less than the delay of 60 seconds
    receiver.assert_silent(0.05)


@pytest.mark.slow
def test_a_reset_forgets_receipts_that_are_still_to_come(receiver: Receiver) -> None:
    with Simulator(receipt_delay=0.3) as simulator:
        send(simulator, callbackUrl=receiver.url)
        simulator.reset()
        receiver.assert_silent(0.8)


def test_an_unreachable_receiver_harms_nothing_and_its_address_is_not_logged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Simulator(receipt_delay=0.01, quiet=False) as simulator:
        send(simulator, callbackUrl="http://127.0.0.1:1/a-secret-word/")
        for _ in range(200):
            logged = capsys.readouterr().err
            if "receipt" in logged:
                break
            time.sleep(0.02)
        send(simulator)
    assert "message-delivered ConnectionRefusedError" in logged
    assert "a-secret-word" not in logged


@pytest.mark.slow
@pytest.mark.parametrize("url", ["", "ftp://x/", "//x/", "http://", "http://x:0/", 5, "http://é/"])
def test_a_callback_url_must_be_an_http_url(quick: Simulator, url: object) -> None:
    answer = requests.post(
        f"{quick.base_url}/accounts/{quick.account}/code/messaging",
        json={**BODY, "callbackUrl": url},
        auth=(DEFAULT_USERNAME, DEFAULT_PASSWORD),
        timeout=10,
    )
    assert answer.status_code == 400
    assert "callbackUrl" in answer.json()["error"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        {"on": "receipt", "status": 500},
        {"on": "receipt", "body": "x"},
        {"on": "receipt"},
        {"on": "receipt", "drop": True, "error_code": 4432},
        {"on": "verify", "error_code": 4432},
        {"on": "receipt", "error_code": 0},
        {"on": "receipt", "error_code": "4432"},
    ],
)
def test_a_fault_that_a_receipt_cannot_have_is_refused(
    quick: Simulator, fault: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"receipt|error_code"):
        quick.fault(**fault)
    assert requests.post(f"{quick.url}/faults", json=fault, timeout=10).status_code == 400
