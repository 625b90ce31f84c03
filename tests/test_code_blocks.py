"""A program checks each code block of the documents.

The tests of other packages run the blocks with a label, such as ``# settings.py, knox``, unchanged.
The session ``docs`` follows the tutorial.
A test in a browser, ``tests/browser/test_guides.py``, runs the script of the single-page app.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import json
import re
import shlex
import sys
import tomllib
import types
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import environ
import pytest
from django.core.checks import run_checks
from django.core.management import get_commands, load_command_class
from django.template import engines
from django.template.base import Template
from django.template.loader_tags import BlockNode, ExtendsNode
from django.test import override_settings
from django.urls import resolve

from django_bandwidth_mfa.conf import PREFIX, Settings
from django_bandwidth_mfa.simulator.__main__ import _parser as simulator_parser

from .code_blocks import ROOT, Block, blocks

PACKAGE = "django_bandwidth_mfa"
LANGUAGES = {"css", "html", "http", "js", "json", "promql", "python", "sh", "sql", "text"}

# The languages that no test can run, and the reason.
NOT_RUN = {
    "js": "it is for the console of a browser",
    "promql": "no server of Prometheus is on the machine",
    "sql": "it deletes the tables of another package",
}


def each(*languages: str) -> Callable[[Callable[[Block], None]], Callable[[], None]]:
    """Turn a check of one block into a test that checks all blocks and names those that fail.

    :param languages: the languages of the blocks; none for all languages.
    """

    def decorate(check: Callable[[Block], None]) -> Callable[[], None]:
        def test() -> None:
            failures = {}
            for block in blocks(*languages):
                try:
                    check(block)
                except Exception as error:
                    failures[block.where] = f"{type(error).__name__}: {error}"
            assert failures == {}

        test.__name__, test.__doc__ = check.__name__, check.__doc__
        return test

    return decorate


@each()
def test_a_block_names_its_language(block: Block) -> None:
    """Fails for a block without a language: none of the other tests would read it."""
    assert block.language in LANGUAGES


@pytest.mark.parametrize("language", NOT_RUN)
def test_each_language_that_is_not_run_is_used(language: str) -> None:
    """Fails when the list has a language that no page uses any more."""
    assert list(blocks(language))


# Python ----------------------------------------------------------------------------------------


@cache
def names_in(module: str) -> set[str]:
    """Return the names in a module of the package.  The file is read, not imported.

    A module of ``contrib`` needs another package, which may be missing.
    """
    path = ROOT.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not file.exists():
        return set()
    names = {one.stem for one in file.parent.iterdir()} if path.is_dir() else set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def is_there(path: str) -> bool:
    """Return whether a dotted path names a module of the package, or a name in one."""
    module, _, name = path.rpartition(".")
    return bool(names_in(path)) or name in names_in(module)


def imported(block: Block) -> Iterator[tuple[str, str]]:
    """Yield the module and the name of each import; the name is empty for ``import module``."""
    for node in ast.walk(block.tree()):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)


@each("python")
def test_the_imports_of_a_block_exist(block: Block) -> None:
    """Fails when a name of the package or of Django is misspelt, or when a block is not Python."""
    for module, name in imported(block):
        if module.partition(".")[0] == PACKAGE:
            assert is_there(f"{module}.{name}" if name else module), (module, name)
        elif module.partition(".")[0] in ("django", "environ"):
            assert not name or hasattr(importlib.import_module(module), name), (module, name)


@each("python", "sh")
def test_dotted_paths_exist(block: Block) -> None:
    """Fails when a path in a setting, such as a middleware's, is misspelt."""
    for path in re.findall(rf"\b{PACKAGE}(?:\.\w+)+", block.text):
        assert is_there(path), path


def keys_of_settings(tree: ast.Module) -> Iterator[str]:
    """Yield the keys of ``BANDWIDTH_MFA``, and of lines that show one setting."""
    for node in tree.body:
        match node:
            case ast.Assign([ast.Name("BANDWIDTH_MFA")], ast.Dict(keys)) | ast.Expr(ast.Dict(keys)):
                names = (ast.literal_eval(key) for key in keys if key is not None)
                yield from (name for name in names if name.isupper())


@each("python")
def test_the_settings_of_a_block_exist(block: Block) -> None:
    """Fails when a key of ``BANDWIDTH_MFA`` is misspelt."""
    assert set(keys_of_settings(block.tree())) <= Settings.names()


