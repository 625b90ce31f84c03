"""Where a browser may be sent."""

from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.http import HttpRequest, QueryDict
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, Resolver404, get_script_prefix, resolve, reverse
from django.utils.http import url_has_allowed_host_and_scheme


def is_local(request: HttpRequest, url: str) -> bool:
    """Whether ``url`` is an address of this site: an open redirect would lend our name to a
    phisher, and what is no address at all might be taken for the name of one."""
    if not url.startswith(("/", "http://", "https://")) or not is_text(url):
        return False
    return url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )


def is_text(url: str) -> bool:
    """Whether ``url`` can be sent at all: an odd charset makes half characters of what it holds."""
    try:
        url.encode()
    except UnicodeEncodeError:
        return False
    return True


def next_of(request: HttpRequest) -> str:
    """What the browser says of where to go afterwards; "" unless it stays on this site."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    return wanted if is_local(request, wanted) else ""


def destination(request: HttpRequest) -> str:
    """Where a page leads that is done with: ``next``, or ``LOGIN_REDIRECT_URL``."""
    return next_of(request) or resolve_url(django_settings.LOGIN_REDIRECT_URL)


def with_next(name: str, next_: str) -> str:
    """The address of our page ``name``, which leads on to ``next_``."""
    url = reverse(f"bandwidth_mfa:{name}")
    if not next_:
        return url
    query = QueryDict(mutable=True)
    query["next"] = next_
    return f"{url}?{query.urlencode(safe='/')}"


def login_url() -> str:
    """``LOGIN_URL``; or the admin's login page, on a site that has no other and whose ``LOGIN_URL``
    was left at a default that leads nowhere."""
    url = resolve_url(django_settings.LOGIN_URL)
    split = urlsplit(url)
    if not split.netloc:
        try:
            resolve("/" + split.path.removeprefix(get_script_prefix()))
        except Resolver404:
            try:
                return reverse("admin:login")
            except NoReverseMatch:
                return url
    return url
