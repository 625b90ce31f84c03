"""Keys of sessions that are over, for sites that keep sessions in a cache.

Such a store saves a session in two steps: it looks whether the session is there, and then writes
it.  A request that is between the two while the session is deleted brings it back.  So with an old
cookie, sent again and again, a session could outlive a logout or a step-up.  This is noted here for
as long as the session could last.  The ``db`` store saves in one step and needs no such note.
"""

from __future__ import annotations

import hashlib

from django.contrib.sessions.backends.base import SessionBase
from django.core.cache import BaseCache
from django.http import HttpRequest


def note_end(session: SessionBase) -> None:
    """Note that ``session`` ends under its present key."""
    cache = cache_of(session)
    if cache is not None and session.session_key is not None:
        cache.set(_name(session.session_key), True, session.get_expiry_age())


def is_over(session: SessionBase) -> bool:
    """Whether ``session`` has ended under its key, and was brought back."""
    cache = cache_of(session)
    return (
        cache is not None
        and session.session_key is not None
        and _name(session.session_key) in cache
    )


def cache_of(session: SessionBase) -> BaseCache | None:
    """Return the cache in which ``session`` is kept; None if it is kept elsewhere."""
    # Django's stores `cache` and `cached_db` have it, and so have classes that inherit from them.
    cache = getattr(session, "_cache", None)
    return cache if isinstance(cache, BaseCache) else None


def note_logout(sender: object, request: HttpRequest | None, **kwargs: object) -> None:
    """Receive ``user_logged_out``: Django deletes the session after it."""
    session = getattr(request, "session", None)
    if isinstance(session, SessionBase):
        note_end(session)


def _name(key: str) -> str:
    # A digest: who can read the cache learns no key from it.
    return f"bandwidth_mfa.ended.{hashlib.sha256(key.encode()).hexdigest()}"
