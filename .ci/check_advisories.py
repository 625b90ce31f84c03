"""Fail if an installed dependency of the app has a weakness that is in ``advisories.toml``.

The program knows only the weaknesses in that file, and needs no network. Each advisory must name an
installed package: an advisory with a misspelt name could never fail.
"""

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version


def brought_along(package: str, seen: dict[str, Version]) -> dict[str, Version]:
    """Return ``package`` and all its dependencies, with the installed versions."""
    name = canonicalize_name(package)
    if name in seen:
        return seen
    try:
        seen[name] = Version(version(name))
    except PackageNotFoundError:
        return seen
    for line in requires(name) or []:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            brought_along(requirement.name, seen)
    return seen


def main() -> int:
    installed = brought_along("django-bandwidth-mfa", {})
    advisories = tomllib.loads(Path(__file__).with_name("advisories.toml").read_text())["advisory"]
    findings = 0
    for advisory in advisories:
        package, identifier = advisory["package"], advisory["id"]
        if not re.fullmatch(r"CVE-\d{4}-\d+", identifier) or package not in installed:
            print(f"{identifier}: no such package, or no such identifier: {package}")
            findings += 1
        elif installed[package] < Version(advisory["fixed"]):
            print(f"{package} {installed[package]} has {identifier}: use {advisory['fixed']}")
            findings += 1
    print(f"{len(installed)} packages, {len(advisories)} advisories, {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
