"""``manage.py mfa_purge [--dry-run] [--older-than DAYS]``"""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.db.models import Model, QuerySet
from django.utils import timezone

from ...internal.limits import rules
from ...models import Challenge, SpentCode, TrustedBrowser
from ..console import Progress

# Rows per DELETE: so many that it is quick, so few that no table is locked for long.
BATCH = 1000


class Command(BaseCommand):
    help = (
        "Forget what is over: old challenges, codes that Bandwidth would not take any more, "
        "counters that limit nobody, and browsers trusted longer ago than TRUST_DAYS. Locks, waits "
        "and recovery codes stay."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--older-than",
            type=int,
            default=30,
            metavar="DAYS",
            help="of challenges; %(default)s unless told",
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would go")

    def handle(self, *args: Any, **options: Any) -> str:
        days, now = options["older_than"], timezone.now()
        if days < 1:
            raise CommandError("--older-than must be 1 or more: today's challenges are in use.")
        found: dict[str, QuerySet[Model]] = {
            "challenges": Challenge.objects.filter(sent_at__lt=now - timedelta(days=days)),
            "spent codes": SpentCode.objects.filter(expires_at__lte=now),
            "counters": rules.expired_rows(),
            "trusted browsers": TrustedBrowser.objects.over(),
        }
        told = []
        for name, rows in found.items():
            many = rows.count() if options["dry_run"] else self.delete(name, rows)
            told.append(f"{many} {name}")
        return f"{'Would delete' if options['dry_run'] else 'Deleted'} {', '.join(told)}."

    def delete(self, name: str, rows: QuerySet[Model]) -> int:
        """How many went; run again after an interruption, it goes on where it was."""
        done, progress = 0, Progress(self.stderr, name, rows.count())
        while keys := list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH]):
            # The condition again: a counter may have begun a new window since.
            done += rows.filter(pk__in=keys).delete()[0]
            progress.show(done)
        progress.end()
        return done
