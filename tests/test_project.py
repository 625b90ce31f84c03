"""The files around the package agree: the gate, its sessions and the lowest versions."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NOXFILE = (ROOT / "noxfile.py").read_text()
SESSIONS = set(re.findall(r"^@nox\.session\(.*?^def (\w+)\(", NOXFILE, re.MULTILINE | re.DOTALL))
# A name, and the variant in parentheses.
SESSION = r"([a-z_]+)(?:\((\w+)\))?"


def missing(named: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the names that noxfile.py does not have, as a session or as a variant of one."""
    return [
        (name, variant)
        for name, variant in named
        if name not in SESSIONS or (variant and f'"{variant}"' not in NOXFILE)
    ]


def gate_sessions(array: str) -> list[tuple[str, str]]:
    """Return the sessions in an array of ``.ci/run``."""
    [words] = re.findall(rf"^{array}=\((.*?)\)$", (ROOT / ".ci/run").read_text(), re.M | re.S)
    return [(name, kind) for one in shlex.split(words) for name, kind in re.findall(SESSION, one)]


def test_each_session_that_contributing_names_exists() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    in_commands = re.findall(rf'nox -s "?{SESSION}', page)
    in_the_table = re.findall(rf"^\| `{SESSION}` \|", page, re.MULTILINE)
    assert missing(in_commands + in_the_table) == []
    assert {name for name, _ in in_the_table} == SESSIONS
    assert len(in_commands) >= 3


def test_the_gate_runs_each_session() -> None:
    every_change, slow = gate_sessions("sessions"), gate_sessions("slow_sessions")
    assert missing(every_change + slow) == []
    # In place of `tests`, the gate runs the test command of the README.
    assert {name for name, _ in every_change + slow} == SESSIONS - {"tests"}
    databases = {variant for name, variant in every_change if name == "database"}
    assert databases == {"postgresql", "mariadb", "uuid"}


def test_the_gate_runs_versions_of_the_matrix_that_are_supported() -> None:
    [words] = re.findall(
        r"^some_versions=\((.*?)\n\)$", (ROOT / ".ci/run").read_text(), re.M | re.S
    )
    named = [re.fullmatch(r"matrix\((\S+), (\S+)\)", one) for one in shlex.split(words)]
    classifiers = "\n".join(PROJECT["classifiers"])
    pythons = re.findall(r"Python :: (3\.\d+)", classifiers)
    djangos = re.findall(r"Django :: (\d\.\d)", classifiers)
    [oldest] = [one for one in PROJECT["dependencies"] if one.startswith("django>=")]
    assert all(named)
    pairs = [one.groups() for one in named if one]
    assert {python for python, _ in pairs} <= set(pythons)
    # Each version of Django, with the oldest release of the oldest version.
    assert {django for _, django in pairs} == {*djangos, oldest.removeprefix("django>=")}


def test_the_workflow_runs_sessions_that_exist_on_each_python_that_is_supported() -> None:
    workflow = (ROOT / ".github/workflows/ci.yml").read_text()
    lists = re.findall(r"^ +session: \[(.*)\]$", workflow, re.MULTILINE)
    named = [re.fullmatch(SESSION, one.strip()) for text in lists for one in text.split(",")]
    assert missing([(one[1], one[2] or "") for one in named if one]) == []
    assert all(named)
    # Sessions with their own jobs, and sessions that take too long for each push.
    others = {"matrix", "browser", "gallery"}
    assert {one[1] for one in named if one} | others == SESSIONS - {"tests"}
    [pythons] = re.findall(r"^ +python: \[(.*)\]$", workflow, re.MULTILINE)
    supported = re.findall(
        r"Programming Language :: Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"])
    )
    assert re.findall(r"[\d.]+", pythons) == supported
    assert f">={supported[0]}" == PROJECT["requires-python"]


def test_the_readme_names_the_versions_and_databases_that_the_sessions_test() -> None:
    """Fails when the README does not name a version of pyproject.toml or a database of the noxfile,
    and when the picture of the README is missing."""
    readme = (ROOT / "README.md").read_text()
    [(djangos, pythons, databases)] = re.findall(
        r"^Tested with Django (.*); Python (.*); (.*)\.$", readme, re.MULTILINE
    )
    classifiers = "\n".join(PROJECT["classifiers"])
    assert re.findall(r"[\d.]+", djangos) == re.findall(r"Django :: (\d\.\d)", classifiers)
    assert re.findall(r"[\d.]+", pythons) == re.findall(r"Python :: (3\.\d+)", classifiers)
    [tested] = re.findall(
        r"^DATABASES = \((.*)\)$", (ROOT / "noxfile.py").read_text(), re.MULTILINE
    )
    assert re.findall(r"\w+", databases.lower().replace(" and ", " ")) == re.findall(r"\w+", tested)
    [picture] = re.findall(r'<img src="([^"]*)"', readme)
    assert (ROOT / picture).exists()


def test_each_test_that_a_session_or_a_document_names_exists() -> None:
    """Fails when a test moves, and a session or a command in a document keeps the old path."""
    files = ["noxfile.py", "CONTRIBUTING.md", "README.md", ".ci/mutation.toml", "docs/attacks.md"]
    text = "".join((ROOT / file).read_text() for file in files)
    named = re.findall(r"(?<![\w/])tests/[\w/]+(?:\.\w+)?", text)
    assert [path for path in named if not (ROOT / path).exists()] == []
    assert len(named) > 10


def lowest(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ".ci/lowest.py", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_lowest_versions_are_those_that_pyproject_allows(tmp_path: Path) -> None:
    constraints = tmp_path / "lowest.txt"
    assert lowest("write", str(constraints)).returncode == 0
    pinned = dict(line.split("==") for line in constraints.read_text().splitlines())
    requirements = [
        Requirement(line)
        for line in PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]
    ]
    assert list(pinned) == [one.name for one in requirements]
    for one in requirements:
        assert one.specifier.contains(pinned[one.name]), one
        assert f">={pinned[one.name]}" in {str(part) for part in one.specifier}, one


@pytest.mark.slow
def test_the_figures_of_all_worker_processes_are_added(tmp_path: Path) -> None:
    """Fails when a worker keeps its figures, or when the controller counts one twice."""
    (tmp_path / "test_counting.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('many', range(8))\n"
        "def test_count(figures, many, worker_id):\n"
        "    figures.add('counted', many)\n"
        "    figures.add('in ' + worker_id, 1)\n"
    )
    # The folder has its own configuration, because it can be inside of this project.
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", str(tmp_path), "--rootdir", str(tmp_path)),
            *("-n", "2", "--dist", "load", "-p", "xdist.plugin", "-p", "tests.figures"),
        ],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    figures = {name: int(many) for many, name in re.findall(r"^ +(\d+)  (.+)$", done.stdout, re.M)}
    assert done.returncode == 0, done.stdout + done.stderr
    assert figures["counted"] == sum(range(8))
    assert set(figures) == {"counted", "in gw0", "in gw1"}
    assert figures["in gw0"] + figures["in gw1"] == 8


@pytest.mark.parametrize("which", ["demo", "test"])
def test_the_readme_has_the_command_that_the_gate_runs(which: str) -> None:
    done = subprocess.run(
        [ROOT / ".ci/readme-command", which], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
