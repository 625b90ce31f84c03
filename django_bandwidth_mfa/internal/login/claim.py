"""Claiming a session: of requests that use one session at the same time, one goes on with it."""

from __future__ import annotations

from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.cache import SessionStore as CacheStore
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db import router

from .ended_keys import cache_of, note_end


def claim(session: SessionBase) -> bool:
    """Delete the stored session, and say whether it was still there.

    While Bandwidth is asked, another request may log this session out or end it.  The data of the
    session is still in our memory then, and saving it would bring the session back.  So a session
    goes on only if we are the ones who take its row, or its key in the cache, away.

    The data stays in memory: ``cycle_key()`` stores it under a new key.
    """
    key = session.session_key
    if key is None:
        return False
    note_end(session)
    if isinstance(session, DatabaseStore):
        # Also cached_db, whose delete() takes the copy in the cache away.
        rows = session.model._base_manager.using(router.db_for_write(session.model))
        deleted, _of_each_model = rows.filter(session_key=key).delete()
        if type(session).delete is not DatabaseStore.delete:
            session.delete(key)
        # `cycle_key()` would look for the old row once more.  The data first: without a key,
        # nothing could load it.
        session.keys()
        session._session_key = None
        return bool(deleted)
    if isinstance(session, CacheStore):
        cache = cache_of(session)
        return cache is not None and cache.delete(session.cache_key_prefix + key)
    was_there = session.exists(key)
    session.delete(key)
    return was_there
