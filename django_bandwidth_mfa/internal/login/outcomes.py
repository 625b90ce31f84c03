"""What became of a form, for the page that follows it.

Each POST of a code page ends in a redirect, so that a reload, or the back button, tries nothing and
sends nothing.  The page behind the redirect says what happened, once.

It is kept in a signed cookie for that one page, which is good in this session only, and not in the
session itself.  A wrong code must leave
the session as it was.  And a slow answer to a wrong code must not save an old session over the one
that a right code has just made.

No code, no number and no name is in it.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Literal

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from ...exceptions import (
    Busy,
    ChallengeExpired,
    ChallengeUsed,
    Limited,
    Locked,
    MFAError,
    ProviderUnavailable,
)
from ...types import User
from . import cookies
from .records import make_record

COOKIE = "bandwidth_mfa_outcome"
SALT = "bandwidth_mfa.outcome"

# Seconds.  The browser follows a redirect at once.
LONGEST = 120

Action = Literal["try", "send", "recover", "page"]

_KINDS: dict[type[MFAError], str] = {
    Busy: "busy",
    ChallengeExpired: "expired",
    ChallengeUsed: "used",
    Limited: "limited",
    Locked: "locked",
    ProviderUnavailable: "unavailable",
}


@dataclass(frozen=True)
class Outcome:
    """What became of a form.

    ``action`` is what was asked for: to try a code or a recovery code, to send one, or ``"page"``
    for all of them.  ``kind`` is what happened instead.  ``text`` says it in words, where no state
    of the page does.  ``limit`` is the
    :attr:`.Limited.limit`, and ``until`` the moment that the wait ends, in seconds since the epoch.
    """

    action: Action
    kind: str
    text: str = ""
    limit: str = ""
    until: float = 0

    @property
    def seconds(self) -> float:
        """For how many seconds the same has to wait."""
        return max(0, self.until - time.time())


def outcome_of(action: Action, error: MFAError) -> Outcome:
    """Return the outcome that ``error`` is."""
    kind = next((_KINDS[one] for one in type(error).__mro__ if one in _KINDS), "refused")
    if kind == "unavailable" and getattr(error, "may_have_arrived", False):
        kind = "unknown"
    retry_after: int = getattr(error, "retry_after", 0)
    return Outcome(
        action,
        kind,
        text=str(error) if kind == "refused" else "",
        limit=getattr(error, "limit", ""),
        until=time.time() + retry_after if retry_after else 0,
    )


def keep(request: HttpRequest, response: HttpResponseBase, user: User, outcome: Outcome) -> None:
    """Have the next page of this session tell ``outcome`` to ``user``."""
    value = cookies.sign(request, SALT, [str(user.pk), asdict(outcome)])
    cookies.put(response, COOKIE, value, max_age=LONGEST)


def read(request: HttpRequest, user: User, *actions: Action) -> Outcome | None:
    """Return what became of the last form; None if nothing is left to tell.

    A cookie of somebody else or of another session, or one that was not signed here, tells nothing.

    :param actions: those that the page tells of.
    """
    found = cookies.read(request, COOKIE, SALT, max_age=LONGEST)
    if not isinstance(found, list) or len(found) != 2:
        return None
    pk, fields = found
    outcome = make_record(fields, Outcome)
    if outcome is None or pk != str(user.pk) or outcome.action not in (*actions, "page"):
        return None
    return outcome


def drop(response: HttpResponseBase) -> None:
    """Have no other page tell it again."""
    cookies.drop(response, COOKIE)
