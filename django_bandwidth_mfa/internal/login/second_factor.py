"""What happens after a right code: the login is completed."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth import SESSION_KEY, login
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils import timezone

from ...exceptions import SessionEnded
from ...types import User
from ...verification import Verification, carry
from ..notify import events
from .claim import claim
from .held_messages import say_held_messages
from .mark import mark_verified
from .parking import parked, pending_user
from .recheck import has_ended
from .redirects import next_or_default, page_that_is_there


def is_signed_in(session: SessionBase, user: User) -> bool:
    """Return whether ``user`` is logged in in ``session``."""
    return bool(session.get(SESSION_KEY) == str(user.pk))


def complete(request: HttpRequest, user: User, verification: Verification) -> None:
    """Log ``user`` in, or mark their session as verified.

    For a parked login, ``login()`` is called with the backend of the first factor.  A session that
    is already logged in keeps its login.  In both cases the session key changes, so a key that an
    attacker planted or stole before the code is not valid after it.

    :raises SessionEnded: the session was logged out, or ended, since this request began.
    """
    record = parked(request.session)
    # Without these two checks, a right code would restore a session that its user has ended.
    if not claim(request.session) or has_ended(request.session, user):
        request.session.flush()
        raise SessionEnded
    if record is None:
        request.session.cycle_key()
        mark_verified(request.session, user, verification)
    else:
        # Django's stubs know one user model; the site may use another one.
        login(request, cast(Any, carry(user, verification)), backend=record.backend)
        say_held_messages(request, record)


def complete_by_site(request: HttpRequest, user: User, method: str) -> str:
    """Complete a parked login by a factor of the site's own (:func:`.service.complete_login`)."""
    # Read from the database, because the user may have been deactivated or have another password.
    pending = pending_user(request.session)
    if pending is None:
        raise SessionEnded
    # The site's page may take the user from a form.  Compare objects, not primary keys: an object
    # of another model may have the same key.
    if pending != user:
        raise PermissionDenied("The parked login of this session belongs to another user.")
    url = destination(request)
    complete(request, pending, Verification(pending, method, verified_at=timezone.now()))
    events.own_factor_passed(pending, method)
    return url


def destination(request: HttpRequest) -> str:
    """Return the URL to which the parked login, or the step-up, leads."""
    record = parked(request.session)
    if record is not None and record.next:
        return page_that_is_there(request, record.next)
    return next_or_default(request)
