"""The signals of the app.

All signals are sent with ``send_robust``: if a receiver raises, Django logs the error and nothing
else changes.  No signal contains a code or a full number.  ``request`` can be None.

=========================  =========================================================================
``code_sent``              ``challenge``, ``request``: Bandwidth accepted a code.
``code_send_failed``       ``challenge``, ``error`` (a ``BandwidthError``), ``request``
``code_verified``          ``challenge``, ``request``: Bandwidth answered that the code is right,
                           and this is its first use.
``code_rejected``          ``challenge``, ``request``: the code was wrong, or used before.
``send_refused``           ``challenge`` (unsaved), ``error`` (``Limited`` or ``Locked``),
                           ``request``: nothing was sent.  It may be sent often, so its receivers
                           must be fast.
``try_refused``            ``challenge``, ``error`` (``Limited``, ``Locked``, ``ChallengeExpired``
                           or ``ChallengeUsed``), ``request``: the code was not checked.  It may be
                           sent often, so its receivers must be fast.
``call_began``             ``call`` (a :class:`BandwidthCall`), in the thread that makes the call,
                           before the call waits for a place
``call_ended``             ``call``, in the same thread: the call was answered, has failed, or was
                           not made.
``locked_out``             ``user``, ``request``: the user reached ``FAILURES_BEFORE_LOCK``.
``login_completed``        ``user``, ``request``, ``method`` (None if no code was owed): once per
                           login, when it is complete.
``access_refused``         ``error`` (``Unauthorized`` or ``Forbidden``), ``request``: Bandwidth
                           refuses the site's credentials, so no code is sent.  Alert staff.
``conversion_fell``        ``conversion``, with ``sent``, ``entered`` and ``rate``: few codes of the
                           last hour were typed, which can be a sign of SMS pumping.
``wrong_codes``            ``user``, ``request``: after a right password, ``FAILURES_BEFORE_WAIT``
                           wrong codes in a row; at most once a day.
``phone_confirmed``        ``phone``, ``user``, ``request``
``phone_removed``          ``phone``, ``user``, ``by`` (staff, or None), ``was_last`` (whether the
                           user has no phone now), ``cancelled_codes`` (whether the user had unused
                           recovery codes, which no longer work), ``request``; also when another
                           phone replaces it.
``primary_phone_changed``  ``phone`` (the new primary phone), ``user``, ``request``
``recovery_code_used``     ``user``, ``request``
``recovery_codes_made``    ``user``, ``cancelled_old`` (whether the user had unused codes, which no
                           longer work), ``request``
``browser_trusted``        ``browser``, ``user``, ``request``
``browsers_forgotten``     ``many``, ``user``, ``by`` (staff, or None), ``owes_code`` (whether a
                           login there owes a code now), ``request``
``signed_out_others``      ``user``, ``request`` (None if no session of the user was kept)
``second_factor_reset``    ``user``, ``by`` (staff, or None), ``forget_phones``, ``has_phone``
                           (whether the user still has a phone), ``request``
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
    """One call to Bandwidth.  It contains no number, no code and no user.

    Before the call ends, only ``operation`` and ``purpose`` are known.
    """

    operation: str
    """The last part of Bandwidth's URL: ``"messaging"``, ``"voice"`` or ``"verify"``."""

    purpose: str
    """``"login"``, ``"step-up"`` or ``"enrol"``."""

    was_made: bool = False
    """Whether Bandwidth was called: a place was free, and the circuit breaker was not open."""

    waited: float = 0
    """How long the call waited for a place, in seconds."""

    seconds: float = 0
    """The seconds from begin to end, including the wait for a place and the request for a token."""

    error: Exception | None = None
    """The error that the call raised, usually a ``BandwidthError``; None if Bandwidth answered."""

    breaker_is_open: bool = False
    """Whether the circuit breaker of this process was open when the call ended."""


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
