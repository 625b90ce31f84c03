"""The alarm for pumped messages: codes that are sent and that nobody types."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from ...conf import settings
from ..databases import close_lost_connections
from ..limits import store
from ..notify import events, statistics

# Seconds.  The alarm looks at the codes of so long a time.
CONVERSION_SECONDS = 3600

# Seconds between two looks, by all workers together.
LOOK_EVERY = 600


def watch_conversion() -> None:
    """Raise the alarm if few of the last hour's codes were typed.

    Only one worker looks, every ten minutes.  Codes that can still be typed are left out.

    It raises nothing: the code has been sent, and its user waits for the page that takes it.  An
    error is logged.
    """
    try:
        _look()
    except Exception:
        events.alarm_failed()
        close_lost_connections()


def _look() -> None:
    if not store.claim_turn("conversion", LOOK_EVERY):
        return
    until = timezone.now() - timedelta(minutes=settings.EXPIRATION_MINUTES)
    found = statistics.conversion(until - timedelta(seconds=CONVERSION_SECONDS), until)
    if found.is_low:
        events.conversion_fell(found)
