"""Writes the reference from the code, so that the two cannot differ.

A page of ``docs/reference`` has a mark, such as ``<!-- generated: settings -->``. When the site is
built, the mark is replaced by the text that a function of :data:`PARTS` returns. The text is
Markdown.

This module needs Django to be set up, but not Sphinx: the tests check its texts.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import logging
import pkgutil
import re
from argparse import Action
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from django.core.management import BaseCommand, load_command_class
from django.dispatch import Signal
from django.urls import URLPattern

import django_bandwidth_mfa
from django_bandwidth_mfa import checks, conf, signals, urls
from django_bandwidth_mfa.internal.doors import kinds
from django_bandwidth_mfa.internal.notify import events

PACKAGE = Path(django_bandwidth_mfa.__file__).parent
TEMPLATES = PACKAGE / "templates"

_mark = re.compile(r"<!-- generated: (\w+) -->")


def fill_in(text: str) -> str:
    """Return the text of a page with each mark replaced by its generated text."""
    return _mark.sub(lambda match: PARTS[match[1]](), text)


# Settings ------------------------------------------------------------------------------------


# Values of several types: each is wrong for each setting that is not a free text.
WRONG_VALUES: tuple[object, ...] = (object(), "\0", {"\0": None}, ["\0"])


def settings() -> str:
    """Return a section for each key of ``BANDWIDTH_MFA``, in the order of the table in conf.py."""
    return "\n\n".join(map(_setting, conf.Settings.all()))


def _setting(setting: conf.Setting[object]) -> str:
    if setting.required:
        default = "none: it is required"
    elif setting.default is None:
        default = "`None`"
    elif isinstance(setting.default, list | dict | int | float):
        default = f"`{setting.default!r}`"
    else:
        default = f'`"{setting.default}"`'
    if setting.on_async_server is not None:
        default += f"; on an async server `{setting.on_async_server!r}`"
    lines = [
        f"## {setting.name}",
        "",
        setting.doc,
        "",
        f"- Kind: {setting.kind.name}",
        f"- Default: {default}",
        f"- In the environment: `{conf.PREFIX}{setting.name}`",
    ]
    # The messages about wrong values show which values are right.
    rules = dict.fromkeys(filter(None, map(setting.problem, WRONG_VALUES)))
    if rules:
        messages = " or ".join(f"“{rule}”" for rule in rules)
        lines.insert(-2, f"- E003 says of a wrong value: {messages}")
    if setting.secret:
        lines.append("- It is a secret. No message shows it.")
    return "\n".join(lines)


# System checks -------------------------------------------------------------------------------


class Check(NamedTuple):
    """A message of a system check.  In the texts, ``…`` replaces what depends on the site."""

    id: str
    message: str
    hint: str


def system_checks() -> str:
    """Return a section for each id, with its meaning and the texts of its messages."""
    meanings = _table_of_docstring(checks)
    texts: dict[str, list[str]] = {id: [] for id in meanings}
    for check in find_checks():
        texts.setdefault(check.id, []).append(_check(check))
    return "\n\n".join(
        "\n".join(
            [f"## {id}", "", meanings.get(id, ""), "", *filter(None, dict.fromkeys(messages))]
        )
        for id, messages in sorted(texts.items())
    )


def _check(check: Check) -> str:
    # A message is left out if all its words are known only when the check runs.
    words = [_plain(text) for text in (check.message, check.hint) if re.search(r"\w", text)]
    return "- " + " ".join(words) if words else ""


def find_checks() -> Iterator[Check]:
    """Yield each message that the code of the package can give, and each kind of open door."""
    for file in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(file.read_text())
        constants = _texts_by_name(tree.body)
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                names = constants | _texts_by_name(function.body)
                yield from _checks_of_function(function, names)
    for kind in vars(kinds).values():
        if isinstance(kind, kinds.Kind):
            yield Check(kind.id, f"{kind.opens}: ….", kind.closing)


def _checks_of_function(function: ast.FunctionDef, names: dict[str, str]) -> Iterator[Check]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Error", "Warning"):
            named = {keyword.arg: keyword.value for keyword in node.keywords}
            id = _text(named.get("id"), names)
            if id.startswith("bandwidth_mfa."):
                yield Check(id, _text(node.args[0], names), _text(named.get("hint"), names))


def _texts_by_name(statements: list[ast.stmt]) -> dict[str, str]:
    """Return the texts that these statements assign to a name."""
    return {
        statement.targets[0].id: _text(statement.value, {})
        for statement in statements
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
    }


def _text(node: ast.expr | None, names: dict[str, str]) -> str:
    """Return a text of the code, with ``…`` for the parts that are known only when it runs."""
    match node:
        case None:
            return ""
        case ast.Constant():
            return str(node.value)
        case ast.Name():
            return names.get(node.id, "…")
        case ast.JoinedStr():
            return re.sub("…+", "…", "".join(_text(part, names) for part in node.values))
        case _:
            return "…"


# Signals and events --------------------------------------------------------------------------


def all_signals() -> str:
    """Return an entry for each signal, with its meaning."""
    meanings = _table_of_docstring(signals)
    return "\n\n".join(
        f"```{{py:data}} {signals.__name__}.{name}\n\n{meanings.get(name, '')}\n```"
        for name in signal_names()
    )


def signal_names() -> list[str]:
    """Return the names of the signals, in the order of the module."""
    return [name for name, value in vars(signals).items() if isinstance(value, Signal)]


def log_events() -> str:
    """Return a table of the events: the level of the record, the signal, the mail, the meaning."""
    rows = [
        f"| `{event.name}` | {logging.getLevelName(event.level)} "
        f"| {'yes' if event.signal else ''} | {'yes' if event.is_mailed else ''} "
        f"| {meaning_of_event(event.name)} |"
        for event in events.EVENTS.values()
    ]
    rows += [
        f"| `{name}` | {level} | | | {text} |" for name, level, text in events_outside_the_table()
    ]
    head = ["| event | level | signal | mail to the user | meaning |", "| --- " * 5 + "|"]
    return "\n".join([*head, *rows])


def events_outside_the_table() -> Iterator[tuple[str, str, str]]:
    """Yield the name, level and text of records that the code writes to the log by itself."""
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("logger."):
                named = {keyword.arg: keyword.value for keyword in node.keywords}
                extra = named.get("extra")
                if isinstance(extra, ast.Dict) and isinstance(extra.values[0], ast.Constant):
                    level = ast.unparse(node.func).removeprefix("logger.").upper()
                    text = _text(node.args[0], {}).replace("%s", "…")
                    yield str(extra.values[0].value), level, text


def meaning_of_event(name: str) -> str:
    """Return the first paragraph of the docstring of the function that sends the event."""
    return _first_paragraph(getattr(events, name))


# URLs ----------------------------------------------------------------------------------------


def url_names() -> str:
    """Return a table of the names, the addresses and what the views do."""
    rows = [
        f"| `{urls.app_name}:{pattern.name}` | `{pattern.pattern}` "
        f"| {_first_paragraph(getattr(pattern.callback, 'view_class', pattern.callback))} |"
        for pattern in urls.urlpatterns
        if isinstance(pattern, URLPattern)
    ]
    return "\n".join(["| name | address | what it does |", "| --- | --- | --- |", *rows])


# Templates -----------------------------------------------------------------------------------


def templates() -> str:
    """Return a table of the templates: their parents, blocks and comments."""
    rows = []
    for name in template_names():
        source = (TEMPLATES / name).read_text()
        extends = re.findall(r"{% extends \"?([\w/.]+)", source)
        blocks = [f"`{block}`" for block in re.findall(r"{% block (\w+)", source)]
        comment = re.search(r"{# (?!Translators)(.*?) #}", source.partition("\n")[0])
        rows.append(
            f"| `{name}` | {''.join(f'`{parent}`' for parent in extends)} | {', '.join(blocks)} "
            f"| {comment[1] if comment else ''} |"
        )
    return "\n".join(
        ["| template | extends | blocks | what it shows |", "| --- | --- | --- | --- |", *rows]
    )


def template_names() -> list[str]:
    """Return the names of the app's templates, as ``{% extends %}`` takes them."""
    files = [file for file in TEMPLATES.rglob("*") if file.suffix in (".html", ".txt")]
    return sorted(file.relative_to(TEMPLATES).as_posix() for file in files)


