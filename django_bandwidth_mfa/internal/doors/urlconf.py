"""The views of the URLconf, found below the decorators around them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import FunctionType, MethodType

from django.urls import URLPattern, URLResolver, get_resolver

# The most wrappers that are looked below, around one view.
MOST_LAYERS = 50


@dataclass(frozen=True)
class RoutedView:
    """A view of the URLconf."""

    address: str
    """The route as the patterns spell it: ``"/api/token/"``."""
    view: object
    """The view's class, or django-ninja's operation."""
    options: Mapping[str, object]
    """What ``as_view()`` was called with."""

    @property
    def path(self) -> str:
        """The dotted path of the view."""
        return dotted_path(getattr(self.view, "view_func", self.view))

    def option(self, name: str) -> object:
        """The value of an attribute of the view, as requests see it; None if there is none."""
        return self.options.get(name, getattr(self.view, name, None))

    def is_a(self, *parents: str) -> bool:
        """Return whether the view is one of the classes with these dotted paths, or inherits from
        one."""
        return isinstance(self.view, type) and is_subclass(self.view, *parents)


def dotted_path(found: object) -> str:
    """The dotted path of a class or function."""
    named = found if isinstance(found, type | FunctionType) else type(found)
    name = named.__qualname__
    # REST framework gives the class behind a function the function's name, and no `__qualname__`.
    if not name.endswith(named.__name__):
        name = named.__name__
    return f"{named.__module__}.{name}"


def is_subclass(found: object, *parents: str) -> bool:
    """Return whether ``found`` is a class that inherits from one of ``parents``, or is one of them.

    Classes are compared by their dotted paths.  So no package has to be imported for it, and none
    has to be installed.
    """
    return isinstance(found, type) and any(dotted_path(one) in parents for one in found.__mro__)


def routed_views() -> Iterator[RoutedView]:
    """Yield the class-based views, REST framework's and django-ninja's, of ``ROOT_URLCONF``.

    A URLconf that cannot be imported holds none: Django's own check tells what is wrong with it.
    """
    # Any error: a URLconf is code of the site.
    with suppress(Exception):
        yield from _below(get_resolver(), "/")


def _below(resolver: URLResolver, prefix: str) -> Iterator[RoutedView]:
    for pattern in resolver.url_patterns:
        route = str(pattern.pattern).removeprefix("^")
        address = (prefix + route).replace("//", "/")
        if isinstance(pattern, URLResolver):
            with suppress(Exception):
                yield from _below(pattern, address)
        elif isinstance(pattern, URLPattern):
            yield from _views_in(pattern.callback, address.removesuffix("$"))


def _views_in(callback: object, address: str) -> Iterator[RoutedView]:
    found: list[object] = []
    for layer in _layers(callback):
        # REST framework names the class `cls`, Django `view_class`.
        view = getattr(layer, "cls", None) or getattr(layer, "view_class", None)
        if isinstance(view, type) and view not in found:
            found.append(view)
            # REST framework's as_view() and Django's keep its arguments under these names.
            options = getattr(layer, "initkwargs", None) or getattr(layer, "view_initkwargs", None)
            yield RoutedView(address, view, options or {})
        if is_subclass(type(layer), "ninja.operation.PathView"):
            for operation in getattr(layer, "operations", []):
                yield RoutedView(address, operation, {})


def _layers(callback: object) -> Iterator[object]:
    """Yield ``callback`` and what it wraps, from the outside to the inside.

    Decorators that use ``functools.wraps`` say what they wrap.  Others keep the view in their
    closure, and so does django-ninja.
    """
    waiting, seen = [callback], set[int]()
    while waiting and len(seen) < MOST_LAYERS:
        layer = waiting.pop(0)
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        yield layer
        waiting += [inner for inner in _inside(layer) if _may_be_a_view(inner)]


def _inside(layer: object) -> Iterator[object]:
    if isinstance(layer, partial):
        yield layer.func
    if isinstance(layer, MethodType):
        yield layer.__func__
        yield layer.__self__
    yield getattr(layer, "__wrapped__", None)
    for cell in getattr(layer, "__closure__", None) or ():
        with suppress(ValueError):  # an empty cell
            yield cell.cell_contents


def _may_be_a_view(found: object) -> bool:
    return isinstance(found, FunctionType | MethodType | partial) or is_subclass(
        type(found), "ninja.operation.PathView"
    )
