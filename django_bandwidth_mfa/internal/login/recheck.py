"""Check on later requests whether the mark of the session is still valid."""

from __future__ import annotations

import time
from typing import Any, cast

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from ...conf import settings
from ...models import SecondFactor
from ...types import User
from ..phones.source import has_phone
from . import policy
from .clock import is_before, is_within
from .mark import MARK, Mark, mark_exempt, mark_of_login, read_mark
from .on_behalf import ON_BEHALF, Actor, is_someone_else, read_actor
from .parking import PARKED, login_of, park, parked, user_of


def is_settled(session: SessionBase, user: User) -> bool:
    """Return whether the login of ``user`` needs no check with the database now."""
    if not user.is_authenticated:
        return True
    if SESSION_KEY not in session:
        return PARKED not in session
    if ON_BEHALF in session and read_actor(session) is None:
        return False
    return _is_checked(session)


def _is_checked(session: SessionBase) -> bool:
    """Return whether the mark of the login in ``session`` is younger than ``RECHECK_SECONDS``."""
    mark = mark_of_login(session)
    return mark is not None and is_within(mark.checked, settings.RECHECK_SECONDS)


def recheck(
    session: SessionBase, user: User, request: HttpRequest | None, *, anew: bool = False
) -> User:
    """Check the session, and return ``user`` if the login is valid, or an anonymous user.

    A session without a mark is from before the app was installed, or its login did not reach our
    receiver.  A mark older than ``RECHECK_SECONDS`` is checked with the database: since then the
    user may have added a phone, removed the phone of this verification, or ended the session.

    :param anew: query the database even if the mark is younger than ``RECHECK_SECONDS``.
    """
    # Most requests return in the first lines, so these are kept fast.
    if not user.is_authenticated:
        return user
    if SESSION_KEY not in session:
        if PARKED not in session:
            return user
        # A middleware has set this user.  If it made the login in this request, the login was
        # parked.
        record = parked(session)
        return AnonymousUser() if record and record.user == str(user.pk) else user
    if ON_BEHALF in session and read_actor(session) is None:
        # Another release wrote the record in a form that this release cannot read.
        session.flush()
        return AnonymousUser()
    if not anew and _is_checked(session):
        return user
    if is_someone_else(session, user):
        # The site acts on behalf of `user`, as long as the session's own login is valid.
        login = login_of(session)
        holder = user_of(login) if login is not None else None
        if holder is None:
            return AnonymousUser()
        judged = recheck(session, holder, request, anew=anew)
        return user if judged.is_authenticated else judged
    mark, row = _mark_or_oldest(session, user), SecondFactor.objects.of(user)
    actor = read_actor(session)
    if mark.is_older_than(row.signed_in_since) or (actor and not may_act(actor, request)):
        session.flush()
        return AnonymousUser()
    if actor or _is_verified(mark, user, row):
        if settings.RECHECK_SECONDS:
            session[MARK] = mark._asdict() | {"checked": time.time()}
        return user
    if policy.owes_code(request, user):
        park(session)
        return AnonymousUser()
    # With RECHECK_SECONDS = 0 every request comes here.  An equal mark is not written again, so
    # that the session is not saved on each request.
    if not mark.at or mark.state != "exempt" or settings.RECHECK_SECONDS:
        mark_exempt(session, user, signed_in=mark.signed_in, kept=mark.kept)
    return user


def may_act(actor: Actor, request: HttpRequest | None) -> bool:
    """Return whether the login of ``actor`` is still valid, so that they may act for a user."""
    user, mark = user_of(actor), actor.own_mark
    if user is None or mark is None:
        return False
    row = SecondFactor.objects.of(user)
    if mark.is_older_than(row.signed_in_since):
        return False
    return _is_verified(mark, user, row) or not policy.owes_code(request, user)


def _is_verified(mark: Mark, user: User, row: SecondFactor) -> bool:
    """Return whether ``mark`` records a second factor that is still valid."""
    return (
        mark.state == "verified"
        and not mark.is_older_than(row.verified_since)
        and (mark.phone is None or has_phone(user, mark.phone))
    )


def has_ended(session: SessionBase, user: User) -> bool:
    """Return whether this session was ended.  It queries the database.

    :param session: a session with a parked or a complete login.
    """
    ended = SecondFactor.objects.of(user).signed_in_since
    record = parked(session)
    if record is not None:
        return is_before(record.at, ended)
    return _mark_or_oldest(session, user).is_older_than(ended)


def _mark_or_oldest(session: SessionBase, user: User) -> Mark:
    """Return the mark of the session; a mark that is older than any moment if there is none."""
    return read_mark(session, user) or Mark(str(user.pk), "exempt", at=0, checked=0)


def recheck_request(request: HttpRequest, user: User, *, anew: bool = False) -> User:
    """Set ``request.user`` to the result of :func:`recheck`, and return it.

    :param anew: query the database even if the mark is younger than ``RECHECK_SECONDS``.
    """
    # The site's own policy may read request.user, and this must not run the check again.
    request.user = cast(Any, user)
    try:
        loaded = _load(user)
        checked = recheck(request.session, loaded, request, anew=anew)
    except BaseException:
        # Other code, such as a template, may catch this error.  The user must not be logged in
        # then.
        make_anonymous(request)
        raise
    # Keep the object of an anonymous visitor: later middleware may have put something on it.
    if checked.is_authenticated or checked is loaded:
        request.user = cast(Any, checked)
    else:
        make_anonymous(request)
    return checked


def _load(user: User) -> User:
    """Return the object behind a lazy user: each access to a lazy object takes a microsecond."""
    if not isinstance(user, SimpleLazyObject):
        return user
    # This access loads the user.
    user.is_authenticated  # noqa: B018
    return cast(User, user._wrapped)


def make_anonymous(request: HttpRequest) -> None:
    """Set ``request.user`` and ``request.auser`` to an anonymous user."""

    async def auser() -> AnonymousUser:
        return AnonymousUser()

    request.user = AnonymousUser()
    request.auser = auser
