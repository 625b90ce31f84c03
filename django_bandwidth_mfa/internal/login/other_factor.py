"""A second factor of django-allauth: whether the user has one, and has passed it in this login.

allauth records in the session which factors have passed.  These records can be older than the
present login: allauth writes them before the user is logged in, and Django keeps them when the same
user logs in again.  In older versions of allauth a record does not name its user.  So a record
counts only

- if its authenticator is now a row of the user who signs in;
- if it is at most ``LOGIN_SECONDS`` old when the login is made; and
- if neither the user nor staff have ended the user's sessions since.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.contrib.sessions.backends.base import SessionBase
from django.db import router
from django.db.models import Q
from django.http import HttpRequest

from ...conf import settings
from ...models import SecondFactor
from ...types import User, in_query
from .clock import CLOCK_DIFFERENCE, is_before
from .mark import Mark, read_mark

ALLAUTH = "allauth.mfa"

# allauth's types of authenticators.  Its third type, "recovery_codes", is for a lost device: with a
# recovery code the user may add a phone, but is asked for a code like any other user.
FACTORS = ("totp", "webauthn")
ANY_KIND = (*FACTORS, "recovery_codes")


def has_passed(
    request: HttpRequest | None, user: User, *, kinds: tuple[str, ...] = FACTORS
) -> bool:
    """Return whether ``user`` has passed a factor of allauth in the login of this session.

    :param request: the request of the login.  The result is False for None, and without a session.
    :param kinds: the types of authenticators that count.
    """
    session = getattr(request, "session", None)
    if session is None or not apps.is_installed(ALLAUTH):
        return False
    mark = read_mark(session, user)
    records = [
        record for record in _records(session, kinds) if _is_of_this_login(record["at"], mark)
    ]
    if not records:
        return False
    # Only the newest one is checked, because each check takes a query.
    record = max(records, key=lambda one: float(one["at"]))
    return not _was_ended(record["at"], user, mark) and _is_there(record, user)


def has_one(user: User) -> bool:
    """Return whether ``user`` has a factor of allauth."""
    if not apps.is_installed(ALLAUTH):
        return False
    return bool(_authenticators().filter(user=in_query(user), type__in=FACTORS).exists())


def users() -> Q:
    """Return the query condition for the users who have a factor of allauth."""
    if not apps.is_installed(ALLAUTH):
        return Q(pk__in=())
    return Q(pk__in=_authenticators().filter(type__in=FACTORS).values("user"))


def _records(session: SessionBase, kinds: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Yield the valid records of factors of the types ``kinds`` that have passed."""
    from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY

    records = session.get(AUTHENTICATION_METHODS_SESSION_KEY)
    for record in records if isinstance(records, list) else ():
        if (
            isinstance(record, dict)
            and record.get("method") == "mfa"
            and record.get("type") in kinds
            and isinstance(record.get("at"), int | float)
            and isinstance(record.get("id"), int)
        ):
            yield record


def _is_of_this_login(at: float, mark: Mark | None) -> bool:
    """Return whether a factor that passed at ``at`` belongs to the login of the session.

    There is no mark yet while the login is being made.  If the mark does not say when the user
    signed in, the factor must have passed less than ``LOGIN_SECONDS`` ago.
    """
    now = time.time()
    signed_in = (mark.signed_in if mark else 0) or now
    return signed_in - settings.LOGIN_SECONDS < at <= now + CLOCK_DIFFERENCE


def _was_ended(at: float, user: User, mark: Mark | None) -> bool:
    """Return whether the sessions of ``user`` were ended since ``at``, or owe a new code."""
    row = SecondFactor.objects.filter(user=in_query(user)).first()
    if row is None:
        return False
    kept = mark.kept if mark else 0
    return any(
        moment is not None and kept < moment.timestamp() and is_before(at, moment)
        for moment in (row.verified_since, row.signed_in_since)
    )


def _is_there(record: dict[str, Any], user: User) -> bool:
    """Return whether the authenticator of ``record`` still belongs to ``user``."""
    rows = _authenticators().filter(pk=record["id"], user=in_query(user), type=record["type"])
    return bool(rows.exists())


def _authenticators() -> Any:
    from allauth.mfa.models import Authenticator

    return Authenticator.objects.using(router.db_for_write(Authenticator))
