"""Sentences with a time in them, which stay true while a page is open.

A site does not know the time zone of its visitor, and a time of day in the wrong zone is worse than
none.  So a sentence names a time of day only if the zone is known:

* on the server, if the site has activated a zone for this visitor (``timezone.activate``) other
    than ``TIME_ZONE``;
* in the script of the page, which uses the zone of the visitor's device.

Otherwise the sentence names a duration, in words that stay true while the page is open: "It works
for 3 minutes after we sent it", "Wait 29 seconds before you get a new code."

A wait is rounded up, and shown two seconds longer than it is: the clock of the machine that creates
the page may be two seconds ahead of the clock of the machine that checks the next request, and a
button must not be refused after the moment that the page has named.  The lifetime of a code is
rounded down, and shown two seconds shorter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings as django_settings
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..login.clock import CLOCK_DIFFERENCE
from ..plain_text import end_once

# Up to so many seconds a wait is shown as a countdown; a longer one with a time of day.
LONGEST_COUNTDOWN = 120


@dataclass(frozen=True)
class Timed:
    """A sentence about a moment, and its replacements by the script of the page.

    ``text`` stays true while the page is open.  The moment is ``seconds`` away.  Before it, the
    script shows ``countdown`` or ``clock``, with the time in place of ``{time}``, and after it
    ``over``.  If one of these is empty, the script keeps the text.
    """

    text: str
    seconds: int
    countdown: str = ""
    clock: str = ""
    over: str = ""


def rounded_up(seconds: float) -> int:
    """Return the wait in whole seconds, rounded up and with two seconds added; 0 for no wait."""
    return math.ceil(seconds) + CLOCK_DIFFERENCE if seconds > 0 else 0


def works_until(left: float, lives: float) -> Timed:
    """Return the sentence that says until when a code works.

    :param left: the seconds until the code expires.
    :param lives: the whole lifetime of the code, in seconds.
    """
    left = max(0, math.floor(left) - CLOCK_DIFFERENCE)
    # Translators: "It" is a code. %(time)s is a time of day, such as 15:07, with the date if it is
    # not today.
    clock = _("It works until %(time)s.")
    if has_own_zone():
        text = _at(clock, timezone.now() + timedelta(seconds=left))
        return Timed(text, left, over=_("The time for this code is over. Get a new one."))
    return Timed(
        _works_for(lives),
        left,
        clock=clock % {"time": "{time}"},
        over=_("The time for this code is over. Get a new one."),
    )


def until_send(seconds: float) -> Timed:
    """Return the sentence that says when a new code can be sent.

    :param seconds: the seconds until then.
    """
    seconds = rounded_up(seconds)
    # Translators: %(time)s is a time of day, such as 15:07, with the date if it is not today.
    clock = _("You can get a new code at %(time)s.")
    # Translators: %(time)s is a countdown of minutes and seconds, such as 0:29.
    countdown = _("You can get a new code in %(time)s.")
    return _wait(
        seconds, _wait_for_code(seconds), clock, countdown, _("You can get a new code now.")
    )


def until_try(seconds: float) -> Timed:
    """Return the sentence that says when the next code is checked.

    :param seconds: the seconds until then.
    """
    seconds = rounded_up(seconds)
    # Translators: %(time)s is a time of day, such as 15:07, with the date if it is not today.
    clock = _("You can try again at %(time)s.")
    # Translators: %(time)s is a countdown of minutes and seconds, such as 0:29.
    countdown = _("You can try again in %(time)s.")
    return _wait(seconds, _wait_for_try(seconds), clock, countdown, _("You can try again now."))


def _wait(seconds: int, text: str, clock: str, countdown: str, over: str) -> Timed:
    placeholder = {"time": "{time}"}
    is_long = seconds > LONGEST_COUNTDOWN
    if is_long and has_own_zone():
        # Round up to the next full minute.
        moment = timezone.now() + timedelta(seconds=seconds + 59)
        return Timed(_at(clock, moment), seconds, over=over)
    return Timed(
        text,
        seconds,
        countdown="" if is_long else countdown % placeholder,
        clock=clock % placeholder if is_long else "",
        over=over,
    )


def has_own_zone() -> bool:
    """Return whether the site has activated a time zone for this visitor."""
    if not django_settings.USE_TZ:
        return False
    return timezone.get_current_timezone_name() != timezone.get_default_timezone_name()


def _at(sentence: str, moment: datetime) -> str:
    """Return ``sentence`` with the time of ``moment``."""
    return end_once(sentence % {"time": clock_time(moment)})


def clock_time(moment: datetime) -> str:
    """Return the time of ``moment`` in the active zone, with the date if it is not today."""
    local, today = timezone.localtime(moment), timezone.localdate()
    return date_format(local, "TIME_FORMAT" if local.date() == today else "DATETIME_FORMAT")


def _works_for(seconds: float) -> str:
    minutes = int(seconds // 60)
    if not minutes:
        text = ngettext(
            "It works for %(count)d second after we sent it.",
            "It works for %(count)d seconds after we sent it.",
            int(seconds),
        )
        return text % {"count": int(seconds)}
    # Translators: "It" is a code.
    text = ngettext(
        "It works for %(count)d minute after we sent it.",
        "It works for %(count)d minutes after we sent it.",
        minutes,
    )
    return text % {"count": minutes}


def _wait_for_code(seconds: int) -> str:
    hours, minutes = math.ceil(seconds / 3600), math.ceil(seconds / 60)
    if seconds > 5400:
        text = ngettext(
            "Wait %(count)d hour before you get a new code.",
            "Wait %(count)d hours before you get a new code.",
            hours,
        )
        return text % {"count": hours}
    if seconds > 90:
        text = ngettext(
            "Wait %(count)d minute before you get a new code.",
            "Wait %(count)d minutes before you get a new code.",
            minutes,
        )
        return text % {"count": minutes}
    text = ngettext(
        "Wait %(count)d second before you get a new code.",
        "Wait %(count)d seconds before you get a new code.",
        seconds,
    )
    return text % {"count": seconds}


def _wait_for_try(seconds: int) -> str:
    hours, minutes = math.ceil(seconds / 3600), math.ceil(seconds / 60)
    if seconds > 5400:
        text = ngettext(
            "Wait %(count)d hour before you try again.",
            "Wait %(count)d hours before you try again.",
            hours,
        )
        return text % {"count": hours}
    if seconds > 90:
        text = ngettext(
            "Wait %(count)d minute before you try again.",
            "Wait %(count)d minutes before you try again.",
            minutes,
        )
        return text % {"count": minutes}
    text = ngettext(
        "Wait %(count)d second before you try again.",
        "Wait %(count)d seconds before you try again.",
        seconds,
    )
    return text % {"count": seconds}
