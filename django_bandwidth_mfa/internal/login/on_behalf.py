"""Logins on behalf of somebody: a member of staff looks at the site as one of its users.

Such a login is no login of that user.  So the user is sent no code, and nobody can type one: the
session is exempt, and this app's own pages stay shut.  On these pages, staff could give themselves
a phone on the user's account.

The staff member's own login is kept beside it.  It decides how long the login on behalf lasts, and
with it they come back to their own account without another code.

Some packages only put another user into ``request.user``, and leave the session alone.  Such a user
counts as somebody on whose behalf the session's own user acts.
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

# A key of request.META: who acts, while their view logs somebody else in.
_ACTOR = "bandwidth_mfa.actor"


@dataclass(frozen=True)
class Actor(Login):
    """The login of the person who acts, and its mark.

    ``on_behalf_of`` is the primary key of the user whose account is used, as a text.
    """

    mark: dict[str, object]
    on_behalf_of: str = ""

    @property
    def own_mark(self) -> Mark | None:
        """The mark of the login; None if another release wrote it in another form."""
        return make_record(self.mark, Mark)


def find_actor(request: HttpRequest) -> Actor | None:
    """Return the person who acts, or would act, in the session of ``request``."""
    # The look at the user judges the session, which may be over.
    if not request.user.is_authenticated:
        return None
    login, mark = login_of(request.session), mark_of_login(request.session)
    if login is None or mark is None:
        return None
    return read_actor(request.session) or Actor(**asdict(login), mark=mark._asdict())


@contextmanager
def announce(request: HttpRequest, actor: Actor) -> Iterator[None]:
    """Have the receiver know that the logins in this block are made by ``actor``."""
    former = request.META.get(_ACTOR)
    request.META[_ACTOR] = actor
    try:
        yield
    finally:
        request.META[_ACTOR] = former


def announced_actor(request: HttpRequest) -> Actor | None:
    """Return who acts, if the login of this very moment is in a block of :func:`announce`."""
    actor = request.META.get(_ACTOR)
    return actor if isinstance(actor, Actor) else None


def begin(session: SessionBase, user: User, actor: Actor) -> None:
    """Note that ``actor`` has logged in on behalf of ``user``."""
    mark_exempt(session, user)
    session[ON_BEHALF] = asdict(replace(actor, on_behalf_of=str(user.pk)))


def read_actor(session: SessionBase) -> Actor | None:
    """Return who acts in this session on behalf of its user; None if that user is there."""
    actor, login = read_record(session, ON_BEHALF, Actor), login_of(session)
    return actor if actor and login and actor.on_behalf_of == login.user else None


def is_someone_else(session: SessionBase, user: User) -> bool:
    """Return whether ``user`` was put into the request, and the session is the login of another
    user."""
    login = login_of(session)
    return bool(user.is_authenticated and login is not None and login.user != str(user.pk))


def is_on_behalf(session: SessionBase, user: User) -> bool:
    """Return whether somebody else acts in this session on behalf of ``user``."""
    if not user.is_authenticated:
        return False
    # The key, not the record: one that cannot be read opens no page.
    return is_someone_else(session, user) or ON_BEHALF in session
