"""Trusted browsers: a cookie that replaces the code at a login, for ``TRUST_DAYS``.

The cookie contains 256 random bits, and the database contains their SHA-256.  It is valid for one
user, as long as the password does not change.  It becomes invalid when a phone is removed, and when
staff reset the second factor.  It is a convenience and proves nothing about the present, so
``max_age`` never accepts it.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from ...conf import settings
from ...models import TrustedBrowser, auth_hashes
from ...types import User, in_query
from ..notify import events, user_agents
from . import policy

# With this prefix, browsers refuse a cookie that another subdomain or plain HTTP tries to set.
COOKIE = "__Host-bandwidth-mfa-trust"


def remember(request: HttpRequest, response: HttpResponse, user: User) -> None:
    """Trust the browser of ``request``: set the cookie on ``response``.

    If ``TRUST_DAYS`` is 0, nothing happens.
    """
    if not settings.TRUST_DAYS:
        return
    token = secrets.token_urlsafe(32)
    TrustedBrowser.objects.filter(
        user=in_query(user), digest=_cookie_digest(request, user)
    ).delete()
    browser = TrustedBrowser.objects.create(
        user=in_query(user),
        digest=digest(token),
        auth_hash=auth_hashes(user)[0],
        name=user_agents.describe(request.headers.get("User-Agent", "")),
    )
    response.set_cookie(
        cookie_name(user),
        token,
        max_age=timedelta(days=settings.TRUST_DAYS),
        path="/",
        secure=True,
        httponly=True,
        samesite="Lax",
    )
    events.browser_trusted(browser, request)


def recognise(request: HttpRequest, user: User) -> bool:
    """Return whether ``request`` comes from a trusted browser of ``user``."""
    if not settings.TRUST_DAYS or cookie_name(user) not in request.COOKIES:
        return False
    # One UPDATE, so that a browser that is deleted at the same moment is not accepted.
    known = TrustedBrowser.objects.valid(user).filter(digest=_cookie_digest(request, user))
    if not known.update(last_used_at=timezone.now()):
        return False
    events.browser_recognised(user)
    return True


def forget(
    user: User,
    pk: str | None = None,
    *,
    by: User | None = None,
    request: HttpRequest | None = None,
) -> int:
    """Stop trusting one browser of ``user``, or all of them.

    :param pk: the primary key of the browser; None for all browsers.
    :param by: the staff member who does it; None if the user does.
    :returns: the number of browsers that were trusted before.
    """
    browsers = TrustedBrowser.objects.filter(user=in_query(user))
    if pk is not None:
        if not (pk.isascii() and pk.isdigit() and len(pk) < 19):
            return 0
        browsers = browsers.filter(pk=pk)
    many, _rows = browsers.delete()
    if many:
        owes_code = policy.owes_code(None if by else request, user)
        events.browsers_forgotten(user, many, request, by, owes_code=owes_code)
    return many


def is_this(browser: TrustedBrowser, request: HttpRequest) -> bool:
    """Return whether ``request`` comes from ``browser``."""
    return browser.digest == _cookie_digest(request, browser.user)


def cookie_name(user: User) -> str:
    """Return the name of the cookie of ``user``.

    Each user has their own cookie, so that two users of one browser do not replace each other's.
    """
    return f"{COOKIE}-{digest(str(user.pk))[:12]}"


def digest(token: str) -> str:
    """Return the digest of a token, which the database stores."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _cookie_digest(request: HttpRequest, user: User) -> str:
    return digest(request.COOKIES.get(cookie_name(user), ""))
