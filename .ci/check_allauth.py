"""Run allauth's own tests of its headless API on a site where all users need a code.

``check_allauth.py FOLDER`` gets the source of the installed django-allauth with pip, and unpacks it
in FOLDER. The tests run twice, once for each of allauth's test projects: ``regular`` and
``headless_only``. Further arguments go to pytest. The exit status is not zero if a test fails.
``--without`` leaves out ``django_bandwidth_mfa.contrib.allauth``, and then the client gives no
code.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

import their_tests

PROJECTS = ("regular", "headless_only")


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
    """Run the tests, and return the exit status."""
    folder = Path(arguments.pop(0)).resolve()
    part = "contrib"
    if "--without" in arguments:
        arguments.remove("--without")
        part = "none"
    source = get_source(folder)
    status = 0
    for project in PROJECTS:
        variables = {"ALLAUTH_PROJECT": project, "ALLAUTH_WITH": part}
        done = their_tests.run(
            "allauth_suite", source, "tests/apps/headless", *arguments, **variables
        )
        status = max(status, done)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
