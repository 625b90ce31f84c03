"""Figures about sent codes: how many of them were typed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q

from ...models import Challenge

# In SMS pumping, codes are sent to machines, which do not type them.  People type most codes, so
# less than half in an hour is a sign of pumping.  With fewer than 20 codes it may be chance.
CONVERSION_FLOOR = 0.5
CONVERSION_SAMPLE = 20


@dataclass(frozen=True)
class Conversion:
    """The number of sent codes, and how many of them were typed.

    ``sent`` counts the codes that were or may have been sent.  ``entered`` counts those that
    passed.
    """

    sent: int
    entered: int

    @property
    def rate(self) -> float | None:
        """The part of the codes that was typed, from 0 to 1; None if nothing was sent."""
        return round(self.entered / self.sent, 3) if self.sent else None

    @property
    def is_low(self) -> bool:
        """Whether so few codes were typed that it may be SMS pumping."""
        return self.sent >= CONVERSION_SAMPLE and self.entered < self.sent * CONVERSION_FLOOR


def conversion(since: datetime, until: datetime | None = None) -> Conversion:
    """Return the conversion of codes sent from ``since`` until ``until``; None means until now."""
    sent = Challenge.objects.filter(sent_at__gte=since, failure="")
    if until is not None:
        sent = sent.filter(sent_at__lt=until)
    return Conversion(
        **sent.aggregate(sent=Count("pk"), entered=Count("pk", filter=Q(passed_at__isnull=False)))
    )