@each("sh")
def test_the_variables_of_a_block_exist(block: Block) -> None:
    """Fails when an environment variable does not belong to a setting."""
    known = {PREFIX + name for name in Settings.names()}
    assert set(re.findall(rf"\b{PREFIX}\w+", block.text)) <= known


POLICIES = [
    block
    for block in blocks("python")
    if re.search(r"^BANDWIDTH_MFA = ", block.text, re.MULTILINE) and "..." not in block.text
]
# Modules of the reader's own site, which such a block names.
READERS_MODULES = {
    "bank.security": {"CODE_POLICY": lambda request, user: True},
    "mysite.phones": {"numbers_of": lambda user: []},
    "mysite.texts": {"text_of_code": lambda user, purpose, channel: "{CODE}"},
}


@pytest.mark.parametrize("block", POLICIES, ids=lambda block: block.where)
def test_the_settings_of_a_block_pass_the_system_checks(
    block: Block, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails when a value is wrong. Tried with ``any_of("staf")`` in place of ``staff``."""
    for name, values in READERS_MODULES.items():
        module = types.ModuleType(name)
        vars(module).update(values)
        monkeypatch.setitem(sys.modules, name, module)
        package = name.partition(".")[0]
        monkeypatch.setitem(sys.modules, package, types.ModuleType(package))
    before = dict(settings.BANDWIDTH_MFA)
    values = {
        "from_env": lambda env: before,
        "env": environ.Env(),
        "BASE_DIR": ROOT,
        "INSTALLED_APPS": list(settings.INSTALLED_APPS),
        "MIDDLEWARE": list(settings.MIDDLEWARE),
        "DATABASES": {"default": {}},
    }
    code = block.text.replace("from django_bandwidth_mfa.conf import from_env\n", "")
    exec(compile(code, block.where, "exec"), values)  # noqa: S102
    with override_settings(BANDWIDTH_MFA=values["BANDWIDTH_MFA"]):
        errors = [one for one in run_checks() if str(one.id).startswith("bandwidth_mfa.E")]
    # One of the policies needs "allauth.mfa", which the tests do not install.
    assert [one for one in errors if "allauth.mfa" not in one.msg] == []


@each("python")
def test_a_labelled_block_is_run_by_a_test(block: Block) -> None:
    """Fails when a block says which package it is for, and no test of that package runs it."""
    if not re.match(r"(settings|urls)\.py, |a verified token|adapter\.py", block.label):
        return
    label = re.split(r":| in place of", block.label)[0]
    assert f'"{label}' in code_of_other_tests(), block.label


@cache
def code_of_other_tests() -> str:
    return "".join(file.read_text() for file in (ROOT / "tests/neighbours").rglob("*.py"))


# Commands --------------------------------------------------------------------------------------


def commands(block: Block) -> Iterator[list[str]]:
    """Yield the words of each command, without comments and redirections."""
    for line in shlex_lines(block.text):
        words = line[: line.index(">")] if ">" in line else line
        while words and re.fullmatch(r"\w+=.*", words[0]):
            words = words[1:]
        yield from split(words, "&&")


def shlex_lines(text: str) -> Iterator[list[str]]:
    """Yield the words of each command.  A quoted text may have several lines."""
    pending = ""
    for line in text.splitlines():
        pending += line
        try:
            words = shlex.split(pending, comments=True)
        except ValueError:  # the quotation continues on the next line
            pending += "\n"
            continue
        pending = ""
        if words:
            yield words
    assert not pending, pending


def split(words: list[str], by: str) -> Iterator[list[str]]:
    while by in words:
        place = words.index(by)
        yield words[:place]
        words = words[place + 1 :]
    yield words


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise AssertionError(message)


def parse_manage(words: list[str]) -> None:
    """Check a command of ``manage.py`` and its options."""
    name, *arguments = words
    app = {**get_commands(), "demo": "demo"}[name]
    if name == "demo":  # a command of the example project
        return
    parser = load_command_class(str(app), name).create_parser("manage.py", name)
    parser.__class__ = type("Strict", (Parser, type(parser)), {})
    chosen = parser.parse_args(arguments)
    if name == "shell":
        tree = Block("", 0, "python", chosen.command)
        assert all(is_there(f"{m}.{n}") for m, n in imported(tree) if m.startswith(PACKAGE))


def parse_module(words: list[str]) -> None:
    """Check ``python -m MODULE ...``."""
    module, *arguments = words
    if module == f"{PACKAGE}.simulator":
        simulator_parser().parse_args(arguments)
    elif module == "pytest":
        for path in arguments:
            assert path.startswith("-") or not path.startswith("tests") or (ROOT / path).exists()
    else:
        assert importlib.util.find_spec(module), module


@cache
def sessions() -> set[str]:
    tree = ast.parse((ROOT / "noxfile.py").read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@cache
def extras() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return set(project["optional-dependencies"])


# Commands of the system. The session `docs`, `demo` or `package` runs them.
OF_THE_SYSTEM = {".", "cd", "django-admin", "export", "mkdir"}
# Commands of packages that the guides install, and the tests do not, and the openssl of the system.
OF_GUIDES = {"gunicorn", "openssl", "opentelemetry-instrument", "uvicorn", "wagtail"}
# The JSON API, where the guides have their site.
LOCAL_API = re.compile(r"(?:\$API|http://127\.0\.0\.1:8000/mfa/api)(?=/)")


def check_request(words: list[str]) -> None:
    """Check the addresses of the JSON API in a command of curl, and its body."""
    for word in words:
        if LOCAL_API.match(word):
            path = LOCAL_API.sub("/mfa/api", word)
            assert resolve(path).url_name != "api_nothing_here", path
    if "-d" in words:
        json.loads(words[words.index("-d") + 1])


@each("sh")
def test_a_command_and_its_options_exist(block: Block) -> None:
    """Fails when a command of ``manage.py``, an option of it, a session or an extra is misspelt."""
    for first, *rest in commands(block):
        program = first if first == "." else Path(first).name
        if program.startswith("python") and rest[0] == "-m":
            parse_module(rest[1:])
        elif program.startswith("python"):
            assert Path(rest[0]).name == "manage.py", rest
            parse_manage(rest[1:])
        elif program == "nox":
            assert {rest[rest.index("-s") + 1]} <= sessions(), rest
        elif program == "pip":
            named = re.findall(r"(?:django-bandwidth-mfa|\.)\[(.*?)\]", " ".join(rest))
            assert set(named) <= extras(), named
        elif program == "curl":
            check_request(rest)
        else:
            assert program in OF_THE_SYSTEM | OF_GUIDES, first


# Other languages -------------------------------------------------------------------------------


@each("json")
def test_json_can_be_parsed(block: Block) -> None:
    json.loads(block.text)


@each("http", "text")
def test_an_address_of_this_app_exists_and_its_body_is_json(block: Block) -> None:
    """Fails when an address of the JSON API is misspelt, or when a body is no JSON."""
    for part in block.text.split("\n\n"):
        if part.startswith(("{", "[")):
            json.loads(part)
    for path in re.findall(r"^(?:GET|POST) (/mfa/\S+)", block.text, re.MULTILINE):
        assert resolve(path).url_name != "api_nothing_here", path


@each("html")
def test_a_template_can_be_read_and_its_blocks_exist(block: Block) -> None:
    """Fails when a tag, an included template or a block of the parent template is misspelt."""
    template = Template("{% load static %}" * ("{% extends" not in block.text) + block.text)
    for name in re.findall(r'{% (?:include|extends) "((?:bandwidth_mfa|admin)/.*?)"', block.text):
        engines["django"].get_template(name)
    for parent in template.nodelist.get_nodes_by_type(ExtendsNode):
        name = str(parent.parent_name).strip("\"'")
        if not name.startswith("admin/"):
            continue
        source = Path(importlib.import_module("django.contrib.admin").__file__ or "").parent
        text = (source / "templates" / "admin/base.html").read_text()
        for one in template.nodelist.get_nodes_by_type(BlockNode):
            assert f"block {one.name} " in text, one.name


@each("css")
def test_the_properties_of_the_look_exist(block: Block) -> None:
    """Fails when a custom property is misspelt: a browser would ignore it."""
    sheet = (ROOT / PACKAGE / "static/bandwidth_mfa/mfa.css").read_text()
    for name in re.findall(r"--mfa-[\w-]+", block.text):
        assert f"{name}:" in sheet, name


def test_the_light_colours_are_those_of_the_stylesheet() -> None:
    """Fails when docs/theming.md has other colours for a site without a dark mode."""
    colours = r"^  (--mfa-[\w-]+): (#\w+);"
    sheet = (ROOT / PACKAGE / "static/bandwidth_mfa/mfa.css").read_text()
    light = sheet.partition(":root {")[2].partition("}")[0]
    [page] = [
        block.text
        for block in blocks("css", pages=["docs/theming.md"])
        if ".bandwidth-mfa-message {" in block.text
    ]
    assert len(re.findall(colours, light, re.MULTILINE)) > 10
    assert re.findall(colours, page, re.MULTILINE) == re.findall(colours, light, re.MULTILINE)
