"""Trusted browsers: a cookie that replaces the code at a login, for ``TRUST_DAYS``.

The cookie holds 256 random bits, and the database their SHA-256.  It counts for the user who asked
for it, as long as the password stays the same.  It ends when a phone is removed and when staff
reset the second factor.  It is a convenience and proves nothing about this moment: ``max_age``
never accepts it.
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

# The prefix has browsers refuse a cookie that another subdomain, or plain HTTP, tries to plant.
COOKIE = "__Host-bandwidth-mfa-trust"


def remember(request: HttpRequest, response: HttpResponse, user: User) -> None:
    """Trust the browser of ``request``, by a cookie on ``response``.

    While ``TRUST_DAYS`` is 0 nothing happens.
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
    """Return whether ``user``, whose password was right just now, trusts the browser of
    ``request``."""
    if not settings.TRUST_DAYS or cookie_name(user) not in request.COOKIES:
        return False
    # One UPDATE, so that a browser forgotten at the same moment is not let in.
    known = TrustedBrowser.objects.valid(user).filter(digest=_cookie_digest(request, user))
    if not known.update(last_used_at=timezone.now()):
        return False
    events.browser_recognised(user)
    return True


def forget(user: User, pk: str | None = None, *, request: HttpRequest | None = None) -> int:
    """Trust one browser of ``user`` no more, or none of them.

    :param pk: the primary key of the one browser; None for all of them.
    :returns: how many browsers were trusted until now.
    """
    browsers = TrustedBrowser.objects.filter(user=in_query(user))
    if pk is not None:
        if not (pk.isascii() and pk.isdigit() and len(pk) < 19):
            return 0
        browsers = browsers.filter(pk=pk)
    many, _rows = browsers.delete()
    if many:
        events.browsers_forgotten(user, many, request)
    return many


def is_this(browser: TrustedBrowser, request: HttpRequest) -> bool:
    """Return whether ``request`` comes from ``browser``."""
    return browser.digest == _cookie_digest(request, browser.user)


def cookie_name(user: User) -> str:
    """Return the name of the cookie of ``user``.

    Each user has one, so that two people at one browser do not undo each other's choice.
    """
    return f"{COOKIE}-{digest(str(user.pk))[:12]}"


def digest(token: str) -> str:
    """Return what the database keeps of a token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _cookie_digest(request: HttpRequest, user: User) -> str:
    return digest(request.COOKIES.get(cookie_name(user), ""))
