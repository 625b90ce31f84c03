"""Claim a session: of two requests that use it at the same time, only one continues."""

from __future__ import annotations

from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.cache import SessionStore as CacheStore
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db import router

from .ended_keys import cache_of, note_end


def claim(session: SessionBase) -> bool:
    """Delete the stored session, and return whether it was still stored.

    While Bandwidth is called, another request may log this session out or end it.  Its data is
    still in our memory then, and saving it would restore the ended session.  So this request
    continues only if it is the one that deletes the row of the session, or its key in the cache.

    The data stays in memory.  ``cycle_key()`` later stores it under a new key.
    """
    key = session.session_key
    if key is None:
        return False
    note_end(session)
    if isinstance(session, DatabaseStore):
        # Also cached_db, whose delete() also deletes the copy in the cache.
        rows = session.model._base_manager.using(router.db_for_write(session.model))
        deleted, _of_each_model = rows.filter(session_key=key).delete()
        if type(session).delete is not DatabaseStore.delete:
            session.delete(key)
        # Without the key, `cycle_key()` does not query the old row again.  Load the data first: it
        # cannot be loaded without the key.
        session.keys()
        session._session_key = None
        return bool(deleted)
    if isinstance(session, CacheStore):
        cache = cache_of(session)
        return cache is not None and cache.delete(session.cache_key_prefix + key)
    was_there = session.exists(key)
    session.delete(key)
    return was_there
