"""``manage.py mfa_purge [--dry-run] [--older-than DAYS]``"""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any, NamedTuple

from django.core.management import BaseCommand, CommandError
from django.db.models import Model, QuerySet
from django.utils import timezone

from ...internal.limits import rules
from ...models import Challenge, SpentCode, TrustedBrowser
from ..console import Progress

# Rows per DELETE: enough to be fast, and few enough not to lock a table for long.
BATCH = 1000


class Purge(NamedTuple):
    """The expired rows of one table.

    The rows are deleted in the order of the column ``order``, which has an index.  The rows of a
    batch should be stored next to each other: in the order of random keys, each batch would read
    the whole table.
    """

    name: str
    rows: QuerySet[Model]
    order: str

    def first_of(self, rows: QuerySet[Model]) -> list[tuple[object, object]]:
        """Return the primary key and the value of ``order`` for the first batch of ``rows``."""
        return list(rows.order_by(self.order).values_list("pk", self.order)[:BATCH])


class Command(BaseCommand):
    help = (
        "Delete expired rows: old challenges, used codes that have expired, counters that no "
        "longer limit anybody, and browsers whose trust has ended (TRUST_DAYS). Locks, waits and "
        "recovery codes stay."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--older-than",
            type=int,
            default=30,
            metavar="DAYS",
            help="delete challenges older than this; the default is %(default)s",
        )
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="delete nothing; show how many rows would be deleted",
        )

    def handle(self, *args: Any, **options: Any) -> str:
        days, now = options["older_than"], timezone.now()
        if days < 1:
            raise CommandError("--older-than must be 1 or more: today's challenges are in use.")
        old = now - timedelta(days=days)
        purges = [
            Purge("challenges", Challenge.objects.filter(sent_at__lt=old), "sent_at"),
            Purge("spent codes", SpentCode.objects.filter(expires_at__lte=now), "expires_at"),
            Purge("counters", rules.over(), "moment"),
            # Primary keys increase with time, so the oldest rows come first.
            Purge("trusted browsers", TrustedBrowser.objects.over(), "pk"),
        ]
        lines = []
        for purge in purges:
            many = purge.rows.count() if options["dry_run"] else self.delete(purge)
            lines.append(f"{many} {purge.name}")
        return f"{'Would delete' if options['dry_run'] else 'Deleted'} {', '.join(lines)}."

    def delete(self, purge: Purge) -> int:
        """Delete the rows in batches, each in its own transaction, and return their number.

        After an interruption it can be run again.
        """
        done, progress = 0, Progress(self.stderr, purge.name, purge.rows.count())
        rest = purge.rows
        while batch := purge.first_of(rest):
            # Check the condition again, because a counter may be in use again.
            done += purge.rows.filter(pk__in=[pk for pk, _place in batch]).delete()[0]
            progress.show(done)
            _pk, reached = batch[-1]
            # Otherwise the database would read all deleted entries of the index for each batch.
            rest = purge.rows.filter(**{f"{purge.order}__gte": reached})
        progress.end()
        return done
