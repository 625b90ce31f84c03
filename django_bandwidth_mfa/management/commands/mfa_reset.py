"""``manage.py mfa_reset USER``"""

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand

from ... import events, limits
from .. import find_user


class Command(BaseCommand):
    help = (
        "Let a user try codes again: unlocks the phone factor and ends every wait of theirs. "
        "Phones and recovery codes stay."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="the user's name, as typed at login")

    def handle(self, *args: Any, **options: Any) -> str:
        user = find_user(options["user"])
        was_locked = limits.is_locked(user)
        limits.clear(user)
        events.second_factor_reset(user)
        ended = "The phone factor is unlocked" if was_locked else "Nothing was locked; waits ended"
        return f"{ended}. {user.get_username()} can ask for a code now."
