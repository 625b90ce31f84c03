"""Comparisons of moments, for machines whose clocks differ by up to two seconds.

All moments are in seconds since the epoch.
"""

from __future__ import annotations

import time
from datetime import datetime

# The largest difference between the clocks of two machines, in seconds.
CLOCK_DIFFERENCE = 2


def is_within(moment: float, seconds: float) -> bool:
    """Return whether ``moment`` was less than ``seconds`` ago.

    A moment up to two seconds in the future counts as now: the clock of another machine may be
    ahead.  A moment further in the future does not count.  Otherwise it would count for too long
    after a clock was set back.
    """
    ago = time.time() - moment
    return ago >= -CLOCK_DIFFERENCE and max(ago, 0) < seconds


def is_before(began: float, end: datetime | None) -> bool:
    """Return whether a session that began at ``began`` was ended at ``end``.

    A session that began up to two seconds after ``end`` counts as ended, too, because the clock of
    its machine may be ahead.

    :param end: the moment at which all sessions were ended; None if they never were.
    """
    return end is not None and began < end.timestamp() + CLOCK_DIFFERENCE
