"""``python -m django_bandwidth_mfa.simulator`` starts, stops, prints settings, refuses mistakes."""

import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_stopped_and_logs_no_secrets(number: signal.Signals) -> None:
    """Fails when a line of the log holds the path, a number, a body or a header."""
    process, printed = start("--account", "42", "--password", "shh-basic", "--name", "Acme")
    with process, killed_on_error(process):
        base, token_url = exported(printed, "BASE_URL"), exported(printed, "TOKEN_URL")
        [inbox] = re.findall(r"See the codes at (http\S+)", printed)
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


@contextmanager
def killed_on_error(process: subprocess.Popen[str]) -> Iterator[None]:
    """Kill the process on an error: a failed assertion would otherwise wait for it for ever."""
    try:
        yield
    except BaseException:
        process.kill()
        raise


def exported(printed: str, key: str) -> str:
    [value] = re.findall(rf"(?m)^export BANDWIDTH_MFA_{key}=(.*)$", printed)
    return shlex.split(value)[0]


@pytest.mark.slow
def test_its_output_can_be_pasted_and_has_all_settings_of_a_site() -> None:
    """Fails when a key is missing, or when a value is not quoted for the shell."""
    process, printed = start("--client-secret", "it's $HOME", "--application", "a1")
    with process, killed_on_error(process):
        block = "\n".join(line for line in printed.splitlines() if line.startswith("export "))
        show = f"{block}\n{shlex.quote(sys.executable)} -c {shlex.quote(READ_SETTINGS)}"
        shell = subprocess.run(
            ["sh", "-c", show], capture_output=True, text=True, check=True, cwd=ROOT
        )
        process.terminate()
        process.communicate(timeout=5)
    settings = json.loads(shell.stdout)
    url = settings["BASE_URL"].removesuffix("/api/v1")
    assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+", url)
    assert settings == {
        "ACCOUNT_ID": "5500001",
        "CLIENT_ID": "sim-client",
        "CLIENT_SECRET": "it's $HOME",
        "FROM_NUMBER": "+12025550100",
        "MESSAGING_APPLICATION_ID": "a1",
        "VOICE_APPLICATION_ID": "a1",
        "BASE_URL": f"{url}/api/v1",
        "TOKEN_URL": f"{url}/api/v1/oauth2/token",
    }


READ_SETTINGS = (
    "import environ, json; from django_bandwidth_mfa.conf import from_env; "
    "print(json.dumps(from_env(environ.Env())))"
)


def test_a_taken_port_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with Simulator() as simulator:
        port = simulator.url.rpartition(":")[2]
        assert run(["--port", port]) == 1

    assert f"Another program uses port {port}" in capsys.readouterr().err


def test_a_host_of_another_machine_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
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
        (["--throttle-seconds", "0"], "1 or more"),
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