# Commands ------------------------------------------------------------------------------------


def commands() -> str:
    """Return a section for each management command, made from its help."""
    return "\n\n".join(map(_command, command_names()))


def command_names() -> list[str]:
    """Return the names of the app's management commands."""
    folder = str(PACKAGE / "management/commands")
    return [module.name for module in pkgutil.iter_modules([folder])]


def _command(name: str) -> str:
    command = load_command_class("django_bandwidth_mfa", name)
    # Django's own arguments, such as --settings, are those of every command.
    djangos = {action.dest for action in BaseCommand().create_parser("", "")._actions}
    parser = command.create_parser("manage.py", name)
    own = [action for action in parser._actions if action.dest not in djangos]
    formatter = parser._get_formatter()
    usage = " ".join(["manage.py", name, *map(_argument_in_usage, own)])
    rows = [
        f"| {', '.join(f'`{option}`' for option in action.option_strings or [action.dest])} "
        f"| {_plain(formatter._expand_help(action)) if action.help else ''} |"
        for action in own
    ]
    table = ["", "| argument | meaning |", "| --- | --- |", *rows] if rows else []
    return "\n".join([f"## {name}", "", "```sh", usage, "```", "", _plain(command.help), *table])


def _argument_in_usage(action: Action) -> str:
    value = action.metavar or (action.dest if not action.choices else "|".join(action.choices))
    if not action.option_strings:
        return str(value) if action.required else f"[{value}]"
    takes_value = action.nargs != 0
    text = action.option_strings[-1] + (f" {str(value).upper()}" if takes_value else "")
    return text if action.required else f"[{text}]"


