"""The alarm for pumped messages: codes that are sent and that nobody types."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils import timezone

from ...conf import settings
from ..databases import close_lost_connections
from ..limits import store
from ..notify import events, statistics

# Seconds.  The alarm looks at the codes of so long a time.
CONVERSION_SECONDS = 3600

# Seconds between two looks, by all workers together.
LOOK_EVERY = 600

# When this process has looked last, or found that another one had.
_looked_at: datetime | None = None


@receiver(setting_changed)
def _forget_look(*, setting: str, **kwargs: object) -> None:
    """In tests: look again when ``BANDWIDTH_MFA`` is overridden."""
    global _looked_at
    if setting == "BANDWIDTH_MFA":
        _looked_at = None


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
    global _looked_at
    now = timezone.now()
    # This process first: it costs nothing.  The database knows when another one has looked.
    if _looked_at is not None and now < _looked_at + timedelta(seconds=LOOK_EVERY):
        return
    _looked_at = now
    if not store.claim_turn("conversion", LOOK_EVERY):
        return
    until = now - timedelta(minutes=settings.EXPIRATION_MINUTES)
    found = statistics.conversion(until - timedelta(seconds=CONVERSION_SECONDS), until)
    if found.is_low:
        events.conversion_fell(found)
