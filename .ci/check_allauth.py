"""Run allauth's own tests of its headless API on a site where everybody owes a code.

``check_allauth.py FOLDER`` gets the source of the django-allauth that is installed, by pip, and
unpacks it in FOLDER. The tests run twice, once for each of its test projects: ``regular`` and
``headless_only``. Further arguments go to pytest. Ends non-zero if a test fails.

``--without`` leaves out ``django_bandwidth_mfa.contrib.allauth``, and the client gives no code.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

PROJECTS = ("regular", "headless_only")
HERE = Path(__file__).resolve().parent


def get_source(folder: Path) -> Path:
    """Return the unpacked source of the installed release."""
    release = version("django-allauth")
    source = folder / f"django_allauth-{release}"
    if not source.exists():
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps"]
        command += ["--no-binary", ":all:", "--dest", str(folder), f"django-allauth=={release}"]
        subprocess.run(command, check=True)
        [archive] = folder.glob(f"django?allauth-{release}.tar.gz")
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
    return source


def main(arguments: list[str]) -> int:
    """Run the tests, and return the status to end with."""
    folder = Path(arguments.pop(0)).resolve()
    part = "contrib"
    if "--without" in arguments:
        arguments.remove("--without")
        part = "none"
    source = get_source(folder)
    status = 0
    for project in PROJECTS:
        environment = {
            **os.environ,
            "ALLAUTH_PROJECT": project,
            "ALLAUTH_WITH": part,
            # Its package `tests` comes first.
            "PYTHONPATH": os.pathsep.join([str(source), str(HERE)]),
        }
        command = [sys.executable, "-m", "pytest", "-q", "-p", "allauth_suite.plugin"]
        command += ["-p", "no:randomly", "-p", "no:cacheprovider", "-n", "0", "-W", "ignore"]
        command += ["--ds=allauth_suite.settings", "--tb=short", "--show-capture=no", *arguments]
        done = subprocess.run(
            [*command, "tests/apps/headless"], cwd=source, env=environment, check=False
        )
        status = max(status, done.returncode)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
