"""``manage.py mfa_reset USER [--forget-phones]``"""

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand

from ...exceptions import NumberRefused
from ...internal import numbers
from ...internal.limits import rules
from ...internal.phones.source import phone_source
from ...internal.staff import status
from ...internal.staff.reset import reset_second_factor
from ...types import User
from ..console import find_user


class Command(BaseCommand):
    help = (
        "Let a user try codes again. The command unlocks the phone factor, ends all waits and "
        "limits of the user and of the user's numbers, forgets the trusted browsers and asks for a "
        "new code in each session. Phones and recovery codes stay without --forget-phones."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="the user's name or e-mail address, as typed at login")
        parser.add_argument(
            "--forget-phones",
            action="store_true",
            help="also remove the phones and recovery codes, so that the user must add a phone "
            "again. First make sure that you are talking to the owner of the account",
        )

    def handle(self, *args: Any, **options: Any) -> str:
        user = find_user(options["user"])
        was_locked = rules.is_locked(user)
        reset_second_factor(user, forget_phones=options["forget_phones"])
        result = (
            "The phone factor is unlocked."
            if was_locked
            else "The phone factor was not locked. All waits have ended."
        )
        return f"{result} {next_code(user, forgot_phones=options['forget_phones'])}"


def next_code(user: User, *, forgot_phones: bool) -> str:
    """Return a sentence that says whether and when ``user`` can get a code."""
    name = user.get_username()
    phones = phone_source().confirmed(user)
    if not phones:
        lack = "now has no phone and no recovery codes" if forgot_phones else "has no phone"
        return f"{name} {lack}, so no login code can be sent."
    lost = f"{name} now has no recovery codes. " if forgot_phones else ""
    if not getattr(user, "is_active", True):
        return f"{lost}{name} is not active, and cannot sign in."
    try:
        numbers.check(phones[0].number)
    except NumberRefused as error:
        return f"{lost}No code can be sent to the phone {phones[0].masked}: {error}"
    wait = status.seconds_until_send(user, phones)
    if wait:
        return (
            f"{lost}{name} can ask for a code in {wait} seconds. A limit that other users share is "
            "reached, or Bandwidth has asked for a wait."
        )
    return f"{lost}{name} can ask for a code now."
