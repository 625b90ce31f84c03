"""``manage.py mfa_reset USER [--forget-phones]``"""

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand

from ...internal.limits import rules
from ...internal.staff.reset import reset_second_factor
from ..console import find_user


class Command(BaseCommand):
    help = (
        "Let a user try codes again: unlocks the phone factor, ends every wait of theirs, forgets "
        "their trusted browsers and has their sessions owe a code again. Phones and recovery codes "
        "stay, unless told."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="the user's name, as typed at login")
        parser.add_argument(
            "--forget-phones",
            action="store_true",
            help="remove the phones and recovery codes, too: the user enrols a phone anew. Be sure "
            "whom you are talking to",
        )

    def handle(self, *args: Any, **options: Any) -> str:
        user = find_user(options["user"])
        was_locked = rules.is_locked(user)
        reset_second_factor(user, forget_phones=options["forget_phones"])
        ended = "The phone factor is unlocked" if was_locked else "Nothing was locked; waits ended"
        if options["forget_phones"]:
            return f"{ended}. {user.get_username()} has no phone and no recovery codes any more."
        return f"{ended}. {user.get_username()} can ask for a code now."
