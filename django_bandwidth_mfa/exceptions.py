"""The errors of the app: why a code was not sent, or could not be checked.

``str(error)`` is a translated sentence for the user: it says what happened and what to do next.

A wrong code raises no error.  The result is then a
:class:`~django_bandwidth_mfa.verification.Verification` whose ``passed`` is False.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

__all__ = [
    "Busy",
    "ChallengeExpired",
    "ChallengeUsed",
    "CodeOwed",
    "LastPhone",
    "Limited",
    "Locked",
    "MFAError",
    "NoPhone",
    "NumberRefused",
    "ProviderUnavailable",
    "SessionEnded",
    "TicketInvalid",
]


# The limits on sending.  For these, the message says when the user can get the next code.
_LIMITS_OF_SENDS = {"cooldown", "user", "number", "prefix", "address", "country", "site"}

_SITE_CANNOT_SEND = _("This site cannot send more codes at this moment. It is not your fault.")


class MFAError(Exception):
    """The base class of all errors of this app."""

    message: str | Promise = _("The code could not be checked. Please try again.")

    def __str__(self) -> str:
        return str(self.message)


class Limited(MFAError):
    """Too many codes were requested, or typed.  Nothing was sent or checked."""

    retry_after: int
    """Whole seconds until the same request is allowed again; at least 1."""

    limit: str
    """The limit that refused the request.

    ``"cooldown"``
        The wait between two codes of a user (``RESEND_COOLDOWN``).
    ``"user"``, ``"number"``, ``"prefix"``, ``"address"``, ``"country"``, ``"site"``
        A key of ``SEND_LIMITS`` or ``SEND_CEILINGS``.
    ``"wrong_codes"``, ``"wrong_recovery_codes"``
        The wait after too many wrong codes in a row.
    ``"tries"``
        Too many codes were typed to enrol this number.
    ``"recovery_sets"``
        Too many new sets of recovery codes were made.
    ``"provider"``
        Bandwidth asked for the wait.
    """

    reasons: Mapping[str, str | Promise] = {
        # No reason: the sentence about the wait is enough.
        "cooldown": "",
        "user": _("You have asked for too many codes."),
        "number": _("Too many codes were sent to this phone."),
        "address": _(
            "Too many codes were asked for from your network. "
            "Another network, such as a mobile one, may work."
        ),
        "prefix": _SITE_CANNOT_SEND,
        "country": _SITE_CANNOT_SEND,
        "site": _SITE_CANNOT_SEND,
        "wrong_codes": _("Too many wrong codes."),
        "wrong_recovery_codes": _("Too many wrong recovery codes."),
        "tries": _("Too many codes were typed for this phone number."),
        "recovery_sets": _("You have made new recovery codes too often."),
        "provider": _("The phone service asks us to wait."),
    }
    """The reason for each :attr:`limit`: a sentence for the user, or an empty text."""

    def __init__(self, retry_after: float, limit: str = "provider") -> None:
        super().__init__()
        self.retry_after = max(1, math.ceil(retry_after))
        self.limit = limit

    def __str__(self) -> str:
        is_send = self.limit in _LIMITS_OF_SENDS
        wait = _next_code_in(self.retry_after) if is_send else _next_try_in(self.retry_after)
        return f"{self.reasons.get(self.limit, '')} {wait}".strip()


class Busy(MFAError):
    """Too many calls to Bandwidth are running at this moment.  Bandwidth was not called.

    No limit counts this request, and Bandwidth is not down.  The same request can succeed a few
    seconds later.
    """

    retry_after: int
    """Whole seconds until the same request is allowed again; at least 1."""

    message = _("The site is busy at this moment. Please try again in a few seconds.")

    def __init__(self, retry_after: float) -> None:
        super().__init__()
        self.retry_after = max(1, math.ceil(retry_after))


class Locked(MFAError):
    """Codes by phone are switched off for the user, after too many wrong codes in a row.

    A recovery code, or staff, switches them on again.  NIST SP 800-63B-4, 3.2.2, allows at most 100
    consecutive failed attempts.
    """

    message = _(
        "Codes by phone are switched off for this account after too many wrong ones. "
        "Use a recovery code, or contact support."
    )


class ChallengeExpired(MFAError):
    """The challenge has expired, or its phone was removed."""

    message = _("This code has expired. Get a new one.")


class ChallengeUsed(MFAError):
    """The challenge has already passed, or has no tries left."""

    message = _("This code has been used, or was tried too often. Get a new one.")


class SessionEnded(MFAError):
    """The session was logged out, or ended, while the second factor was being checked."""

    message = _("You were signed out in the meantime. Please sign in again.")


class TicketInvalid(MFAError):
    """A login ticket or a completion is not valid, or is no longer valid."""

    message = _("This sign-in is over. Please sign in again.")


class NumberRefused(MFAError):
    """The text is not a phone number, or codes must not be sent to this number."""

    message: str | Promise = _("We cannot send codes to this number. Please use another one.")

    def __init__(self, message: str | None = None) -> None:
        super().__init__()
        if message is not None:
            self.message = message


class NoPhone(MFAError):
    """The user has no confirmed phone, or does not have the requested phone."""

    message = _("There is no such phone on this account.")


class CodeOwed(MFAError):
    """A login needs a code, but there is no page on which the user can type one.

    ``channels.auth.login()`` raises it, in a WebSocket.
    """

    message = _("A code is needed to sign in. Please sign in on the site first.")


class LastPhone(MFAError):
    """The phone cannot be removed: it is the user's only phone, and the policy requires one."""

    message = _(
        "This is your only phone, and you need one to sign in here. "
        "Add another one first, or change this one."
    )


