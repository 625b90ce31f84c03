"""The mark of a logged-in session: whether a second factor passed, when, and how."""

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

# Of so many pages the session knows that they take a code and nothing else: tabs that are open.
MOST_PAGES = 5


# A request that looks at the user reads one up to three times.  A named tuple is made in 0.4
# microseconds, a frozen dataclass in 1.1.
class Mark(NamedTuple):
    """What a logged-in session has shown.  It names its user, and is void for any other.

    Moments are seconds since the epoch.  ``at`` is when the session was verified, or found exempt.
    ``checked`` is when the database last confirmed it.  ``kept`` is when this session ended the
    other sessions of its user.  ``phone`` is the phone that the code went to
    (:attr:`~django_bandwidth_mfa.models.Phone.choice`), if it went to one.
    ``signed_in`` is when a first factor or a second one last passed in this session; 0 if that was
    before this app saw the session.  ``owes_recovery_codes`` says that a first phone was confirmed
    here, and that no recovery codes have been shown yet.
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
        """Return whether ``moment``, which ended the sessions of the user, ended this one, too.

        It did not if this session itself asked for it.
        """
        if moment is None or self.kept >= moment.timestamp():
            return False
        return is_before(self.at, moment)


def read_mark(session: SessionBase, user: User) -> Mark | None:
    """Return the mark of the session, if it is ``user``'s."""
    mark = read_record(session, MARK, Mark)
    return mark if mark is not None and mark.user == str(user.pk) else None


def mark_of_login(session: SessionBase) -> Mark | None:
    """Return the mark of the user whom the session names, whatever ``request.user`` is."""
    mark = read_record(session, MARK, Mark)
    return mark if mark is not None and mark.user == session.get(SESSION_KEY) else None


def mark_verified(session: SessionBase, user: User, verification: Verification) -> None:
    """Note that a second factor of ``user`` passed in this session."""
    now = time.time()
    # A new phone that took the place of an old one has just ended the user's other sessions.
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
    """Note that ``user`` owes no code.

    :param signed_in: when they signed in, if that is known.
    :param kept: when this session ended the user's other sessions, if it did.
    """
    now = time.time()
    mark = Mark(str(user.pk), "exempt", now, now, signed_in=signed_in, kept=kept)
    session[MARK] = mark._asdict()


def signed_in_lately(session: SessionBase, user: User, seconds: float) -> bool:
    """Return whether ``user`` gave a first or a second factor here less than ``seconds`` ago."""
    mark = read_mark(session, user)
    return mark is not None and is_within(mark.signed_in, seconds)


def outlive(session: SessionBase, user: User, before: SecondFactor) -> None:
    """Keep this session, which has just ended the other sessions of ``user``.

    Its key changes.  Otherwise a copied cookie would stay signed in, too.

    :param before: the row before this change.  If that row had already ended this session, nothing
        is kept.
    """
    mark = read_mark(session, user)
    if mark is not None and not any(
        mark.is_older_than(moment) for moment in (before.verified_since, before.signed_in_since)
    ):
        session[MARK] = mark._asdict() | {"kept": time.time()}
        note_end(session)
        session.cycle_key()


def owe_recovery_codes(session: SessionBase, user: User) -> None:
    """Have the next page that shows recovery codes make a set."""
    mark = read_mark(session, user)
    if mark is not None:
        session[MARK] = mark._asdict() | {"owes_recovery_codes": True}


def owes_recovery_codes(session: SessionBase, user: User) -> bool:
    """Return whether a first phone was confirmed here, and no recovery codes have been shown
    yet."""
    mark = read_mark(session, user)
    return mark is not None and mark.owes_recovery_codes


def settle_recovery_codes(session: SessionBase, user: User) -> None:
    """Note that recovery codes are shown now, so that none are owed."""
    mark = read_mark(session, user)
    if mark is not None and mark.owes_recovery_codes:
        session[MARK] = mark._asdict() | {"owes_recovery_codes": False}


def was_offered_a_phone(session: SessionBase) -> bool:
    """Return whether this session has seen the offer to add a phone."""
    return SUGGESTED in session


def note_offer_of_a_phone(session: SessionBase) -> None:
    """Offer no phone again in this session."""
    session[SUGGESTED] = True


def note_need_of_code(session: SessionBase, page: str) -> None:
    """Note that ``page`` takes no recovery code, so that its step-up offers none.

    It is a help, and no guard: the page itself asks how its visitor was verified.
    """
    pages = [one for one in session.get(CODE_ONLY, ()) if one != page]
    session[CODE_ONLY] = [*pages, page][-MOST_PAGES:]


def takes_code_only(session: SessionBase, page: str) -> bool:
    """Return whether a visitor was led here from ``page``, which takes no recovery code."""
    return page in session.get(CODE_ONLY, ())
