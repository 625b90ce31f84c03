"""Which views are found in a URLconf, behind includes and decorators."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from types import ModuleType
from typing import Any

import pytest
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.urls import include, path, re_path
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from django_bandwidth_mfa.decorators import mfa_required
from django_bandwidth_mfa.internal.doors import find_doors
from django_bandwidth_mfa.internal.doors.finders import _stands_open
from django_bandwidth_mfa.internal.doors.urlconf import RoutedView, is_subclass, routed_views


class Page(View):
    greeting = "hello"

    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(self.greeting)


class Special(Page):
    pass


def function(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def forgetful(view: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that does not use ``functools.wraps``."""
    return lambda request: view(request)


def dispatching(**views: Callable[..., Any]) -> Callable[..., Any]:
    get, post = views["get"], views["post"]

    def choose(request: HttpRequest) -> Any:
        return get(request) if request.method == "GET" else post(request)

    return choose


class Site:
    """A view that is a method."""

    def around(self, view: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(view)
        def inner(request: HttpRequest) -> Any:
            return view(request)

        return inner


def views_of(settings: Any, *patterns: Any) -> list[tuple[str, object]]:
    urlconf = ModuleType("tests.a_urlconf")
    urlconf.urlpatterns = list(patterns)  # type: ignore[attr-defined]
    settings.ROOT_URLCONF = urlconf
    return [(view.address, view.view) for view in routed_views()]


@pytest.mark.parametrize(
    "view",
    [
        Page.as_view(),
        csrf_exempt(Page.as_view()),
        login_required(csrf_exempt(Page.as_view())),
        mfa_required(max_age=60)(Page.as_view()),
        partial(Page.as_view()),
        partial(forgetful(Page.as_view())),
        forgetful(forgetful(login_required(Page.as_view()))),
        Site().around(Page.as_view()),
    ],
    ids=["bare", "exempt", "two", "mfa", "partial", "partial of one", "forgetful", "method"],
)
def test_a_view_is_found_below_what_is_around_it(settings: Any, view: Any) -> None:
    """Fails when the search does not look into closures, or into ``partial``."""
    assert views_of(settings, path("page/", view)) == [("/page/", Page)]


def test_both_views_of_a_function_that_chooses_are_found(settings: Any) -> None:
    """Fails when the search ends with the first class."""
    chosen = dispatching(get=Page.as_view(), post=Special.as_view())
    assert views_of(settings, path("x/", chosen)) == [("/x/", Page), ("/x/", Special)]


def test_included_patterns_have_the_whole_address(settings: Any) -> None:
    deeper = path("b/", include([re_path(r"^c/(?P<n>\\d+)$", Page.as_view())]))
    assert views_of(settings, path("a/", include([deeper])), path("f/", function)) == [
        (r"/a/b/c/(?P<n>\\d+)", Page)
    ]


def test_what_as_view_was_given_counts_before_the_class(settings: Any) -> None:
    """Fails when only the attributes of the class are read, and not the arguments of
    ``as_view``."""
    views_of(settings, path("", Page.as_view(greeting="bye")), path("x/", Page.as_view()))
    assert [view.option("greeting") for view in routed_views()] == ["bye", "hello"]


def test_a_urlconf_that_cannot_be_read_holds_no_view_and_raises_nothing(settings: Any) -> None:
    """Fails when the error is raised: Django's own check reports it, and more clearly."""
    settings.ROOT_URLCONF = "tests.nothing.here"
    assert list(routed_views()) == []
    assert find_doors() == []
    del settings.ROOT_URLCONF
    assert list(routed_views()) == []


def test_a_class_is_known_by_its_dotted_path_and_by_its_parents() -> None:
    assert is_subclass(Special, f"{__name__}.Page")
    assert not is_subclass(Page, f"{__name__}.Special")
    assert not is_subclass(Page(), f"{__name__}.Page")


def test_a_view_whose_package_cannot_be_asked_is_named() -> None:
    """Fails when an error hides the door: the next release of the package may keep its settings
    elsewhere."""

    def asks(view: RoutedView) -> bool:
        raise AttributeError("settings that are kept elsewhere")

    assert _stands_open(asks, RoutedView("/", Page, {}))


def test_the_urlconf_of_the_test_site_has_no_door() -> None:
    assert list(routed_views())
    assert find_doors() == []
