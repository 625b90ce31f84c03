"""Logins on behalf of a user (impersonation): staff use the site as one of its users.

Such a login is not a login of that user, so no code is sent to the user.  The session is exempt,
and this app's own pages are closed: otherwise staff could add a phone of their own to the user's
account.

The session also keeps the login of the staff member.  The login on behalf ends when that login
ends.  With it, staff come back to their own account without another code.

Some packages only set ``request.user`` to another user, and do not change the session.  That counts
as a login on behalf, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace

from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from ...types import User
from .mark import Mark, mark_exempt, mark_of_login
from .parking import Login, login_of
from .records import make_record, read_record

ON_BEHALF = "_bandwidth_mfa_on_behalf"

# A key of request.META: the acting person, while their view logs somebody else in.
_ACTOR = "bandwidth_mfa.actor"


@dataclass(frozen=True)
class Actor(Login):
    """The login of the acting person, and its mark.

    ``on_behalf_of`` is the primary key, as a text, of the user whose account is used.
    """

    mark: dict[str, object]
    on_behalf_of: str = ""

    @property
    def own_mark(self) -> Mark | None:
        """The mark of this login; None if another release wrote it in an unknown form."""
        return make_record(self.mark, Mark)


def find_actor(request: HttpRequest) -> Actor | None:
    """Return the acting person in the session of ``request``; None if nobody is signed in.

    If nobody acts on behalf of a user yet, it is the signed-in user.
    """
    # Reading the user runs the check of the session, which may have ended.
    if not request.user.is_authenticated:
        return None
    login, mark = login_of(request.session), mark_of_login(request.session)
    if login is None or mark is None:
        return None
    return read_actor(request.session) or Actor(**asdict(login), mark=mark._asdict())


@contextmanager
def announce(request: HttpRequest, actor: Actor) -> Iterator[None]:
    """Tell the receiver of ``user_logged_in`` that ``actor`` makes the logins in this block."""
    former = request.META.get(_ACTOR)
    request.META[_ACTOR] = actor
    try:
        yield
    finally:
        request.META[_ACTOR] = former


def announced_actor(request: HttpRequest) -> Actor | None:
    """Return the acting person, if the present login is in a block of :func:`announce`."""
    actor = request.META.get(_ACTOR)
    return actor if isinstance(actor, Actor) else None


def begin(session: SessionBase, user: User, actor: Actor) -> None:
    """Record in the session that ``actor`` has logged in on behalf of ``user``."""
    mark_exempt(session, user)
    session[ON_BEHALF] = asdict(replace(actor, on_behalf_of=str(user.pk)))


def read_actor(session: SessionBase) -> Actor | None:
    """Return who acts in this session on behalf of its user; None if nobody does."""
    actor, login = read_record(session, ON_BEHALF, Actor), login_of(session)
    return actor if actor and login and actor.on_behalf_of == login.user else None


def is_someone_else(session: SessionBase, user: User) -> bool:
    """Return whether ``user`` is another user than the one whose login is in the session."""
    login = login_of(session)
    return bool(user.is_authenticated and login is not None and login.user != str(user.pk))


def is_on_behalf(session: SessionBase, user: User) -> bool:
    """Return whether somebody else acts in this session on behalf of ``user``."""
    if not user.is_authenticated:
        return False
    # Check for the key: even a record that cannot be read must keep the pages closed.
    return is_someone_else(session, user) or ON_BEHALF in session