# Python --------------------------------------------------------------------------------------

# Not modules that somebody imports from.
PRIVATE = {"contrib", "internal", "management", "migrations"}


def python() -> str:
    """Return a section for each public module, for Sphinx's autodoc."""
    return "\n\n".join(
        f"## {module}\n\n```{{eval-rst}}\n.. automodule:: {module}\n   :members:\n```"
        for module in public_modules()
    )


def public_modules() -> list[str]:
    """Return the dotted paths of the public modules that have public names."""
    modules = [module.name for module in pkgutil.iter_modules([str(PACKAGE)])]
    paths = [f"{PACKAGE.name}.{name}" for name in sorted(set(modules) - PRIVATE)]
    return [path for path in paths if getattr(importlib.import_module(path), "__all__", [])]


# What several parts use ----------------------------------------------------------------------


def _table_of_docstring(module: object) -> dict[str, str]:
    """Return the rows of the simple table in the docstring of a module: the name, the meaning."""
    _before, table, _after = re.split(r"^=+ +=+(?:\n|$)", inspect.getdoc(module) or "", flags=re.M)
    rows: dict[str, str] = {}
    name = ""
    for line in table.splitlines():
        start = re.match(r"``([\w.]+)`` +", line)
        if start:
            name, line = start[1], line[start.end() :]
        rows[name] = f"{rows.get(name, '')} {line}"
    return {name: _markdown(" ".join(text.split())) for name, text in rows.items()}


def _first_paragraph(value: object) -> str:
    # Its own docstring, and not that of its base class.
    text = inspect.cleandoc(getattr(value, "__doc__", None) or "")
    return _markdown(" ".join(text.partition("\n\n")[0].split()))


def _markdown(text: str) -> str:
    """Turn the simple reST of docstrings into Markdown."""
    return re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text).replace("``", "`")


def _plain(text: str) -> str:
    """Escape the characters that Markdown would read as marks, in a text for the terminal."""
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", text)


PARTS: dict[str, Callable[[], str]] = {
    "settings": settings,
    "checks": system_checks,
    "signals": all_signals,
    "events": log_events,
    "urls": url_names,
    "templates": templates,
    "commands": commands,
    "python": python,
}
