"""``python -m django_bandwidth_mfa.simulator``: start, stop, what it prints and what it refuses."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from django_bandwidth_mfa.simulator import Simulator
from django_bandwidth_mfa.simulator.__main__ import main

from .client import CLIENT, SEND, VERIFY

ROOT = Path(__file__).parents[2]


def start(*options: str) -> tuple[subprocess.Popen[str], str]:
    """Start the command; return it and what it printed up to its last line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "django_bandwidth_mfa.simulator", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    printed = ""
    while "Ctrl-C" not in printed:
        line = process.stdout.readline()
        assert line, "the simulator ended before it was ready"
        printed += line
    return process, printed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_told_to_stop_and_logs_no_secrets(number: signal.Signals) -> None:
    """The log part fails when a line holds the path, a number, a body or a header."""
    process, printed = start("--account", "42", "--password", "shh-basic", "--name", "Acme")
    with process:
        [base] = re.findall(r"API +(http://127\.0\.0\.1:[0-9]+/api/v1)", printed)
        [token_url] = re.findall(r"Token +(http\S+)", printed)
        [inbox] = re.findall(r"Inbox +(http\S+)", printed)
        basic = ("sim-user", "shh-basic")
        code_url = f"{base}/accounts/42/code"
        with requests.Session() as session:
            session.post(f"{code_url}/messaging", json=SEND, auth=basic, timeout=5)
            [message] = session.get(f"{inbox}.json", timeout=5).json()
            attempt = {**VERIFY, "code": message["code"]}
            right = session.post(f"{code_url}/verify", json=attempt, auth=basic, timeout=5)
            form = {"grant_type": "client_credentials"}
            token = session.post(token_url, data=form, auth=CLIENT, timeout=5)
            session.get(f"{base}/\x1b[31m/{message['code']}", timeout=5)
        process.send_signal(number)
        _, log = process.communicate(timeout=5)

    assert process.returncode == 0
    assert right.json() == {"valid": True}
    assert message["text"].startswith("Your Acme")
    assert re.sub(r"(?m)^[0-9:]{8}Z ", "", log).splitlines() == [
        "POST messaging 200",
        "POST verify 200",
        "POST token 200",
        "GET unknown path 403",
    ]
    for secret in (message["code"], "shh-basic", SEND["to"], token.json()["access_token"]):
        assert str(secret) not in log + printed


def test_a_taken_port_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with Simulator() as simulator:
        port = simulator.url.rpartition(":")[2]
        assert run(["--port", port]) == 1

    assert f"Port {port} is taken" in capsys.readouterr().err


def test_a_host_that_is_not_ours_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--port", "0", "--host", "192.0.2.1"]) == 1

    assert "Check --host and --port" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--port", "65536"], "0 to 65535"),
        (["--port", "http"], "0 to 65535"),
        (["--latency", "-1"], "0 or more"),
        (["--latency", "nan"], "0 or more"),
        (["--max-wrong", "0"], "1 or more"),
    ],
)
def test_an_impossible_option_is_refused(
    capsys: pytest.CaptureFixture[str], options: list[str], complaint: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(options)

    assert stopped.value.code == 2
    assert complaint in capsys.readouterr().err


def run(options: list[str]) -> int:
    """Run the command in this process, which keeps its own signal handlers."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return main(options)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
