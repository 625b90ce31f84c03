"""The lowest versions that pyproject.toml allows for the app and its tests.

``lowest.py write FILE`` writes them as a constraints file for pip. ``lowest.py check`` has an exit
status other than zero if another version is installed.
"""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def floor(requirement: Requirement) -> Version:
    """Return the version after ``>=``. Raises ``ValueError`` for a requirement without it."""
    floors = [
        specifier.version for specifier in requirement.specifier if specifier.operator == ">="
    ]
    if len(floors) != 1:
        raise ValueError(f"{requirement} names no lowest version")
    return Version(floors[0])


def lowest_versions(pyproject: str) -> dict[str, Version]:
    """Return the lowest version of each package in ``dependencies`` and the extra ``test``."""
    project = tomllib.loads(pyproject)["project"]
    lines = project["dependencies"] + project["optional-dependencies"]["test"]
    requirements = [Requirement(line) for line in lines]
    return {requirement.name: floor(requirement) for requirement in requirements}


def main(command: str, *arguments: str) -> int:
    lowest = lowest_versions(PYPROJECT.read_text())
    if command == "write":
        [file] = arguments
        Path(file).write_text("".join(f"{name}=={lowest[name]}\n" for name in lowest))
        return 0
    wrong = 0
    for name, wanted in lowest.items():
        installed = Version(version(name))
        print(f"{name} {installed}")
        if installed != wanted:
            print(f"{name} {wanted} was wanted")
            wrong += 1
    return 1 if wrong or command != "check" else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
