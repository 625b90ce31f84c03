"""``manage.py mfa_check_bandwidth [--send TO]``"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.checks import Error
from django.core.management import BaseCommand, CommandError

from ... import conf
from ...bandwidth import (
    BadRequest,
    BandwidthError,
    Forbidden,
    InvalidResponse,
    TooManyRequests,
    Unauthorized,
)
from ...checks import check_settings
from ...conf import settings
from ...exceptions import NumberRefused
from ...internal import numbers
from ...internal.codes import provider

SCOPE = "check"
APPLICATIONS = {"sms": "MESSAGING_APPLICATION_ID", "voice": "VOICE_APPLICATION_ID"}


class Command(BaseCommand):
    help = (
        "Ask Bandwidth whether it knows the credentials, the account and the applications, by "
        "having it verify a code that nobody was sent. Nothing is sent, and nothing is billed. "
        "Whether a message really goes out only --send shows."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--send",
            metavar="TO",
            help="also send one code to this number, by text or, where only calls are set up, by "
            "call; it costs what a code costs",
        )

    def handle(self, *args: Any, **options: Any) -> str:
        errors = [found for found in check_settings(None) if isinstance(found, Error)]
        if errors:
            told = "\n".join(f"{found.msg} {found.hint or ''}" for found in errors)
            raise CommandError(f"BANDWIDTH_MFA is not complete:\n{told}")
        to = options["send"]
        if to:
            try:
                to = numbers.parse(to)
            except NumberRefused as error:
                raise CommandError(f"--send: {error}") from error
        fine = [self.ask(channel) for channel in conf.channels()]
        if to and all(fine):
            fine.append(self.send(to))
        if not all(fine):
            raise CommandError("Codes will not work until this is mended.")
        return "All is well." if to else "All is well; --send TO shows that messages go out, too."

    def ask(self, channel: str) -> bool:
        """Whether Bandwidth takes a question about the application of ``channel``."""
        what = f"{APPLICATIONS[channel]} ({channel})"
        try:
            # To our own number: if it counts as a wrong code, it counts against nobody.
            valid = provider.client().verify(
                to=settings.FROM_NUMBER,
                from_=settings.FROM_NUMBER,
                application_id=provider.application(channel),
                code="0" * settings.DIGITS,
                digits=settings.DIGITS,
                expiration_minutes=settings.EXPIRATION_MINUTES,
                scope=SCOPE,
            )
        except TooManyRequests as error:
            self.say(what, error, "It knows the credentials; too many checks in a row. Fine.")
            return True
        except BandwidthError as error:
            self.say(what, error, advice(error))
            return False
        if valid:
            self.stdout.write(
                f"{what}: Bandwidth took a code that nobody was sent. Do not use this account: "
                "tell Bandwidth's support."
            )
            return False
        self.stdout.write(f"{what}: Bandwidth knows the credentials, the account and this.")
        return True

    def send(self, to: str) -> bool:
        channel = conf.channels()[0]
        client = provider.client()
        send = client.send_message if channel == "sms" else client.send_call
        try:
            found = send(
                to=to,
                from_=settings.FROM_NUMBER,
                application_id=provider.application(channel),
                message=settings.MESSAGE,
                digits=settings.DIGITS,
                scope=SCOPE,
            )
        except BandwidthError as error:
            self.say(f"A code to {numbers.mask(to)}", error, advice(error))
            return False
        self.stdout.write(f"A code to {numbers.mask(to)} is on its way by {channel}, id {found}.")
        return True

    def say(self, what: str, error: BandwidthError, then: str) -> None:
        told = [type(error).__name__, f"status {error.status}" if error.status else ""]
        told.append(f"requestId {error.request_id}" if error.request_id else "")
        self.stdout.write(f"{what}: {', '.join(filter(None, told))}. {then}")


def advice(error: BandwidthError) -> str:
    """What to do next."""
    if isinstance(error, Unauthorized):
        keys = "CLIENT_ID and CLIENT_SECRET" if settings.CLIENT_ID else "USERNAME and PASSWORD"
        return f"Look at {keys}, and at ACCOUNT_ID: one of them is wrong, or was revoked."
    if isinstance(error, Forbidden):
        return (
            "The credentials have no access to MFA in this account. Look at ACCOUNT_ID; ask "
            "Bandwidth to turn MFA on, and to give the client its role."
        )
    if isinstance(error, BadRequest):
        return (
            "Look at FROM_NUMBER and the application's id: the number must be the account's, and "
            "tied to that application."
        )
    if isinstance(error, TooManyRequests):
        return "Wait two minutes, and try again."
    if isinstance(error, InvalidResponse):
        return (
            "Something else than Bandwidth answers there. Look at BASE_URL and TOKEN_URL, and at "
            "proxies in between."
        )
    if error.status:
        return "That is Bandwidth's own trouble: try again, and look at its status page."
    return "Bandwidth cannot be reached. Look at BASE_URL, the firewall, proxies and name service."
