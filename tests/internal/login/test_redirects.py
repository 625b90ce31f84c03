"""Which page is the login page, whatever the settings and the URLconf of a request."""

from __future__ import annotations

from typing import Any

from django.conf.urls.i18n import i18n_patterns
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path, set_urlconf
from django.utils import translation

from django_bandwidth_mfa.internal.login.redirects import is_login_page


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("page")


class Elsewhere:
    """A URLconf in which the login page has another address."""

    urlpatterns = (path("elsewhere/", page, name="login"),)


class InTwoLanguages:
    """A URLconf whose addresses begin with the language."""

    urlpatterns = i18n_patterns(path("entry/", page, name="login"))


def is_at(address: str) -> bool:
    return is_login_page(address, None)


def test_the_login_page_follows_the_setting() -> None:
    """Fails when its address is kept without a look at the setting."""
    with override_settings(LOGIN_URL="login"):
        assert is_at("/accounts/login/")
    with override_settings(LOGIN_URL="/somewhere/"):
        assert is_at("/somewhere/")
        assert not is_at("/accounts/login/")


def test_the_login_page_follows_the_urlconf_of_the_site_and_of_the_request() -> None:
    """Fails when its address is kept without a look at the URLconf."""
    with override_settings(LOGIN_URL="login"):
        assert is_at("/accounts/login/")
        with override_settings(ROOT_URLCONF=Elsewhere):
            assert is_at("/elsewhere/")
        other: Any = Elsewhere
        set_urlconf(other)
        try:
            assert is_at("/elsewhere/")
        finally:
            set_urlconf(None)
        assert is_at("/accounts/login/")


def test_the_login_page_follows_the_language() -> None:
    """Fails when its address is kept without a look at the language."""
    with override_settings(LOGIN_URL="login", ROOT_URLCONF=InTwoLanguages):
        for language in ("en", "es"):
            with translation.override(language):
                assert is_at(f"/{language}/entry/")
