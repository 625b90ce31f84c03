"""The outcome of a form, which the next page shows.

Each POST of a code page is answered with a redirect, so that a reload, or the back button, does not
send or try a code again.  The page after the redirect shows the outcome once.

The outcome is in a signed cookie, which is valid for this session only.  It is not in the session
itself, for two reasons.  A wrong code must not change the session.  And a slow response to a wrong
code must not overwrite the new session that a right code has just created.

The cookie contains no code, no number and no name.
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

# The lifetime of the cookie, in seconds.  The browser follows a redirect at once.
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
    """The outcome of a form.

    ``action`` is the requested action: to try a code or a recovery code, to send a code, or
    ``"page"`` for all of these.  ``kind`` is what happened instead.  ``text`` describes it for the
    user, if no state of the page does.  ``limit`` is the :attr:`.Limited.limit`.  ``until`` is the
    moment when the wait ends, in seconds since the epoch.
    """

    action: Action
    kind: str
    text: str = ""
    limit: str = ""
    until: float = 0

    @property
    def seconds(self) -> float:
        """How long the user must wait before the next attempt, in seconds."""
        return max(0, self.until - time.time())


def outcome_of(action: Action, error: MFAError) -> Outcome:
    """Return ``error`` as an outcome of ``action``."""
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
    """Set the cookie, so that the next page of this session shows ``outcome`` to ``user``."""
    value = cookies.sign(request, SALT, [str(user.pk), asdict(outcome)])
    cookies.put(response, COOKIE, value, max_age=LONGEST)


def read(request: HttpRequest, user: User, *actions: Action) -> Outcome | None:
    """Return the outcome of the last form; None if there is none.

    A cookie of another user or session, and a cookie with a wrong signature, is ignored.

    :param actions: the actions whose outcomes the page shows.
    """
    content = cookies.read(request, COOKIE, SALT, max_age=LONGEST)
    if not isinstance(content, list) or len(content) != 2:
        return None
    pk, fields = content
    outcome = make_record(fields, Outcome)
    if outcome is None or pk != str(user.pk) or outcome.action not in (*actions, "page"):
        return None
    return outcome


def drop(response: HttpResponseBase) -> None:
    """Delete the cookie, so that no other page shows the outcome again."""
    cookies.drop(response, COOKIE)
