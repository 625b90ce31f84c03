"""Moments in sessions, on machines whose clocks differ by up to two seconds.

All moments are seconds since the epoch.
"""

from __future__ import annotations

import time
from datetime import datetime

# Seconds.  So far a clock may be ahead of or behind another one.
CLOCK_DIFFERENCE = 2


def is_within(moment: float, seconds: float) -> bool:
    """Return whether ``moment`` was less than ``seconds`` ago.

    A moment in the near future counts as now: a machine whose clock is ahead wrote it.  A moment
    further in the future does not count, or a clock that was set back would keep it for ever.
    """
    ago = time.time() - moment
    return ago >= -CLOCK_DIFFERENCE and max(ago, 0) < seconds


def is_before(began: float, end: datetime | None) -> bool:
    """Return whether a session that ``began`` then was ended by the moment ``end``.

    Doubt counts against the session: one that began up to two seconds after ``end`` is ended, too.
    Its machine's clock may be ahead.

    :param end: None if no session was ended.
    """
    return end is not None and began < end.timestamp() + CLOCK_DIFFERENCE
