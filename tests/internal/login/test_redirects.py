"""Which page is the login page, for each setting and each URLconf of a request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory, override_settings
from django.urls import (
    NoReverseMatch,
    clear_url_caches,
    include,
    path,
    set_script_prefix,
    set_urlconf,
)
from django.utils import translation
from django.utils.functional import lazystr
from django.utils.translation import get_language

from django_bandwidth_mfa.internal.login.redirects import (
    is_for_login_page,
    is_login_page,
    login_url,
)


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("page")


class Elsewhere:
    """A URLconf in which the login page has another address."""

    urlpatterns = (path("elsewhere/", page, name="login"),)


class WithoutLogin:
    """A URLconf without a login page."""

    urlpatterns = (path("page/", page, name="page"),)


class AtTheRoot:
    """A URLconf in which the login page is the first page of the site."""

    urlpatterns = (path("", page, name="login"), path("page/", page))


class InTwoLanguages:
    """A URLconf whose addresses begin with the language."""

    urlpatterns = i18n_patterns(path("entry/", page, name="login"))


class Entry:
    """A route as ``gettext_lazy`` makes it, with its translation."""

    def __str__(self) -> str:
        return "entrada/" if get_language() == "es" else "entry/"


class Translated:
    """A URLconf with a translated route below a route that is not translated."""

    urlpatterns = (path("in/", include([path(lazystr(Entry()), page, name="login")])),)


def is_at(address: str, urlconf: Any = None) -> bool:
    """Return whether ``address`` is a login page. Checks that both functions agree: the fast one,
    and the one that needs no request.

    :param urlconf: the URLconf of the request; Django activates it, and so does this function.
    """
    request: Any = RequestFactory().get(address)
    request.resolver_match = None
    if urlconf is not None:
        request.urlconf = urlconf
    set_urlconf(urlconf)
    try:
        result = is_for_login_page(request)
        assert result is is_login_page(address, None)
    finally:
        set_urlconf(None)
    return result


@pytest.fixture
def script_prefix() -> Iterator[Any]:
    yield set_script_prefix
    set_script_prefix("/")


def test_the_login_page_follows_the_setting() -> None:
    """Fails when the cached address does not depend on the setting."""
    with override_settings(LOGIN_URL="login"):
        assert is_at("/accounts/login/")
    with override_settings(LOGIN_URL="/somewhere/"):
        assert is_at("/somewhere/")
        assert not is_at("/accounts/login/")
    with override_settings(LOGIN_URL="login"):
        assert is_at("/accounts/login/")
        assert not is_at("/somewhere/")


def test_the_login_page_follows_the_urlconf_of_the_site_and_of_the_request() -> None:
    """Fails when the cached address does not depend on the URLconf."""
    with override_settings(LOGIN_URL="login"):
        assert is_at("/accounts/login/")
        with override_settings(ROOT_URLCONF=Elsewhere):
            assert is_at("/elsewhere/")
            assert not is_at("/accounts/login/")
        assert is_at("/elsewhere/", Elsewhere)
        assert not is_at("/accounts/login/", Elsewhere)
        assert is_at("/accounts/login/")


def test_the_login_page_follows_the_language() -> None:
    """Fails when the cached address does not depend on the language."""
    with override_settings(LOGIN_URL="login", ROOT_URLCONF=InTwoLanguages):
        for language, other in (("en", "es"), ("es", "en"), ("en", "es")):
            with translation.override(language):
                assert is_at(f"/{language}/entry/")
                assert not is_at(f"/{other}/entry/")


def test_the_login_page_follows_the_translation_of_its_route() -> None:
    """Fails when only ``i18n_patterns`` count as dependent on the language."""
    with override_settings(LOGIN_URL="login"):
        for language, address in (("en", "/in/entry/"), ("es", "/in/entrada/")) * 2:
            with translation.override(language):
                assert is_at(address, Translated)
                assert not is_at("/in/", Translated)
                assert is_at("/in/entry/", Translated) is (language == "en")


def test_the_login_page_follows_the_prefix_of_the_site(script_prefix: Any) -> None:
    """Fails when the script prefix is cached together with the rest of the address."""

    class Prefixed:
        urlpatterns = (path("entry/", page, name="login"),)

    with override_settings(LOGIN_URL="login", ROOT_URLCONF=Prefixed):
        for prefix in ("/site/", "/", "/site/"):
            script_prefix(prefix)
            assert is_at(f"{prefix}entry/")
            assert is_at("/entry/") is (prefix == "/")
            assert not is_at("/other/entry/")


def test_the_login_page_follows_a_urlconf_that_was_changed() -> None:
    """Fails when the cache key is the name of the URLconf: ``clear_url_caches()`` clears Django's
    own caches."""

    class Changing:
        urlpatterns = (path("first/", page, name="login"),)

    with override_settings(LOGIN_URL="login", ROOT_URLCONF=Changing):
        assert is_at("/first/")
        Changing.urlpatterns = (path("second/", page, name="login"),)
        clear_url_caches()
        assert is_at("/second/")
        assert not is_at("/first/")


def test_a_lazy_setting_is_asked_each_time() -> None:
    """Fails when the first value of a lazy text is cached."""
    addresses = iter(["/first/", "/second/"] * 2)

    class Next:
        def __str__(self) -> str:
            return next(addresses)

    with override_settings(LOGIN_URL=lazystr(Next())):
        assert not is_login_page("/second/", None)
        assert is_login_page("/second/", None)
        request = RequestFactory().get("/second/")
        request.resolver_match = None
        assert not is_for_login_page(request)
        assert is_for_login_page(request)


def test_a_login_page_can_be_the_first_page_of_the_site() -> None:
    with override_settings(LOGIN_URL="login"):
        assert is_at("/", AtTheRoot)
        assert not is_at("/page/", AtTheRoot)


def test_a_urlconf_without_that_name_has_no_login_page() -> None:
    """Fails when a missing name raises an error: each page of such a URLconf would answer 500."""
    with override_settings(LOGIN_URL="login"):
        assert not is_at("/page/", WithoutLogin)
        assert not is_at("/login", WithoutLogin)
        assert is_at("/accounts/login/")
    # The page that needs the address says what is wrong, as Django does.
    with (
        override_settings(LOGIN_URL="login", ROOT_URLCONF=WithoutLogin),
        pytest.raises(NoReverseMatch),
    ):
        login_url()


def test_a_login_page_elsewhere_is_no_page_of_this_site() -> None:
    with override_settings(LOGIN_URL="https://sso.example/login/"):
        assert not is_at("/login/")
        assert not is_at("/accounts/login/")
