"""Find the views of the URLconf, also inside decorators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import FunctionType, MethodType

from django.urls import URLPattern, URLResolver, get_resolver

# The most wrappers around one view that are examined.
MOST_LAYERS = 50


@dataclass(frozen=True)
class RoutedView:
    """A view of the URLconf."""

    address: str
    """The route as written in the patterns: ``"/api/token/"``."""
    view: object
    """The class of the view, or an operation of django-ninja."""
    options: Mapping[str, object]
    """The arguments of ``as_view()``."""

    @property
    def path(self) -> str:
        """The dotted path of the view."""
        return dotted_path(getattr(self.view, "view_func", self.view))

    def option(self, name: str) -> object:
        """Return the value of an attribute of the view, as in a request; None if it is missing."""
        return self.options.get(name, getattr(self.view, name, None))

    def is_a(self, *parents: str) -> bool:
        """Return whether the view is a class with one of these dotted paths, or a subclass."""
        return isinstance(self.view, type) and is_subclass(self.view, *parents)


def dotted_path(value: object) -> str:
    """Return the dotted path of a class or function, or of the class of any other object."""
    named = value if isinstance(value, type | FunctionType) else type(value)
    name = named.__qualname__
    # For a function view, REST framework creates a class with the name of the function, but with
    # another `__qualname__`.
    if not name.endswith(named.__name__):
        name = named.__name__
    return f"{named.__module__}.{name}"


def is_subclass(value: object, *parents: str) -> bool:
    """Return whether ``value`` is one of the classes ``parents``, or a subclass of one.

    Classes are compared by their dotted paths, so no package has to be imported or installed.
    """
    return isinstance(value, type) and any(dotted_path(one) in parents for one in value.__mro__)


def routed_views() -> Iterator[RoutedView]:
    """Yield the class-based views, REST framework's and django-ninja's, of ``ROOT_URLCONF``.

    For a URLconf that cannot be imported it yields nothing: Django's own check reports the error.
    """
    # A URLconf is code of the site, which can raise any error.
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
    views: list[object] = []
    for layer in _layers(callback):
        # REST framework keeps the class as `cls`, Django as `view_class`.
        view = getattr(layer, "cls", None) or getattr(layer, "view_class", None)
        if isinstance(view, type) and view not in views:
            views.append(view)
            # as_view() of REST framework and of Django keep the arguments under these names.
            options = getattr(layer, "initkwargs", None) or getattr(layer, "view_initkwargs", None)
            yield RoutedView(address, view, options or {})
        if is_subclass(type(layer), "ninja.operation.PathView"):
            for operation in getattr(layer, "operations", []):
                yield RoutedView(address, operation, {})


def _layers(callback: object) -> Iterator[object]:
    """Yield ``callback`` and the functions that it wraps, from the outside to the inside.

    Decorators with ``functools.wraps`` have an attribute for the wrapped function.  Other
    decorators, and django-ninja, keep the view in their closure.
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


def _may_be_a_view(value: object) -> bool:
    return isinstance(value, FunctionType | MethodType | partial) or is_subclass(
        type(value), "ninja.operation.PathView"
    )
