"""Notes about ended sessions, for sites that keep sessions in a cache.

A cache store saves a session in two steps: it checks whether the session exists, and then writes
it.  If another request deletes the session between the two steps, the write restores it.  So an
attacker with an old cookie could send many requests, and keep a session alive after a logout or a
step-up.

Therefore the same cache gets a note for each session key that has ended.  A request with such a key
starts with an empty session.  A request that was already running can still write the session, but
no later request can use it.  The ``db`` store saves in one step and needs no note.
"""

from __future__ import annotations

import hashlib

from django.conf import settings as django_settings
from django.contrib.sessions.backends.base import SessionBase
from django.core.cache import BaseCache
from django.http import HttpRequest

from ..notify import events
from .connection import current_connection

# Seconds that a note lasts longer than the session.  A request that was already running when the
# session ended may write it later.
_LONGER = 86_400


def note_end(session: SessionBase, key: str | None = None) -> None:
    """Write a note that a session has ended.

    If the cache fails, the logout or login goes on without a note, and an error is logged.

    :param key: the session key that has ended; None for the present key of ``session``.
    """
    cache, key = cache_of(session), key or session.session_key
    if cache is None or key is None:
        return
    try:
        lasts = max(session.get_expiry_age(), django_settings.SESSION_COOKIE_AGE)
        cache.set(_name(key), True, lasts + _LONGER)
    except Exception:
        events.session_note_failed()


def end_if_over(session: SessionBase) -> bool:
    """Empty ``session`` if there is a note that its key has ended.

    :returns: whether the session was emptied.
    """
    cache, key = cache_of(session), session.session_key
    if cache is None or key is None:
        return False
    try:
        is_over = _name(key) in cache
    except Exception:
        events.session_note_failed()
        return False
    if is_over:
        session.flush()
    return is_over


def may_be_over(session: SessionBase) -> bool:
    """Return whether :func:`end_if_over` would query the cache for ``session``."""
    return cache_of(session) is not None and session.session_key is not None


def cache_of(session: SessionBase) -> BaseCache | None:
    """Return the cache in which ``session`` is kept; None if it is kept elsewhere."""
    # Django's stores `cache` and `cached_db`, and their subclasses, have this attribute.
    cache = getattr(session, "_cache", None)
    return cache if isinstance(cache, BaseCache) else None


def note_logout(sender: object, request: HttpRequest | None, **kwargs: object) -> None:
    """Receive ``user_logged_out``, after which Django deletes the session, and write a note."""
    if request is None:
        current = current_connection.get()
        session = None if current is None else current.session
    else:
        session = getattr(request, "session", None)
    if isinstance(session, SessionBase):
        note_end(session)


def note_former_key(request: HttpRequest) -> None:
    """Write a note for the key in the browser's cookie, if a login has just replaced it."""
    former = request.COOKIES.get(django_settings.SESSION_COOKIE_NAME)
    if former and former != request.session.session_key:
        note_end(request.session, former)


def _name(key: str) -> str:
    # A digest, so that the cache does not contain the session key itself.
    return f"bandwidth_mfa.ended.{hashlib.sha256(key.encode()).hexdigest()}"
