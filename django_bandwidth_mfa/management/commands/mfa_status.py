"""``manage.py mfa_status [USER | --missing [--csv]] [--json]``"""

import csv
import json
from argparse import ArgumentParser
from typing import Any, cast

from django.core.management import BaseCommand, CommandError

from ...internal.login import policy
from ...internal.staff import missing, status
from ...internal.staff.missing import Missing
from ..console import find_user


class Command(BaseCommand):
    help = (
        "Show figures of the second factor: for the whole site in the last day, or the present "
        "state of one user. Phone numbers are masked. With --missing, list the users who have no "
        "phone and need one, now or from a day on."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "user", nargs="?", help="a user's name or e-mail address, as typed at login"
        )
        parser.add_argument("--json", action="store_true", help="write JSON")
        parser.add_argument(
            "--missing", action="store_true", help="list the users who need a phone and have none"
        )
        parser.add_argument(
            "--csv",
            action="store_true",
            help="with --missing: write CSV for a spreadsheet, with a line of headings",
        )

    def handle(self, *args: Any, **options: Any) -> str | None:
        if options["missing"]:
            if options["user"] or (options["csv"] and options["json"]):
                raise CommandError(
                    "Use --missing without a user, and with at most one of --csv and --json."
                )
            self.name_missing(as_csv=options["csv"], as_json=options["json"])
            return None
        if options["csv"]:
            raise CommandError("Use --csv only with --missing.")
        figures = (
            status.of_user(find_user(options["user"])) if options["user"] else status.of_site()
        )
        if options["json"]:
            return json.dumps(figures, indent=2)
        # Each delivery error has a line of its own.
        errors = figures.pop("delivery_errors", [])
        lines = [f"{name.replace('_', ' '):<24}{_shown(figures[name])}" for name in figures]
        return "\n".join([*lines, *map(_error_shown, cast(list[dict[str, object]], errors))])

    def name_missing(self, *, as_csv: bool, as_json: bool) -> None:
        """Write a line for each user who needs a phone, without keeping them all in memory."""
        for name in policy.unknown_groups():
            self.stderr.write(f'REQUIRED contains the group "{name}", which does not exist.')
        if as_json:
            rows = [_row(one) for one in missing.find()]
            self.stdout.write(json.dumps(rows, indent=2))
            return
        if as_csv:
            writer = csv.DictWriter(self.stdout, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(_for_spreadsheet(_row(one)) for one in missing.find())
            return
        many = 0
        for one in missing.find():
            many += 1
            row = _row(one)
            self.stdout.write(f"{row['needed_from'] or 'now':<12}{row['username']}  {row['email']}")
        self.stdout.write(f"Users who need a phone and have none: {many}")


COLUMNS = ("id", "username", "email", "last_login", "needed_from")


def _row(one: Missing) -> dict[str, str | None]:
    user = one.user
    last_login = getattr(user, "last_login", None)
    return {
        "id": str(user.pk),
        "username": user.get_username(),
        "email": one.email,
        "last_login": last_login.isoformat() if last_login else None,
        "needed_from": one.day.isoformat() if one.day else None,
    }


def _for_spreadsheet(row: dict[str, str | None]) -> dict[str, str]:
    """Return the row with texts that a spreadsheet does not run as a formula.

    Attackers can choose their usernames: "=HYPERLINK(…)" would run on the machine of the staff.
    """
    texts = {name: value or "" for name, value in row.items()}
    return {
        name: f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
        for name, text in texts.items()
    }


def _error_shown(error: dict[str, object]) -> str:
    fault = " OUR FAULT:" if error["is_senders_fault"] else ""
    return (
        f"undelivered, {error['code'] or 'no code':<11}{error['messages']}:{fault} {error['means']}"
    )


def _shown(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(map(_shown, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(one)}" for name, one in value.items())
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    return str(value)
