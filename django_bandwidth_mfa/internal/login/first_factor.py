"""What happens after the first factor: the login is completed, or parked."""

from __future__ import annotations

import time

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.utils import timezone

from ... import signals
from ...models import auth_hashes
from ...types import User
from ...verification import Verification, carry, pop_from
from ..notify import events
from . import last_login, policy, trusted_browsers
from .ended_keys import note_end, note_former_key
from .held_messages import hold_messages
from .mark import MARK, mark_exempt, mark_of_login, mark_verified, read_mark
from .on_behalf import ON_BEHALF, Actor, announced_actor, begin
from .parking import (
    AUTH_KEYS,
    JUST_PARKED,
    PARKED,
    Login,
    Parked,
    forget_login,
    park,
    park_login,
    update_parked,
)
from .recheck import make_anonymous
from .records import read_record
from .reminder import remind
from .sockets import settle_socket_login


def settle_login(sender: object, request: HttpRequest | None, user: User, **kwargs: object) -> None:
    """Receive ``user_logged_in``: complete a login that owes no code, and park any other.

    A login without a session, such as a login by token, is left alone.
    """
    if request is None:
        settle_socket_login(user)
        return
    session = getattr(request, "session", None)
    if session is None or SESSION_KEY not in session:
        return
    note_former_key(request)
    actor = announced_actor(request)
    if actor is not None:
        _settle_on_behalf(request, user, actor)
        return
    if _belongs_to_another(session, session[SESSION_KEY]):
        # The session belongs to another user.  Django empties such a session only if its own key
        # for the user is in it, so it is emptied here.
        kept = {key: session[key] for key in AUTH_KEYS if key in session}
        session.flush()
        session.update(kept)
    verification = pop_from(user)
    if verification and verification.user.pk == user.pk:
        _complete(request, user, verification)
        return

    mark = read_mark(session, user)
    if mark is not None and mark.state == "verified":
        # The user gave the password again in a session that is already verified.
        _tell_completed(request, user, mark.method)
        return
    # Delete the mark of an earlier login in this session.  Otherwise a factor that passed in that
    # login (other_factor.py) would count for this one.
    session.pop(MARK, None)
    try:
        owes_code = policy.owes_code(request, user)
        is_trusted = owes_code and trusted_browsers.recognise(request, user)
    except BaseException:
        # The response to this error, such as a 404, may save the session, and a view may catch the
        # error.  Neither must log the user in.
        forget_login(session)
        make_anonymous(request)
        raise
    if not owes_code:
        _complete(request, user, None)
    elif is_trusted:
        by_browser = Verification(user, "trusted_browser", verified_at=timezone.now())
        _complete(request, user, by_browser)
    else:
        park(session)
        request.META[JUST_PARKED] = True
        hold_messages(request)
        if request.resolver_match is None:
            # A middleware made this login before the URL was resolved.  Whatever handles the
            # request now, such as a flatpage or another middleware, must see an anonymous user.
            make_anonymous(request)


def park_before_login(request: HttpRequest, user: User, backend: str, next_: str) -> bool:
    """Park the login of ``user`` before it is made (:func:`.service.park_login`)."""
    session = request.session
    mark = mark_of_login(session)
    if mark is not None and mark.state == "verified" and mark.user == str(user.pk):
        # The password was given again inside a session that has shown both factors already.
        return False
    # A factor that passed in an earlier login of this session does not count.
    session.pop(MARK, None)
    if not policy.owes_code(request, user):
        return False
    if trusted_browsers.recognise(request, user):
        carry(user, Verification(user, "trusted_browser", verified_at=timezone.now()))
        return False
    key = str(user.pk)
    if session.get(SESSION_KEY, key) != key or _belongs_to_another(session, key):
        session.flush()
    forget_login(session)
    if session.session_key is not None:
        # Change the key, as `login()` does: an attacker may have planted the old key (session
        # fixation).
        note_end(session)
        session.cycle_key()
    park_login(session, Login(key, backend, auth_hashes(user)[0]))
    if next_:
        update_parked(session, next=next_)
    make_anonymous(request)
    return True


def _belongs_to_another(session: SessionBase, user: str) -> bool:
    """Return whether the session contains data of another user than ``user``, a primary key.

    A login of another user is parked in it, or somebody has acted in it on behalf of a user.
    """
    # Read the record itself, not `parked()`: an expired login of another user counts, too.
    earlier = read_record(session, PARKED, Parked)
    return (earlier is not None and earlier.user != user) or ON_BEHALF in session


def _settle_on_behalf(request: HttpRequest, user: User, actor: Actor) -> None:
    """Settle a login of ``actor`` on behalf of ``user``, or the way back to their own account."""
    session = request.session
    session.pop(PARKED, None)
    session.pop(ON_BEHALF, None)
    if actor.user == str(user.pk):
        session[MARK] = actor.mark
    else:
        begin(session, user, actor)
    events.login_on_behalf(user, actor.user)


def _complete(request: HttpRequest, user: User, verification: Verification | None) -> None:
    """Mark the login as complete: as verified by ``verification``, or as exempt if that is None."""
    request.session.pop(PARKED, None)
    if verification is None:
        mark_exempt(request.session, user, signed_in=time.time())
        _tell_completed(request, user, None)
        remind(request, user)
    else:
        mark_verified(request.session, user, verification)
        _tell_completed(request, user, verification.method)


def _tell_completed(request: HttpRequest, user: User, method: str | None) -> None:
    """Send ``login_completed``, and update ``last_login``."""
    last_login.note_complete(request, user)
    signals.login_completed.send_robust(type(user), user=user, request=request, method=method)
