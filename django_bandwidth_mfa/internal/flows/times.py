"""Sentences with a time in them, which stay true while a page is open.

Nobody tells a site in which time zone its visitor is.  A clock in the wrong zone is worse than no
clock.  So a sentence names a time of day only where the zone is known:

* by the server, if the site has activated a zone for this visitor (``timezone.activate``), which is
  not the zone of ``TIME_ZONE``;
* by the script of the page, in the zone of the visitor's own device.

Otherwise it names a span of time, worded so that it does not become false while the page is open:
"It works for 3 minutes after we sent it", "Wait 29 seconds before you get a new code."

All that has to be waited for is rounded up, and told two seconds longer than it is.  The machine
that makes the page may have a clock that is two seconds ahead of the one that judges the button,
and no button refuses after the moment it named.  What works is rounded down, and told shorter.
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

# Seconds.  A shorter wait is counted down, a longer one is told by the clock.
LONGEST_COUNTDOWN = 120


@dataclass(frozen=True)
class Timed:
    """A sentence, and what the script of the page makes of it.

    ``text`` is true for as long as the page is open.  The moment is ``seconds`` away.  Until then
    the script shows ``countdown`` or ``clock``, with the time in the place of ``{time}``, and then
    ``over``.  An empty one leaves the text as it is.
    """

    text: str
    seconds: int
    countdown: str = ""
    clock: str = ""
    over: str = ""


def rounded_up(seconds: float) -> int:
    """Return whole seconds after which nobody is refused any more; 0 if there is no wait."""
    return math.ceil(seconds) + CLOCK_DIFFERENCE if seconds > 0 else 0


def works_until(left: float, lives: float) -> Timed:
    """Say until when a code works.

    :param left: seconds that it works from now on.
    :param lives: seconds that it works in all.
    """
    left = max(0, math.floor(left) - CLOCK_DIFFERENCE)
    # Translators: Of a code. %(time)s is a time of day, such as 15:07; on another day with its
    # date before it.
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
    """Say when a new code can be sent.

    :param seconds: until then it is refused.
    """
    seconds = rounded_up(seconds)
    # Translators: %(time)s is a time of day, such as 15:07; on another day with its date before it.
    clock = _("You can get a new code at %(time)s.")
    # Translators: %(time)s is a countdown of minutes and seconds, such as 0:29.
    countdown = _("You can get a new code in %(time)s.")
    return _wait(
        seconds, _wait_for_code(seconds), clock, countdown, _("You can get a new code now.")
    )


def until_try(seconds: float) -> Timed:
    """Say when the next code is checked.

    :param seconds: until then none is.
    """
    seconds = rounded_up(seconds)
    # Translators: %(time)s is a time of day, such as 15:07; on another day with its date before it.
    clock = _("You can try again at %(time)s.")
    # Translators: %(time)s is a countdown of minutes and seconds, such as 0:29.
    countdown = _("You can try again in %(time)s.")
    return _wait(seconds, _wait_for_try(seconds), clock, countdown, _("You can try again now."))


def _wait(seconds: int, text: str, clock: str, countdown: str, over: str) -> Timed:
    placeholder = {"time": "{time}"}
    is_long = seconds > LONGEST_COUNTDOWN
    if is_long and has_own_zone():
        # The next full minute: never sooner than the moment.
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
    """Return ``sentence`` with the time of ``moment``.  English times may end in a full stop."""
    return (sentence % {"time": clock_time(moment)}).replace("..", ".")


def clock_time(moment: datetime) -> str:
    """Return the time of day of ``moment`` in the active zone, with the date on another day."""
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
    # Translators: Of a code.
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
