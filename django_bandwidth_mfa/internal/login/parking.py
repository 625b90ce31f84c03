"""Parked logins: the first factor has passed, and a code is owed.

Django's own session keys (``_auth_user_id``, ``_auth_user_backend``, ``_auth_user_hash``) are moved
under the key :data:`PARKED`.  So the visitor is anonymous for ``login_required``, the admin, REST
framework, Channels, and everything else that reads the session.
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

# A key of request.META: the login was parked in this same request.
JUST_PARKED = "bandwidth_mfa.just_parked"


@dataclass(frozen=True)
class Login:
    """A login: the values of Django's own keys in a session."""

    user: str
    backend: str
    hash: str


@dataclass(frozen=True)
class Parked(Login):
    """A login that owes a code.

    ``at`` is when the first factor passed, in seconds since the epoch.  ``next`` is the URL to
    which the site's own login view redirected; only a ``next`` from the browser was checked with
    :func:`.redirects.is_local`.  ``owes_send`` is False if a code that was sent before this login
    can still be typed.  Otherwise a code must be sent after the moment ``owed_since``.
    ``messages`` are the held messages of the login view (:mod:`.held_messages`), each as level,
    text, extra tags, and whether the text is safe HTML.
    """

    at: float
    next: str = ""
    owes_send: bool = True
    owed_since: float = 0
    messages: list[tuple[int, str, str, bool]] = field(default_factory=list)


def login_of(session: SessionBase) -> Login | None:
    """Return the login in Django's own keys; None if nobody is logged in."""
    if SESSION_KEY not in session:
        return None
    return Login(
        user=session[SESSION_KEY],
        backend=session.get(BACKEND_SESSION_KEY, ""),
        hash=session.get(HASH_SESSION_KEY, ""),
    )


def forget_login(session: SessionBase) -> None:
    """Delete Django's own keys from ``session``, so that no login is saved with it."""
    for key in AUTH_KEYS:
        session.pop(key, None)


def user_of(login: Login) -> User | None:
    """Return the user of ``login``, read from the database.

    It is None if the user was deactivated or deleted since, or has another password now.
    """
    user = load_user(login.user, login.backend)
    return user if user is not None and _still_proves(login, user) else None


def load_user(key: str, backend: str) -> User | None:
    """Return the user with the primary key ``key``, loaded by the backend at the path ``backend``.

    It is None if the user does not exist, or if the site no longer uses this backend.
    """
    if backend not in django_settings.AUTHENTICATION_BACKENDS:
        return None
    try:
        pk = get_user_model()._meta.pk.to_python(key)
    except ValidationError:
        return None
    user: User | None = load_backend(backend).get_user(pk)
    return user


def park(session: SessionBase) -> None:
    """Park the login in ``session``: move Django's own keys.

    If a login of the same user is already parked, ``next`` and the record of the owed code are
    kept, so that a password typed twice sends only one code.  The lifetime of the login starts
    again.
    """
    login = Login(
        user=session.pop(SESSION_KEY),
        backend=session.pop(BACKEND_SESSION_KEY),
        hash=session.pop(HASH_SESSION_KEY, ""),
    )
    park_login(session, login)


def park_login(session: SessionBase, login: Login) -> None:
    """Park ``login`` in ``session``, in which nobody is logged in."""
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
    """Return the parked login; None if there is none, or if it is older than ``LOGIN_SECONDS``."""
    record = read_record(session, PARKED, Parked)
    if record is None or not is_within(record.at, settings.LOGIN_SECONDS):
        return None
    return record


def update_parked(session: SessionBase, **changes: object) -> None:
    """Set fields of the parked login to new values, if there is one."""
    record = parked(session)
    if record is not None:
        session[PARKED] = asdict(record) | changes


def save_despite_error(session: SessionBase) -> None:
    """Save ``session`` before a response with a status of 500 or more, if it was modified.

    Django does not save the session for such a response.  The login would then still owe a code
    that was perhaps sent, and the next GET would send another one.
    """
    if session.modified and session.session_key is not None:
        with suppress(UpdateError):  # another request has ended the session
            session.save()


def pending_user(session: SessionBase) -> User | None:
    """Return the user of the parked login, read from the database.

    It is None, and the parked login is deleted, if the login is too old, if the user was
    deactivated or deleted, or if the user has another password now.
    """
    record = parked(session)
    user = None if record is None else user_of(record)
    if user is None and PARKED in session:
        del session[PARKED]
    return user


def is_pending(session: SessionBase, user: User) -> bool:
    """Return whether the parked login belongs to ``user`` and is still valid.

    :param user: the user as just read from the database.
    """
    record = parked(session)
    return record is not None and _still_proves(record, user)


def _still_proves(login: Login, user: User) -> bool:
    """Return whether ``user`` is active and has the same password as at ``login``."""
    if not user.is_active or str(user.pk) != login.user:
        return False
    return any(constant_time_compare(login.hash, known) for known in auth_hashes(user))
