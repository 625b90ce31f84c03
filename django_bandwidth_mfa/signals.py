"""What other code may hear of.

All are sent with ``send_robust``: a receiver that raises is logged by Django and changes nothing.
None carries a code or a full number.  ``request`` is None where there was none.

=========================  =========================================================================
``code_sent``              ``challenge``, ``request``: Bandwidth accepted a code.
``code_send_failed``       ``challenge``, ``error`` (a ``BandwidthError``), ``request``
``code_verified``          ``challenge``, ``request``: Bandwidth answered that the code is right,
                           and this is its first use.
``code_rejected``          ``challenge``, ``request``: the code was wrong, or used before.
``send_refused``           ``challenge`` (unsaved), ``error`` (``Limited`` or ``Locked``),
                           ``request``: nothing was sent.  It may come often: do little.
``try_refused``            ``challenge``, ``error`` (those, ``ChallengeExpired`` or
                           ``ChallengeUsed``), ``request``: the code was not checked.  It may come
                           often: do little.
``call_began``             ``call`` (a :class:`BandwidthCall`), in the thread that makes the call,
                           before it waits for a place
``call_ended``             ``call``, in the same thread: answered, failed, or not made
``locked_out``             ``user``, ``request``: the user reached ``FAILURES_BEFORE_LOCK``.
``login_completed``        ``user``, ``request``, ``method`` (None where no code was owed): once per
                           login, when all that it owed is paid.
``access_refused``         ``error`` (``Unauthorized`` or ``Forbidden``), ``request``: Bandwidth
                           refuses the site itself, so nobody is sent a code.  Wake somebody up.
``conversion_fell``        ``conversion``, with ``sent``, ``entered`` and ``rate``: so few of the
                           last hour's codes were typed that somebody may be pumping messages.
``wrong_codes``            ``user``, ``request``: the password was right, and so many codes in a row
                           wrong (``FAILURES_BEFORE_WAIT``); once a day at most.
``phone_confirmed``        ``phone``, ``user``, ``request``
``phone_removed``          ``phone``, ``user``, ``request``; also when another took its place.
``primary_phone_changed``  ``phone`` (the primary one now), ``user``, ``request``
``recovery_code_used``     ``user``, ``request``
``recovery_codes_made``    ``user``, ``request``: a new set, which voids the old one.
``browser_trusted``        ``browser``, ``user``, ``request``
``browsers_forgotten``     ``many``, ``user``, ``request``
``signed_out_others``      ``user``, ``request``
``second_factor_reset``    ``user``, ``by`` (staff, or None), ``forget_phones``, ``request``
=========================  =========================================================================
"""

from __future__ import annotations

from dataclasses import dataclass

from django.dispatch import Signal

__all__ = [
    "BandwidthCall",
    "access_refused",
    "browser_trusted",
    "browsers_forgotten",
    "call_began",
    "call_ended",
    "code_rejected",
    "code_send_failed",
    "code_sent",
    "code_verified",
    "conversion_fell",
    "locked_out",
    "login_completed",
    "phone_confirmed",
    "phone_removed",
    "primary_phone_changed",
    "recovery_code_used",
    "recovery_codes_made",
    "second_factor_reset",
    "send_refused",
    "signed_out_others",
    "try_refused",
    "wrong_codes",
]


@dataclass(eq=False)
class BandwidthCall:
    """One call to Bandwidth.  It carries no number, no code and no user.

    Before the call ends, only ``operation`` and ``purpose`` are known.
    """

    operation: str
    """``"messaging"``, ``"voice"`` or ``"verify"``, as Bandwidth's addresses end."""

    purpose: str
    """``"login"``, ``"step-up"`` or ``"enrol"``."""

    was_made: bool = False
    """Whether Bandwidth was called: there was a place, and the breaker was not open."""

    waited: float = 0
    """For how many seconds it waited for a place."""

    seconds: float = 0
    """How many seconds it took, the wait and fetching a token included."""

    error: Exception | None = None
    """What it raised, a ``BandwidthError`` in most cases; None if Bandwidth answered."""

    breaker_is_open: bool = False
    """Whether the circuit breaker of this process was open when it ended."""


code_sent = Signal()
code_send_failed = Signal()
code_verified = Signal()
code_rejected = Signal()
send_refused = Signal()
try_refused = Signal()
call_began = Signal()
call_ended = Signal()
locked_out = Signal()
access_refused = Signal()
conversion_fell = Signal()
login_completed = Signal()
wrong_codes = Signal()
phone_confirmed = Signal()
phone_removed = Signal()
primary_phone_changed = Signal()
recovery_code_used = Signal()
recovery_codes_made = Signal()
browser_trusted = Signal()
browsers_forgotten = Signal()
signed_out_others = Signal()
second_factor_reset = Signal()
