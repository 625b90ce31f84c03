"""Run Bandwidth's own smoke tests of its MFA API, unchanged, against the simulator.

``check_smoke.py FOLDER`` copies the tests to FOLDER from the installed bandwidth-sdk, whose wheel
contains them. Further arguments go to pytest. The exit status is not zero if a test fails. One of
the tests waits 35 seconds.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partialmethod
from importlib.metadata import files
from pathlib import Path

import pytest
from bandwidth import Configuration

from django_bandwidth_mfa.simulator import DEFAULT_PASSWORD, DEFAULT_USERNAME

MESSAGING_APPLICATION, VOICE_APPLICATION = "smoke-messaging", "smoke-voice"
USER_NUMBER = "+12025550143"


def copy_tests(folder: Path) -> None:
    """Copy the tests of the installed SDK. Raises FileNotFoundError if the SDK contains none."""
    shutil.rmtree(folder / "test", ignore_errors=True)
    tests = [test for test in files("bandwidth-sdk") or () if test.match("test/*/*.py")]
    if not tests:
        raise FileNotFoundError("This release of bandwidth-sdk brings no smoke tests.")
    for test in tests:
        (folder / test).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(test.locate(), folder / test)
    # Bandwidth's repository has this file, also empty, and the wheel lacks it. Without it, Python
    # finds a package `test` of its own first.
    (folder / "test/__init__.py").touch()


@contextmanager
def simulator() -> Iterator[dict[str, str]]:
    """Run the simulator's command. Yields the settings that it prints for people to paste."""
    command = [
        *(sys.executable, "-m", "django_bandwidth_mfa.simulator", "--port", "0", "--quiet"),
        *("--throttle-seconds", "30"),
        *("--application", MESSAGING_APPLICATION, "--application", VOICE_APPLICATION),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield printed_settings(process)
        finally:
            process.terminate()


def printed_settings(process: subprocess.Popen[str]) -> dict[str, str]:
    """Read the settings that the simulator prints.

    Raises RuntimeError if the simulator ends before it is ready.
    """
    settings = {}
    for line in process.stdout or ():
        words = shlex.split(line) if line.startswith("export ") else []
        settings.update(word.split("=", 1) for word in words[1:])
        if "Ctrl-C" in line:
            return settings
    raise RuntimeError("The simulator ended before it was ready.")


def set_variables(folder: Path, settings: dict[str, str]) -> None:
    """Set the variables that the tests read.

    The variables of Bandwidth's other products get no real values.
    """
    variables = {
        "BW_ACCOUNT_ID": settings["BANDWIDTH_MFA_ACCOUNT_ID"],
        "BW_USERNAME": DEFAULT_USERNAME,
        "BW_PASSWORD": DEFAULT_PASSWORD,
        "BW_MESSAGING_APPLICATION_ID": settings["BANDWIDTH_MFA_MESSAGING_APPLICATION_ID"],
        "BW_VOICE_APPLICATION_ID": settings["BANDWIDTH_MFA_VOICE_APPLICATION_ID"],
        "BW_NUMBER": settings["BANDWIDTH_MFA_FROM_NUMBER"],
        "USER_NUMBER": USER_NUMBER,
        "BW_USERNAME_FORBIDDEN": "nobody",
    }
    read = re.findall(r"environ\['(\w+)'\]", (folder / "test/utils/env_variables.py").read_text())
    os.environ.update(dict.fromkeys(read, "unused") | variables)


def point_sdk_at(base_url: str) -> None:
    """Make the SDK send its requests to ``base_url``, with its own options.

    The tests make clients without an address, so the SDK would use Bandwidth's address.
    """
    Configuration.__init__ = partialmethod(
        Configuration.__init__, host=base_url, ignore_operation_servers=True
    )


def main(folder: Path, *arguments: str) -> int:
    copy_tests(folder)
    with simulator() as settings:
        set_variables(folder, settings)
        point_sdk_at(settings["BANDWIDTH_MFA_BASE_URL"])
        # The folder may be inside this project, whose pytest settings and plugin must not apply.
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        alone = ("-c", os.devnull, "--rootdir", str(folder))
        return pytest.main([*alone, "-v", *arguments, str(folder / "test/smoke/test_mfa_api.py")])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), *sys.argv[2:]))
