"""Describe the public names: each public module, its names, and their signatures.

``python -m tests.public_api`` writes the description to ``tests/public_api.txt``.  A test compares
the two, so the diff of that file shows each change of a public name.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.dispatch import Signal

FILE = Path(__file__).with_name("public_api.txt")
PACKAGE = "django_bandwidth_mfa"

# Not public, except `contrib`, whose modules need other packages.
PRIVATE = {"contrib", "internal", "management", "migrations"}

# Names that Django adds to a class.
DJANGOS = re.compile(
    r"_.*|objects|DoesNotExist|MultipleObjectsReturned|NotUpdated|get_(next|previous)_by_.*"
    r"|base_fields|declared_fields|media"
)


def describe() -> str:
    """Return the whole description."""
    return "\n".join(line for module in public_modules() for line in _module(module)) + "\n"


def public_modules() -> list[str]:
    """Return the dotted paths of the public modules and packages."""
    package = importlib.import_module(PACKAGE)
    names = {module.name for module in pkgutil.iter_modules(package.__path__)}
    return [PACKAGE, *(f"{PACKAGE}.{name}" for name in sorted(names - PRIVATE))]


def _module(path: str) -> Iterator[str]:
    module = importlib.import_module(path)
    yield path
    for name in sorted(module.__all__):
        yield from _name(name, getattr(module, name))
    yield ""


def _name(name: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value):
        yield f"    class {name}({', '.join(base.__name__ for base in value.__bases__)})"
        if value.__module__.startswith(PACKAGE):
            yield from _members(value)
    elif inspect.isroutine(value):
        yield f"    {_function(name, value)}"
    elif isinstance(value, Signal):
        yield f"    {name}: Signal"
    else:
        yield f"    {name}: {type(value).__name__}"


def _members(kind: type) -> Iterator[str]:
    """Describe the public names that the class itself adds."""
    if "__init__" in vars(kind):
        yield f"        {_function('__init__', vars(kind)['__init__'])}"
    names = dict.fromkeys([*vars(kind).get("__annotations__", {}), *vars(kind)])
    for name in sorted(names):
        if DJANGOS.fullmatch(name):
            continue
        value = inspect.getattr_static(kind, name, None)
        if isinstance(value, (classmethod, staticmethod)):
            value = value.__func__
        if inspect.isfunction(value):
            yield f"        {_function(name, value)}"
        elif name in vars(kind).get("__annotations__", {}):
            yield f"        {name}: {vars(kind)['__annotations__'][name]}"
        else:
            yield f"        {name}"


def _function(name: str, function: Any) -> str:
    prefix = "async def" if inspect.iscoroutinefunction(function) else "def"
    signature = str(inspect.signature(function))
    # Remove the quotes that "from __future__ import annotations" puts around annotations.
    return f"{prefix} {name}" + re.sub(r"(: |-> )'([^']*)'", r"\1\2", signature)


def main() -> None:
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    FILE.write_text(describe())


if __name__ == "__main__":
    main()
