"""The mark of a logged-in session: whether, when and how a second factor passed."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Literal, NamedTuple

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase

from ...models import SecondFactor
from ...types import User
from ...verification import Verification
from .clock import is_before, is_within
from .ended_keys import note_end
from .records import read_record

MARK = "_bandwidth_mfa_mark"
SUGGESTED = "_bandwidth_mfa_suggested"
CODE_ONLY = "_bandwidth_mfa_code_only"

# How many pages that accept only a code a session remembers (one for each open tab).
MOST_PAGES = 5


# A request that uses the user reads up to three marks.  A named tuple is created in 0.4
# microseconds, a frozen dataclass in 1.1.
class Mark(NamedTuple):
    """The state of a logged-in session.  It is valid only for the user that it names.

    Moments are in seconds since the epoch.  ``at`` is when the session became verified or exempt.
    ``checked`` is when it was last checked with the database.  ``kept`` is when this session ended
    the other sessions of its user.  ``phone`` is the phone to which the code was sent
    (:attr:`~django_bandwidth_mfa.models.Phone.choice`), or None.  ``signed_in`` is when a first or
    a second factor last passed in this session; 0 if that is not known.  ``owes_recovery_codes`` is
    True if a first phone was confirmed in this session, and no recovery codes have been shown yet.
    """

    user: str
    state: Literal["exempt", "verified"]
    at: float
    checked: float
    method: str | None = None
    phone: str | None = None
    kept: float = 0
    signed_in: float = 0
    owes_recovery_codes: bool = False

    def is_older_than(self, moment: datetime | None) -> bool:
        """Return whether this session was ended at ``moment``, with the sessions of its user.

        It was not if this session itself had ended the others.
        """
        if moment is None or self.kept >= moment.timestamp():
            return False
        return is_before(self.at, moment)


def read_mark(session: SessionBase, user: User) -> Mark | None:
    """Return the mark of the session if it is for ``user``; None otherwise."""
    mark = read_record(session, MARK, Mark)
    return mark if mark is not None and mark.user == str(user.pk) else None


def mark_of_login(session: SessionBase) -> Mark | None:
    """Return the mark for the user in Django's session key, whatever ``request.user`` is."""
    mark = read_record(session, MARK, Mark)
    return mark if mark is not None and mark.user == session.get(SESSION_KEY) else None


def mark_verified(session: SessionBase, user: User, verification: Verification) -> None:
    """Mark the session as verified: a second factor of ``user`` has passed."""
    now = time.time()
    # If the new phone replaced an old one, that has just ended the user's other sessions.
    kept = now if verification.challenge and verification.challenge.purpose == "enrol" else 0
    mark = Mark(
        user=str(user.pk),
        state="verified",
        at=now,
        checked=now,
        method=verification.method,
        phone=verification.phone,
        kept=kept,
        signed_in=now,
    )
    session[MARK] = mark._asdict()


def mark_exempt(session: SessionBase, user: User, *, signed_in: float = 0, kept: float = 0) -> None:
    """Mark the session as exempt: ``user`` owes no code.

    :param signed_in: when the user signed in, in seconds since the epoch; 0 if that is not known.
    :param kept: when this session ended the user's other sessions; 0 if it did not.
    """
    now = time.time()
    mark = Mark(str(user.pk), "exempt", now, now, signed_in=signed_in, kept=kept)
    session[MARK] = mark._asdict()


def signed_in_lately(session: SessionBase, user: User, seconds: float) -> bool:
    """Return whether a factor of ``user`` passed in this session less than ``seconds`` ago."""
    mark = read_mark(session, user)
    return mark is not None and is_within(mark.signed_in, seconds)


def outlive(session: SessionBase, user: User, before: SecondFactor) -> None:
    """Keep this session valid after it has ended the other sessions of ``user``.

    Its key changes.  Otherwise somebody with a copy of the cookie would stay signed in, too.

    :param before: the user's row before this change.  If this session had already been ended then,
        it is not kept.
    """
    mark = read_mark(session, user)
    if mark is not None and not any(
        mark.is_older_than(moment) for moment in (before.verified_since, before.signed_in_since)
    ):
        session[MARK] = mark._asdict() | {"kept": time.time()}
        note_end(session)
        session.cycle_key()


def owe_recovery_codes(session: SessionBase, user: User) -> None:
    """Make the next page of recovery codes create and show a new set."""
    mark = read_mark(session, user)
    if mark is not None:
        session[MARK] = mark._asdict() | {"owes_recovery_codes": True}


def owes_recovery_codes(session: SessionBase, user: User) -> bool:
    """Return whether recovery codes must still be shown after a first phone was confirmed."""
    mark = read_mark(session, user)
    return mark is not None and mark.owes_recovery_codes


def settle_recovery_codes(session: SessionBase, user: User) -> None:
    """Record that recovery codes are now shown."""
    mark = read_mark(session, user)
    if mark is not None and mark.owes_recovery_codes:
        session[MARK] = mark._asdict() | {"owes_recovery_codes": False}


def was_offered_a_phone(session: SessionBase) -> bool:
    """Return whether the suggestion to add a phone was shown in this session."""
    return SUGGESTED in session


def note_offer_of_a_phone(session: SessionBase) -> None:
    """Record that the suggestion to add a phone was shown in this session."""
    session[SUGGESTED] = True


def note_need_of_code(session: SessionBase, page: str) -> None:
    """Record that ``page`` accepts no recovery code, so that its step-up does not offer one.

    This is only for convenience: the page itself checks the method of the verification.
    """
    pages = [one for one in session.get(CODE_ONLY, ()) if one != page]
    session[CODE_ONLY] = [*pages, page][-MOST_PAGES:]


def takes_code_only(session: SessionBase, page: str) -> bool:
    """Return whether ``page`` was recorded as a page that accepts no recovery code."""
    return page in session.get(CODE_ONLY, ())