class ProviderUnavailable(MFAError):
    """Bandwidth could not be reached, or gave an unexpected answer."""

    may_have_arrived: bool
    """Whether Bandwidth may have received the request.

    In that case the code may have been sent, or the typed code may be used up.
    """

    message = _("The phone service does not answer right now. Please try again in a moment.")

    def __init__(self, *, may_have_arrived: bool = False) -> None:
        super().__init__()
        self.may_have_arrived = may_have_arrived


def _next_code_in(seconds: int) -> str:
    """Return the sentence that says when the next code can be sent, rounded up from ``seconds``."""
    hours, minutes = math.ceil(seconds / 3600), math.ceil(seconds / 60)
    if seconds > 5400:
        text = ngettext(
            "You can get another code in %(count)d hour.",
            "You can get another code in %(count)d hours.",
            hours,
        )
        return text % {"count": hours}
    if seconds > 90:
        text = ngettext(
            "You can get another code in %(count)d minute.",
            "You can get another code in %(count)d minutes.",
            minutes,
        )
        return text % {"count": minutes}
    text = ngettext(
        "You can get another code in %(count)d second.",
        "You can get another code in %(count)d seconds.",
        seconds,
    )
    return text % {"count": seconds}


def _next_try_in(seconds: int) -> str:
    """Return the sentence that says when the user can try again, rounded up from ``seconds``."""
    hours, minutes = math.ceil(seconds / 3600), math.ceil(seconds / 60)
    if seconds > 5400:
        text = ngettext(
            "You can try again in %(count)d hour.", "You can try again in %(count)d hours.", hours
        )
        return text % {"count": hours}
    if seconds > 90:
        text = ngettext(
            "You can try again in %(count)d minute.",
            "You can try again in %(count)d minutes.",
            minutes,
        )
        return text % {"count": minutes}
    text = ngettext(
        "You can try again in %(count)d second.",
        "You can try again in %(count)d seconds.",
        seconds,
    )
    return text % {"count": seconds}


def in_words(seconds: int) -> str:
    """Return ``seconds`` in words, rounded up: "45 seconds", "4 minutes" or "2 hours"."""
    hours, minutes = math.ceil(seconds / 3600), math.ceil(seconds / 60)
    if seconds > 5400:
        return ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}
    if seconds > 90:
        return ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes}
    return ngettext("%(count)d second", "%(count)d seconds", seconds) % {"count": seconds}
