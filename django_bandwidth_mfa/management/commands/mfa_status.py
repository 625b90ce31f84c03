"""``manage.py mfa_status [USER] [--json]``"""

import json
from argparse import ArgumentParser
from typing import Any, cast

from django.core.management import BaseCommand

from ...internal.staff import status
from ..console import find_user


class Command(BaseCommand):
    help = (
        "Say how the second factor fares: of the last day for the whole site, or as it stands for "
        "one user. Numbers are masked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "user", nargs="?", help="a user's name or e-mail address, as typed at login"
        )
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *args: Any, **options: Any) -> str:
        found = status.of_user(find_user(options["user"])) if options["user"] else status.of_site()
        if options["json"]:
            return json.dumps(found, indent=2)
        # Of these, each has a line of its own.
        errors = found.pop("delivery_errors", [])
        lines = [f"{name.replace('_', ' '):<24}{_shown(found[name])}" for name in found]
        return "\n".join([*lines, *map(_error_shown, cast(list[dict[str, object]], errors))])


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
