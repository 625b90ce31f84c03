"""Redirects: which targets are allowed, and where a page leads."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import global_settings
from django.conf import settings as django_settings
from django.contrib.auth.views import LoginView, redirect_to_login
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, resolve_url
from django.urls import (
    NoReverseMatch,
    Resolver404,
    ResolverMatch,
    URLResolver,
    get_resolver,
    get_script_prefix,
    get_urlconf,
    resolve,
    reverse,
)
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import get_language

from ...types import User
from ..phones.source import phone_source

# Which targets are allowed -----------------------------------------------------------------------


def is_local(request: HttpRequest, url: str) -> bool:
    """Return whether ``url`` is an address of this site.

    An open redirect would help phishing, because its link begins with the address of this site.  A
    text that is not a URL is refused, too, since Django's ``redirect()`` would look for a view with
    this name.
    """
    if not url.startswith(("/", "http://", "https://")) or not _is_encodable(url):
        return False
    return url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )


def _is_encodable(url: str) -> bool:
    """Return whether ``url`` can be encoded.

    A request in an unusual charset can contain lone surrogates, which cannot.
    """
    try:
        url.encode()
    except UnicodeEncodeError:
        return False
    return True


# Where a page leads ------------------------------------------------------------------------------


def next_of(request: HttpRequest) -> str:
    """Return the parameter ``next`` of the request; an empty text unless it is on this site."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    return wanted if is_local(request, wanted) else ""


def next_or_default(request: HttpRequest) -> str:
    """Return ``next``, or :func:`default_page` if there is none."""
    wanted = next_of(request)
    return page_that_is_there(request, wanted) if wanted else default_page(request)


def default_page(request: HttpRequest) -> str:
    """Return ``LOGIN_REDIRECT_URL``, or another page (see :func:`page_that_is_there`)."""
    return page_that_is_there(request, resolve_url(django_settings.LOGIN_REDIRECT_URL))


def page_that_is_there(request: HttpRequest, url: str) -> str:
    """Return ``url``; another page if ``url`` is Django's default and does not exist.

    Django's default of ``LOGIN_REDIRECT_URL`` is ``/accounts/profile/``, which few sites have.  The
    other page is ``/``, or the page of the user's phones if there is no ``/``.

    A URL that the site itself has set is returned unchanged: another program may answer there.
    """
    unset = global_settings.LOGIN_REDIRECT_URL
    if url != unset or unset != django_settings.LOGIN_REDIRECT_URL:
        return url
    urlconf = getattr(request, "urlconf", None)
    for candidate in (url, get_script_prefix()):
        if match_of(candidate, urlconf) is not None:
            return candidate
    return reverse("bandwidth_mfa:phones")


def match_of(path: str, urlconf: str | None = None) -> ResolverMatch | None:
    """Return the match of the view that answers at ``path``; None if there is no such view.

    :param path: the path, including the prefix of the site (``FORCE_SCRIPT_NAME``).
    :param urlconf: the URLconf of the request; None for ``ROOT_URLCONF``.
    """
    try:
        return resolve("/" + path.removeprefix(get_script_prefix()), urlconf)
    except Resolver404:
        return None


def with_next(name: str, next_: str) -> str:
    """Return the URL of our page ``name``, with the parameter ``next``."""
    url = reverse(f"bandwidth_mfa:{name}")
    if not next_:
        return url
    query = QueryDict(mutable=True)
    query["next"] = next_
    return f"{url}?{query.urlencode(safe='/')}"


def redirect_to_second_factor(user: User | None, here: str) -> HttpResponse:
    """Return a redirect to the next page that a visitor needs to become verified.

    An anonymous visitor is redirected to the login page, a user without a phone to the page that
    adds one, and any other user to the code page.

    :param user: the pending or signed-in user; None for an anonymous visitor.
    :param here: the URL to which these pages lead back.
    """
    if user is None:
        return redirect_to_login(here, login_url())
    page = "verify" if phone_source().has_confirmed(user) else "phone_add"
    return redirect(with_next(page, here))


# Login pages -------------------------------------------------------------------------------------


def _login_setting() -> str:
    """Return the URL of ``LOGIN_URL``.

    The result is cached by everything that it depends on.  A lazy ``LOGIN_URL`` may depend on
    anything, so it is not cached.
    """
    setting = django_settings.LOGIN_URL
    if not isinstance(setting, str):
        return resolve_url(setting)
    return _resolve_login(setting, get_resolver(get_urlconf()), get_script_prefix(), get_language())


