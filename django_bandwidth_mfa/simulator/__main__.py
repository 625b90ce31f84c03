"""``python -m django_bandwidth_mfa.simulator``: run the simulator until Ctrl-C."""

import argparse
import errno
import math
import shlex
import signal
import sys
import threading
from collections.abc import Sequence

from . import defaults
from .contract import THROTTLE_SECONDS
from .server import Simulator


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulator, and return 0 after it was stopped, or 1 if it cannot listen."""
    options = _parser().parse_args(arguments)
    simulator = Simulator(
        host=options.host,
        port=options.port,
        account=options.account,
        username=options.username,
        password=options.password,
        client_id=options.client_id,
        client_secret=options.client_secret,
        latency=options.latency,
        name=options.name,
        max_wrong=options.max_wrong,
        throttle_seconds=options.throttle_seconds,
        applications=options.application,
        fill_once=options.fill_once,
        quiet=options.quiet,
    )
    stop_request = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop_request.set())
    try:
        simulator.start()
    except OSError as problem:
        print(_explain(problem, options.host, options.port), file=sys.stderr)
        return 1
    print(_greeting(simulator), flush=True)
    stop_request.wait()
    simulator.stop()
    return 0


def _greeting(simulator: Simulator) -> str:
    lines = [
        f"This is a simulated Bandwidth, account {simulator.account}. No real phone gets a code.",
        "",
        "Paste these lines into the terminal in which you start your site:",
        "",
        *(
            f"export BANDWIDTH_MFA_{key}={shlex.quote(value)}"
            for key, value in _settings(simulator)
        ),
        "",
        f"See the codes at {simulator.inbox_url}",
        "",
    ]
    if not simulator.is_loopback:
        lines += ["Anybody who can connect to this address can read the codes.", ""]
    return "\n".join([*lines, "Press Ctrl-C to stop the simulator."])


def _settings(simulator: Simulator) -> list[tuple[str, str]]:
    """Return the keys and values of the settings with which a site uses the simulator."""
    # The first application is for messages, the last one for calls.
    messaging, *_, voice = [*simulator.applications[:1], *simulator.applications[-1:]] or [
        defaults.DEFAULT_MESSAGING_APPLICATION_ID,
        defaults.DEFAULT_VOICE_APPLICATION_ID,
    ]
    return [
        ("ACCOUNT_ID", simulator.account),
        ("CLIENT_ID", simulator.client_id),
        ("CLIENT_SECRET", simulator.client_secret),
        ("FROM_NUMBER", defaults.DEFAULT_FROM_NUMBER),
        ("MESSAGING_APPLICATION_ID", messaging),
        ("VOICE_APPLICATION_ID", voice),
        ("BASE_URL", simulator.base_url),
        ("TOKEN_URL", simulator.token_url),
    ]


def _explain(problem: OSError, host: str, port: int) -> str:
    if problem.errno == errno.EADDRINUSE:
        return (
            f"Another program uses port {port}. Stop that program, or choose another port with "
            "--port. With --port 0 the simulator uses any free port."
        )
    if problem.errno == errno.EACCES:
        return f"You are not allowed to use port {port}. Choose a port above 1023 with --port."
    return f"Cannot listen on {host} port {port}: {problem.strerror}. Check --host and --port."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m django_bandwidth_mfa.simulator",
        description="Simulate Bandwidth: the MFA API, and a page that shows the codes.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--port",
        type=_port,
        default=defaults.DEFAULT_PORT,
        help="port to listen on; 0 for any free port",
    )
    add("--host", default=defaults.DEFAULT_HOST, help="address to listen on")
    add("--account", default=defaults.DEFAULT_ACCOUNT, help="id of the account")
    add("--username", default=defaults.DEFAULT_USERNAME, help="user name for HTTP Basic")
    add("--password", default=defaults.DEFAULT_PASSWORD, help="password for HTTP Basic")
    add("--client-id", default=defaults.DEFAULT_CLIENT_ID, help="client id for OAuth 2.0")
    add(
        "--client-secret",
        default=defaults.DEFAULT_CLIENT_SECRET,
        help="client secret for OAuth 2.0",
    )
    add("--latency", type=_seconds, default=0.0, help="seconds before each API answer")
    add("--name", default=defaults.DEFAULT_NAME, help="text for {NAME} in a message")
    add(
        "--max-wrong",
        type=_positive,
        default=defaults.DEFAULT_MAX_WRONG,
        help="wrong codes for one number, within two minutes, after which the API answers 429",
    )
    add(
        "--throttle-seconds",
        type=_positive,
        default=THROTTLE_SECONDS,
        help="seconds for which the API answers 429 after too many wrong codes",
    )
    add(
        "--application",
        action="append",
        default=[],
        metavar="ID",
        help="id of an application; use the option once for each id. The API answers 400 to a "
        "request to send a code with another id. Without this option it accepts any id",
    )
    add(
        "--fill-once",
        action="store_true",
        help="fill in only the first {CODE} of a message. Bandwidth's documentation does not say "
        "whether Bandwidth fills in all of them",
    )
    add("--quiet", action="store_true", help="do not print a line for each API request")
    return parser


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 65536):
        raise argparse.ArgumentTypeError("must be a number from 0 to 65535")
    return int(text)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError("must be a number of seconds, 0 or more")
    return value


if __name__ == "__main__":
    sys.exit(main())
