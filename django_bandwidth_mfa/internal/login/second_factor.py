"""After the code: what a right code does to the session."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth import SESSION_KEY, login
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from ...exceptions import SessionEnded
from ...types import User
from ...verification import Verification, carry
from .claim import claim
from .held_messages import say_held_messages
from .mark import mark_verified
from .parking import parked
from .recheck import has_ended


def is_signed_in(session: SessionBase, user: User) -> bool:
    """Whether ``session`` is a login of ``user``."""
    return bool(session.get(SESSION_KEY) == str(user.pk))


def complete(request: HttpRequest, user: User, verification: Verification) -> None:
    """Log ``user`` in, or mark their session as verified.

    A parked login is made again, for real, with the backend of its first factor.  A session that is
    logged in already keeps its login.  In both cases the session key changes: a key that was
    planted, or read, before the code is worth nothing after it.

    :raises SessionEnded: the session was logged out, or ended, since this request began.
    """
    record = parked(request.session)
    # Without these two checks a session that its user has ended would come back with the code.
    if not claim(request.session) or has_ended(request.session, user):
        request.session.flush()
        raise SessionEnded
    if record is None:
        request.session.cycle_key()
        mark_verified(request.session, user, verification)
    else:
        # Django's stubs know one user model; the site's may be another.
        login(request, cast(Any, carry(user, verification)), backend=record.backend)
        say_held_messages(request, record)
