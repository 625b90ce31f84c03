"""The alarm for SMS pumping: codes are sent, but few of them are typed."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils import timezone

from ...conf import settings
from ..databases import close_lost_connections
from ..limits import store
from ..notify import events, statistics

# The period, in seconds, whose codes the alarm counts.
CONVERSION_SECONDS = 3600

# Seconds between two counts, for all workers together.
LOOK_EVERY = 600

# When this process last counted, or saw that another process had.
_looked_at: datetime | None = None


@receiver(setting_changed)
def _forget_look(*, setting: str, **kwargs: object) -> None:
    """Forget the last count when a test overrides ``BANDWIDTH_MFA``."""
    global _looked_at
    if setting == "BANDWIDTH_MFA":
        _looked_at = None


def watch_conversion() -> None:
    """Send the alarm if few codes of the last hour were typed.

    Only one worker counts, every ten minutes.  Codes that can still be typed are left out.

    Errors are logged and not raised: the code has been sent, and its user waits for the code page.
    """
    try:
        _look()
    except Exception:
        events.alarm_failed()
        close_lost_connections()


def _look() -> None:
    global _looked_at
    now = timezone.now()
    # Check this process first, which costs nothing.  The database knows about the other processes.
    if _looked_at is not None and now < _looked_at + timedelta(seconds=LOOK_EVERY):
        return
    _looked_at = now
    if not store.claim_turn("conversion", LOOK_EVERY):
        return
    until = now - timedelta(minutes=settings.EXPIRATION_MINUTES)
    conversion = statistics.conversion(until - timedelta(seconds=CONVERSION_SECONDS), until)
    if conversion.is_low:
        events.conversion_fell(conversion)
