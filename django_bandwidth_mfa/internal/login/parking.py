"""Parked logins: the first factor passed, and a code is owed.

Django's own keys (``_auth_user_id``, ``_auth_user_backend``, ``_auth_user_hash``) are moved under
:data:`PARKED`.  So ``login_required``, the admin, REST framework, Channels, and everything else
that reads the session find an anonymous visitor.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace

from django.conf import settings as django_settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    get_user_model,
    load_backend,
)
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.core.exceptions import ValidationError
from django.utils.crypto import constant_time_compare

from ...conf import settings
from ...models import auth_hashes
from ...types import User
from .clock import is_within
from .mark import MARK
from .records import read_record

PARKED = "_bandwidth_mfa_parked"

AUTH_KEYS = (SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY)

# A key of request.META: the login view of this very request parked its session.
JUST_PARKED = "bandwidth_mfa.just_parked"


@dataclass(frozen=True)
class Login:
    """A login, by the values of Django's own keys in a session."""

    user: str
    backend: str
    hash: str


@dataclass(frozen=True)
class Parked(Login):
    """A login that owes a code.

    ``at`` is when the first factor passed, in seconds since the epoch.  ``next`` is where the
    site's own login view meant to go; only a part that the browser chose was judged by
    :func:`.redirects.is_local`.  ``owes_send`` is False if a code that was sent before this login
    was enough for it.  Otherwise the login owes a code that is sent after ``owed_since``.
    ``messages`` are what the login view has said since (:mod:`.held_messages`), each as level,
    text, extra tags, and whether the text is safe.
    """

    at: float
    next: str = ""
    owes_send: bool = True
    owed_since: float = 0
    messages: list[tuple[int, str, str, bool]] = field(default_factory=list)


def login_of(session: SessionBase) -> Login | None:
    """Return the login that Django's keys describe; None if nobody is logged in."""
    if SESSION_KEY not in session:
        return None
    return Login(
        user=session[SESSION_KEY],
        backend=session.get(BACKEND_SESSION_KEY, ""),
        hash=session.get(HASH_SESSION_KEY, ""),
    )


def forget_login(session: SessionBase) -> None:
    """Take the login out of ``session``, so that saving the session saves none."""
    for key in AUTH_KEYS:
        session.pop(key, None)


def user_of(login: Login) -> User | None:
    """Return the user of ``login``, read from the database.

    None if the user was deactivated, removed or given another password since.
    """
    user = load_user(login.user, login.backend)
    return user if user is not None and _still_proves(login, user) else None


def load_user(key: str, backend: str) -> User | None:
    """Return the user with the primary key ``key``, as ``backend`` finds it.

    None if it finds none, or if the site does not use ``backend`` any more.
    """
    if backend not in django_settings.AUTHENTICATION_BACKENDS:
        return None
    try:
        pk = get_user_model()._meta.pk.to_python(key)
    except ValidationError:
        return None
    found: User | None = load_backend(backend).get_user(pk)
    return found


def park(session: SessionBase) -> None:
    """Move Django's keys aside.

    If a login of the same user is parked already, its ``next`` is kept, and what it owes.  So the
    password typed twice sends one code.  The time of the login begins again.
    """
    login = Login(
        user=session.pop(SESSION_KEY),
        backend=session.pop(BACKEND_SESSION_KEY),
        hash=session.pop(HASH_SESSION_KEY, ""),
    )
    park_login(session, login)


def park_login(session: SessionBase, login: Login) -> None:
    """Have ``login`` wait for its code in ``session``, in which nobody is logged in."""
    now = time.time()
    record = Parked(**asdict(login), at=now, owed_since=now)
    session.pop(MARK, None)
    earlier = parked(session)
    if earlier is not None and (earlier.user, earlier.hash) == (record.user, record.hash):
        record = replace(
            record,
            next=earlier.next,
            owes_send=earlier.owes_send,
            owed_since=earlier.owed_since or earlier.at,
        )
    session[PARKED] = asdict(record)


def parked(session: SessionBase) -> Parked | None:
    """Return the login that is parked here, unless it is older than ``LOGIN_SECONDS``."""
    record = read_record(session, PARKED, Parked)
    if record is None or not is_within(record.at, settings.LOGIN_SECONDS):
        return None
    return record


def update_parked(session: SessionBase, **changes: object) -> None:
    """Change fields of the parked login, if there is one."""
    record = parked(session)
    if record is not None:
        session[PARKED] = asdict(record) | changes


def save_despite_error(session: SessionBase) -> None:
    """Save what has changed in ``session`` before an answer with a status of 500 or more.

    Django saves no session then.  A login whose code may be on its way would owe one again, and a
    later GET would send another one.
    """
    if session.modified and session.session_key is not None:
        with suppress(UpdateError):  # another request has ended the session
            session.save()


def pending_user(session: SessionBase) -> User | None:
    """Return the user whose login is parked here, read from the database.

    None if the parked login is too old, or if its user was deactivated, removed or given another
    password since.  The parked login then ends.
    """
    record = parked(session)
    user = None if record is None else user_of(record)
    if user is None and PARKED in session:
        del session[PARKED]
    return user


def is_pending(session: SessionBase, user: User) -> bool:
    """Return whether the login that is parked here is ``user``'s, and still good.

    :param user: the user as just read from the database.
    """
    record = parked(session)
    return record is not None and _still_proves(record, user)


def _still_proves(login: Login, user: User) -> bool:
    """Return whether the first factor of ``login`` is still the user's: same password, still
    active."""
    if not user.is_active or str(user.pk) != login.user:
        return False
    return any(constant_time_compare(login.hash, known) for known in auth_hashes(user))
