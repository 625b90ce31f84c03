"""Figures about codes that were sent: how many of them people typed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q

from ...models import Challenge

# Pumped messages reach machines that type no codes.  People type most of theirs, so fewer than
# half of an hour's codes is a sign.  Under 20 codes it is chance.
CONVERSION_FLOOR = 0.5
CONVERSION_SAMPLE = 20


@dataclass(frozen=True)
class Conversion:
    """Codes sent against codes typed.

    ``sent``: codes that went out, or may have gone out.  ``entered``: those of them that passed.
    """

    sent: int
    entered: int

    @property
    def rate(self) -> float | None:
        """From 0 to 1; None if nothing was sent."""
        return round(self.entered / self.sent, 3) if self.sent else None

    @property
    def is_low(self) -> bool:
        """Whether so few codes were typed that somebody may be pumping messages."""
        return self.sent >= CONVERSION_SAMPLE and self.entered < self.sent * CONVERSION_FLOOR


def conversion(since: datetime, until: datetime | None = None) -> Conversion:
    """Return the conversion of the codes that were sent from ``since`` to ``until`` (now)."""
    sent = Challenge.objects.filter(sent_at__gte=since, failure="")
    if until is not None:
        sent = sent.filter(sent_at__lt=until)
    return Conversion(
        **sent.aggregate(sent=Count("pk"), entered=Count("pk", filter=Q(passed_at__isnull=False)))
    )
