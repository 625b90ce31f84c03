"""The public names and signatures, which the code of a site can rely on."""

from __future__ import annotations

import difflib
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from .public_api import FILE, PACKAGE, describe, public_modules

ROOT = Path(__file__).resolve().parents[1]


def test_the_public_names_are_those_in_the_file() -> None:
    """Fails when a name or a signature changes. Tried with a new parameter of ``send_code``."""
    before, now = FILE.read_text().splitlines(), describe().splitlines()
    changed = "\n".join(difflib.unified_diff(before, now, "on file", "in the code", lineterm=""))
    assert not changed, f"If this is meant, run `python -m tests.public_api`:\n{changed}"


@pytest.mark.parametrize("path", public_modules())
def test_each_public_module_lists_its_public_names(path: str) -> None:
    module = importlib.import_module(path)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


@pytest.mark.slow
def test_settings_files_can_import_conf_before_there_are_settings() -> None:
    """Fails when ``conf`` imports models, or anything that needs settings."""
    code = (
        f"import sys, {PACKAGE}.conf\n"
        "loaded = [name for name in sys.modules if name.startswith("
        f"('{PACKAGE}.models', '{PACKAGE}.internal', 'django.contrib.auth.models'))]\n"
        "print(loaded)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
