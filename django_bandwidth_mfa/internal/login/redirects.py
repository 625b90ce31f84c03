"""Where a browser may be sent, and where it goes next."""

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

    An open redirect would lend our name to a phisher.  A text that is no address at all is refused
    too, since Django might take it for the name of a view.
    """
    if not url.startswith(("/", "http://", "https://")) or not _is_encodable(url):
        return False
    return url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )


def _is_encodable(url: str) -> bool:
    """Return whether ``url`` can be encoded.  A request in an odd charset can hold lone
    surrogates."""
    try:
        url.encode()
    except UnicodeEncodeError:
        return False
    return True


# Where a page leads ------------------------------------------------------------------------------


def next_of(request: HttpRequest) -> str:
    """Return the ``next`` that the browser names; an empty text unless it is on this site."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    return wanted if is_local(request, wanted) else ""


def next_or_default(request: HttpRequest) -> str:
    """Return ``next``, or :func:`default_page` if there is none."""
    wanted = next_of(request)
    return page_that_is_there(request, wanted) if wanted else default_page(request)


def default_page(request: HttpRequest) -> str:
    """Return ``LOGIN_REDIRECT_URL``, or the page in its place."""
    return page_that_is_there(request, resolve_url(django_settings.LOGIN_REDIRECT_URL))


def page_that_is_there(request: HttpRequest, url: str) -> str:
    """Return ``url``, or another page if ``url`` is Django's own default and leads nowhere.

    Django's default of ``LOGIN_REDIRECT_URL`` is ``/accounts/profile/``, which few sites have.  The
    other page is ``/``, or the page of the user's phones if there is no ``/``.

    An address that the site chose itself stays: another program may answer there.
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
    """Return the view that answers at ``path``; None if there is no such view.

    :param path: with the prefix under which the site is served (``FORCE_SCRIPT_NAME``).
    :param urlconf: a request's own URLs; None for ``ROOT_URLCONF``.
    """
    try:
        return resolve("/" + path.removeprefix(get_script_prefix()), urlconf)
    except Resolver404:
        return None


def with_next(name: str, next_: str) -> str:
    """Return the address of our page ``name``, which leads on to ``next_``."""
    url = reverse(f"bandwidth_mfa:{name}")
    if not next_:
        return url
    query = QueryDict(mutable=True)
    query["next"] = next_
    return f"{url}?{query.urlencode(safe='/')}"


def redirect_to_second_factor(user: User | None, here: str) -> HttpResponse:
    """Return a redirect to the next page that a visitor needs to become verified.

    An anonymous visitor is led to the login page, a user without a phone to the page that adds one,
    and any other user to the code page.

    :param user: who has given a password at least; None for an anonymous visitor.
    :param here: where they come back to.
    """
    if user is None:
        return redirect_to_login(here, login_url())
    page = "verify" if phone_source().has_confirmed(user) else "phone_add"
    return redirect(with_next(page, here))


# Login pages -------------------------------------------------------------------------------------


def _login_setting() -> str:
    """Return the address that ``LOGIN_URL`` means.

    What it depends on is the key of a cache.  A lazy text may depend on anything, and is asked.
    """
    setting = django_settings.LOGIN_URL
    if not isinstance(setting, str):
        return resolve_url(setting)
    return _resolve_login(setting, get_resolver(get_urlconf()), get_script_prefix(), get_language())


# Django makes the resolver of a URLconf once, and anew after `clear_url_caches()`.
@lru_cache(maxsize=512)
def _resolve_login(setting: str, resolver: URLResolver, prefix: str, language: str | None) -> str:
    return resolve_url(setting)


def login_url() -> str:
    """Return the address of the login page.

    It is ``LOGIN_URL``.  If that leads nowhere, as on a site that left it alone and has no login
    page but the admin's, it is the admin's login page.
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
    """Return whether people type passwords there: ``LOGIN_URL``, Django's login view, or an
    admin's."""
    return _is_at_login_url(path) or _is_login_view(match)


def _is_at_login_url(path: str) -> bool:
    try:
        return path == _login_setting()
    except NoReverseMatch:
        # The URLconf of this request may have no page of that name.
        return False


def is_login_url_lazy() -> bool:
    """Return whether ``LOGIN_URL`` is no plain text, so that code of the site says what it
    means."""
    return not isinstance(django_settings.LOGIN_URL, str)


def is_for_login_page(request: HttpRequest) -> bool:
    """Return whether ``request`` is for a login page, as :func:`is_login_page` says.

    Each GET asks, and to find out which address is in force takes as long as all else that the
    middleware does.  So it is found out only for a path that ends like that address.

    :param request: its view has been found.
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
    """Return how the address of ``LOGIN_URL`` ends; None if that may depend on the language."""
    return None if _depends_on_language(resolver) else _end(setting, resolver)


@lru_cache(maxsize=512)
def _end_in_language(setting: str, resolver: URLResolver, language: str | None) -> str:
    return _end(setting, resolver)


def _end(setting: str, resolver: URLResolver) -> str:
    """Return the address of ``LOGIN_URL`` without the prefix of the site's addresses."""
    urlconf: Any = resolver.urlconf_name
    try:
        return reverse(setting, urlconf).removeprefix(get_script_prefix())
    except NoReverseMatch:
        return setting


def _depends_on_language(resolver: URLResolver) -> bool:
    """Return whether an address in this URLconf may depend on the language.

    It may below ``i18n_patterns``, where a route is translated, and where a pattern is of another
    kind than Django's own two.
    """
    found: list[Any] = [resolver]
    seen: set[int] = set()
    while found:
        pattern = found.pop()
        text = getattr(pattern.pattern, "_route", getattr(pattern.pattern, "_regex", None))
        # A translated route is a lazy text, and not a string.
        if not isinstance(text, str):
            return True
        # A URLconf may include itself.
        if isinstance(pattern, URLResolver) and id(pattern) not in seen:
            seen.add(id(pattern))
            found.extend(pattern.url_patterns)
    return False


def _is_login_view(match: ResolverMatch | None) -> bool:
    """Return whether a request was led to a view in which people type passwords."""
    if match is None:
        return False
    if match.url_name == "login" and "admin" in match.app_names:
        return True
    view_class = getattr(match.func, "view_class", None)
    return isinstance(view_class, type) and issubclass(view_class, LoginView)


def target_of_login(request: HttpRequest, location: str) -> str:
    """Return where the redirect of a login view means to go in the end.

    The location is the site's own answer, so :func:`is_local` does not judge it.  It judges only
    the ``next`` of a login page, which the browser may have chosen.

    :param location: the absolute path, or the address, that the login view redirects to.
    """
    split = urlsplit(location)
    if split.netloc not in ("", request.get_host()):
        return location
    match = match_of(split.path, getattr(request, "urlconf", None))
    if not is_login_page(split.path, match):
        return location
    wanted = parse_qs(split.query).get("next", [""])[-1]
    return wanted if is_local(request, wanted) else ""
