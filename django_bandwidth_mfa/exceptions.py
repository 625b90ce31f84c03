"""Why a code was not sent, or could not be tried.

Each says to a person what happened and what to do next: ``str(error)`` may be shown as it is.  A
wrong code is none of these, it is a falsy :class:`~django_bandwidth_mfa.verification.Verification`.
"""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext


class MFAError(Exception):
    """The base of all of them."""

    message: str | Promise = _("The code could not be checked. Please try again.")

    def __str__(self) -> str:
        return str(self.message)


class Limited(MFAError):
    """Too many codes were asked for, or tried; nothing was sent.

    ``retry_after``: whole seconds until it may be tried again, at least 1.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__()
        self.retry_after = max(1, int(-(-retry_after // 1)))

    def __str__(self) -> str:
        return _("Please wait %(wait)s, then try again.") % {"wait": in_words(self.retry_after)}


class Locked(MFAError):
    """So many wrong codes in a row that only a recovery code or staff opens the way again.

    NIST SP 800-63B-4, 3.2.2: at most 100 consecutive failed attempts.
    """

    message = _(
        "Too many wrong codes: codes by phone are switched off for this account. "
        "Use a recovery code, or ask the people who run this site to reset it."
    )


class ChallengeExpired(MFAError):
    """The challenge's time is over, or its phone was removed."""

    message = _("This code has expired. Ask for another one.")


class ChallengeUsed(MFAError):
    """The challenge passed already, or all its tries are spent."""

    message = _("This code can no longer be used. Ask for another one.")


class NumberRefused(MFAError):
    """No code may be sent to this number, or it is none."""

    message: str | Promise = _("We cannot send codes to this number. Please use another one.")

    def __init__(self, message: str | None = None) -> None:
        super().__init__()
        if message is not None:
            self.message = message


class NoPhone(MFAError):
    """The user has no confirmed phone, or none such as was asked for."""

    message = _("There is no such phone on this account.")


class LastPhone(MFAError):
    """The only phone of a user whom the site's policy obliges to have one."""

    message = _(
        "This is your only phone, and you need one to sign in here. "
        "Add another one first, or change this one."
    )


class ProviderUnavailable(MFAError):
    """Bandwidth could not be reached, or did not answer as it should.

    ``may_have_arrived``: the request may have got through, so that a code may be on its way, or the
    one that was typed may be spent.
    """

    message = _("The phone service does not answer right now. Please try again in a moment.")

    def __init__(self, *, may_have_arrived: bool = False) -> None:
        super().__init__()
        self.may_have_arrived = may_have_arrived


def in_words(seconds: int) -> str:
    """``"45 seconds"``, ``"4 minutes"``, ``"2 hours"``: never less than ``seconds``."""
    hours, minutes = -(-seconds // 3600), -(-seconds // 60)
    if seconds > 5400:
        return ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}
    if seconds > 90:
        return ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes}
    return ngettext("%(count)d second", "%(count)d seconds", seconds) % {"count": seconds}
