"""Keys of sessions that are over, for sites that keep sessions in a cache.

Such a store saves a session in two steps: it looks whether the session is there, and then writes
it.  A request that is between the two while the session is deleted brings it back.  So with an old
cookie, sent again and again, a session could outlive a logout or a step-up.

Therefore the end of a key is noted in the same cache.  Each request that comes with such a key
begins with an empty session.  So only a request that was under way can bring the session back, and
nobody gets in with what it wrote.  The ``db`` store saves in one step and needs no note.
"""

from __future__ import annotations

import hashlib

from django.conf import settings as django_settings
from django.contrib.sessions.backends.base import SessionBase
from django.core.cache import BaseCache
from django.http import HttpRequest

from ..notify import events
from .connection import current_connection

# Seconds.  So much longer than the session itself a note lasts: a request that was under way when
# the session ended may write it later.
_LONGER = 86_400


def note_end(session: SessionBase, key: str | None = None) -> None:
    """Note that a session is over.

    A cache that fails stops no logout and no login: then there is no note, and the log says so.

    :param key: its key; None for the present key of ``session``.
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
    """Empty ``session`` if it came with a key that is over.

    :returns: whether it was emptied.
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
    """Return whether :func:`end_if_over` would ask the cache about ``session``."""
    return cache_of(session) is not None and session.session_key is not None


def cache_of(session: SessionBase) -> BaseCache | None:
    """Return the cache in which ``session`` is kept; None if it is kept elsewhere."""
    # Django's stores `cache` and `cached_db` have it, and so have classes that inherit from them.
    cache = getattr(session, "_cache", None)
    return cache if isinstance(cache, BaseCache) else None


def note_logout(sender: object, request: HttpRequest | None, **kwargs: object) -> None:
    """Receive ``user_logged_out``: Django deletes the session after it."""
    if request is None:
        current = current_connection.get()
        session = None if current is None else current.session
    else:
        session = getattr(request, "session", None)
    if isinstance(session, SessionBase):
        note_end(session)


def note_former_key(request: HttpRequest) -> None:
    """Note the key that the browser came with, if a login has just changed it."""
    former = request.COOKIES.get(django_settings.SESSION_COOKIE_NAME)
    if former and former != request.session.session_key:
        note_end(request.session, former)


def _name(key: str) -> str:
    # A digest, so that the note does not hold the key.
    return f"bandwidth_mfa.ended.{hashlib.sha256(key.encode()).hexdigest()}"
