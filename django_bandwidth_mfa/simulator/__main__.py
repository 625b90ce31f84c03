"""``python -m django_bandwidth_mfa.simulator``: serve until Ctrl-C."""

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
    told_to_stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told_to_stop.set())
    try:
        simulator.start()
    except OSError as problem:
        print(_explain(problem, options.host, options.port), file=sys.stderr)
        return 1
    print(_greeting(simulator), flush=True)
    told_to_stop.wait()
    simulator.stop()
    return 0


def _greeting(simulator: Simulator) -> str:
    lines = [
        f"Simulated Bandwidth, account {simulator.account}. Nothing reaches a real phone.",
        "",
        "Paste this where the site is started:",
        "",
        *(
            f"export BANDWIDTH_MFA_{key}={shlex.quote(value)}"
            for key, value in _settings(simulator)
        ),
        "",
        f"The codes: {simulator.inbox_url}",
        "",
    ]
    if not simulator.is_loopback:
        lines += ["Everybody who reaches this address can read the codes.", ""]
    return "\n".join([*lines, "Stop with Ctrl-C."])


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
            f"Port {port} is taken. Stop what listens there, choose another with --port, "
            "or let --port 0 find a free one."
        )
    if problem.errno == errno.EACCES:
        return f"Port {port} is not allowed for this user. Choose one above 1023 with --port."
    return f"Cannot listen on {host} port {port}: {problem.strerror}. Check --host and --port."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m django_bandwidth_mfa.simulator",
        description="A local Bandwidth: the MFA API, and an inbox that shows the codes it sends.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--port", type=_port, default=defaults.DEFAULT_PORT, help="0 finds a free one")
    add("--host", default=defaults.DEFAULT_HOST, help="address to listen on")
    add("--account", default=defaults.DEFAULT_ACCOUNT, help="account id")
    add("--username", default=defaults.DEFAULT_USERNAME, help="for HTTP Basic")
    add("--password", default=defaults.DEFAULT_PASSWORD, help="for HTTP Basic")
    add("--client-id", default=defaults.DEFAULT_CLIENT_ID, help="for OAuth 2.0")
    add("--client-secret", default=defaults.DEFAULT_CLIENT_SECRET, help="for OAuth 2.0")
    add("--latency", type=_seconds, default=0.0, help="seconds that every API answer takes")
    add("--name", default=defaults.DEFAULT_NAME, help="what {NAME} in a message becomes")
    add(
        "--max-wrong",
        type=_positive,
        default=defaults.DEFAULT_MAX_WRONG,
        help="wrong codes for one number within two minutes before it is answered 429",
    )
    add(
        "--throttle-seconds",
        type=_positive,
        default=THROTTLE_SECONDS,
        help="how long it is answered 429 then",
    )
    add(
        "--application",
        action="append",
        default=[],
        metavar="ID",
        help="an application id; may be given again. With it, sends with another id are answered "
        "400; without it, any id is taken",
    )
    add(
        "--fill-once",
        action="store_true",
        help="fill in only the first {CODE} of a message: whether Bandwidth fills in each of them "
        "is not documented",
    )
    add("--quiet", action="store_true", help="do not write a line for each API request")
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