# Django creates the resolver of a URLconf once, and again after `clear_url_caches()`.
@lru_cache(maxsize=512)
def _resolve_login(setting: str, resolver: URLResolver, prefix: str, language: str | None) -> str:
    return resolve_url(setting)


def login_url() -> str:
    """Return the URL of the login page.

    It is ``LOGIN_URL``.  If there is no such page, it is the admin's login page: some sites have no
    other one, and leave the setting alone.
    """
    url = _login_setting()
    split = urlsplit(url)
    if split.netloc or match_of(split.path) is not None:
        return url
    try:
        return reverse("admin:login")
    except NoReverseMatch:
        return url


def is_login_page(path: str, match: ResolverMatch | None) -> bool:
    """Return whether it is a login page: ``LOGIN_URL``, Django's login view, or an admin's."""
    return _is_at_login_url(path) or _is_login_view(match)


def _is_at_login_url(path: str) -> bool:
    try:
        return path == _login_setting()
    except NoReverseMatch:
        # The URLconf of this request may have no view with this name.
        return False


def is_login_url_lazy() -> bool:
    """Return whether ``LOGIN_URL`` is lazy, so that reading it runs code of the site."""
    return not isinstance(django_settings.LOGIN_URL, str)


def is_for_login_page(request: HttpRequest) -> bool:
    """Return whether ``request`` is for a login page (see :func:`is_login_page`).

    It runs for each GET, and resolving ``LOGIN_URL`` takes as long as the rest of the middleware.
    So ``LOGIN_URL`` is resolved only if the path has the same ending.

    :param request: a request whose URL has been resolved.
    """
    setting = django_settings.LOGIN_URL
    if isinstance(setting, str):
        resolver = get_resolver(getattr(request, "urlconf", None))
        end = _end_of_login(setting, resolver)
        if end is None:
            end = _end_in_language(setting, resolver, get_language())
        if not request.path.endswith(end):
            return _is_login_view(request.resolver_match)
    return is_login_page(request.path, request.resolver_match)


@lru_cache(maxsize=512)
def _end_of_login(setting: str, resolver: URLResolver) -> str | None:
    """Return the end of the URL of ``LOGIN_URL``; None if it may depend on the language."""
    return None if _depends_on_language(resolver) else _end(setting, resolver)


@lru_cache(maxsize=512)
def _end_in_language(setting: str, resolver: URLResolver, language: str | None) -> str:
    return _end(setting, resolver)


def _end(setting: str, resolver: URLResolver) -> str:
    """Return the URL of ``LOGIN_URL`` without the prefix of the site (``FORCE_SCRIPT_NAME``)."""
    urlconf: Any = resolver.urlconf_name
    try:
        return reverse(setting, urlconf).removeprefix(get_script_prefix())
    except NoReverseMatch:
        return setting


def _depends_on_language(resolver: URLResolver) -> bool:
    """Return whether a URL of this URLconf may depend on the language.

    This is the case with ``i18n_patterns``, with translated routes, and with patterns that are
    neither ``path()`` nor ``re_path()``.
    """
    patterns: list[Any] = [resolver]
    seen: set[int] = set()
    while patterns:
        pattern = patterns.pop()
        text = getattr(pattern.pattern, "_route", getattr(pattern.pattern, "_regex", None))
        # A translated route is a lazy text, not a string.
        if not isinstance(text, str):
            return True
        # A URLconf may include itself.
        if isinstance(pattern, URLResolver) and id(pattern) not in seen:
            seen.add(id(pattern))
            patterns.extend(pattern.url_patterns)
    return False


def _is_login_view(match: ResolverMatch | None) -> bool:
    """Return whether the view of ``match`` is a login view of Django or of an admin."""
    if match is None:
        return False
    if match.url_name == "login" and "admin" in match.app_names:
        return True
    view_class = getattr(match.func, "view_class", None)
    return isinstance(view_class, type) and issubclass(view_class, LoginView)


def target_of_login(request: HttpRequest, location: str) -> str:
    """Return the final target of a login view's redirect.

    The redirect is the site's own, so its target is not checked with :func:`is_local`.  If it leads
    to a login page, the ``next`` of that page is checked, because it may come from the browser.

    :param location: the absolute path, or the URL, to which the login view redirects.
    """
    split = urlsplit(location)
    if split.netloc not in ("", request.get_host()):
        return location
    match = match_of(split.path, getattr(request, "urlconf", None))
    if not is_login_page(split.path, match):
        return location
    wanted = parse_qs(split.query).get("next", [""])[-1]
    return wanted if is_local(request, wanted) else ""
