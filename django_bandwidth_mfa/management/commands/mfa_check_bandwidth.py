"""``manage.py mfa_check_bandwidth [--send TO]``"""

from __future__ import annotations

from argparse import ArgumentParser
from enum import Enum, auto
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
from ...internal.codes import provider, texts

SCOPE = "check"
APPLICATIONS = {"sms": "MESSAGING_APPLICATION_ID", "voice": "VOICE_APPLICATION_ID"}


class Outcome(Enum):
    """The result of one request to Bandwidth."""

    FINE = auto()
    WRONG = auto()
    UNKNOWN = auto()


class Command(BaseCommand):
    help = (
        "Check that Bandwidth accepts the credentials and the account id. The command asks "
        "Bandwidth to verify a code that was never sent. Nothing is sent, and nothing is billed. "
        "Only --send shows whether the applications and the number are right."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--send",
            metavar="TO",
            help="also send a code to this number by each channel that is set up (text message, "
            "call); Bandwidth bills these codes",
        )

    def handle(self, *args: Any, **options: Any) -> str:
        errors = [message for message in check_settings(None) if isinstance(message, Error)]
        if errors:
            lines = "\n".join(f"{error.msg} {error.hint or ''}" for error in errors)
            raise CommandError(f"BANDWIDTH_MFA has errors:\n{lines}")
        to = options["send"]
        if to:
            try:
                to = numbers.parse(to)
            except NumberRefused as error:
                raise CommandError(f"--send: {error}") from error
        self.outcomes: list[Outcome] = [self.show_token()]
        if self.is_fine():
            self.outcomes += [self.ask(channel) for channel in conf.channels()]
        if self.is_fine():
            self.stdout.write(
                f"Bandwidth accepted the credentials for account {settings.ACCOUNT_ID}."
            )
        if to and self.is_fine():
            self.outcomes += [self.send(channel, to) for channel in conf.channels()]
        return self.sum_up(is_sent=bool(to))

    def is_fine(self) -> bool:
        return set(self.outcomes) == {Outcome.FINE}

    def sum_up(self, *, is_sent: bool) -> str:
        """Return the last line, which says what was tested."""
        if Outcome.WRONG in self.outcomes:
            raise CommandError("Codes will not work until this is fixed.")
        if Outcome.UNKNOWN in self.outcomes:
            raise CommandError("Bandwidth asks for a wait, so not everything was tested.")
        if is_sent:
            return "Bandwidth accepted every code. Check on the phone that they arrive."
        names = ["FROM_NUMBER", *(APPLICATIONS[channel] for channel in conf.channels())]
        return f"Not tested: {', '.join(names)}. Use --send TO to test them."

    def show_token(self) -> Outcome:
        """Request an OAuth 2.0 token, if these are used, and print its claims."""
        try:
            claims = provider.client().token_claims()
        except BandwidthError as error:
            return self.say("Request for a token", error)
        for name, values in claims.items():
            self.stdout.write(f"The token contains these {name}: {', '.join(values)}.")
        if "accounts" in claims and settings.ACCOUNT_ID not in claims["accounts"]:
            self.stdout.write(f"ACCOUNT_ID {settings.ACCOUNT_ID} is not one of these accounts.")
        return Outcome.FINE

    def ask(self, channel: str) -> Outcome:
        """Ask Bandwidth to verify a code, with the application of ``channel``."""
        what = f"Request to verify a code with {APPLICATIONS[channel]} ({channel})"
        try:
            # For our own number, so that no user's number gets a wrong code.
            valid = provider.client().verify(
                to=settings.FROM_NUMBER,
                from_=settings.FROM_NUMBER,
                application_id=provider.application(channel),
                code="0" * settings.DIGITS,
                digits=settings.DIGITS,
                expiration_minutes=settings.EXPIRATION_MINUTES,
                scope=SCOPE,
            )
        except BandwidthError as error:
            return self.say(what, error)
        if valid:
            self.stdout.write(
                f"{what}: Bandwidth accepted a code that was never sent. Do not use this account. "
                "Report this to Bandwidth's support."
            )
            return Outcome.WRONG
        return Outcome.FINE

    def send(self, channel: str, to: str) -> Outcome:
        client = provider.client()
        send = client.send_message if channel == "sms" else client.send_call
        what = f"A code to {numbers.mask(to)} by {channel}, with {APPLICATIONS[channel]}"
        try:
            identifier = send(
                to=to,
                from_=settings.FROM_NUMBER,
                application_id=provider.application(channel),
                message=texts.sample(channel),
                digits=settings.DIGITS,
                scope=SCOPE,
            )
        except BandwidthError as error:
            return self.say(what, error)
        self.stdout.write(f"{what}: Bandwidth accepted it, id {identifier}.")
        if channel == "sms":
            self.stdout.write(
                "Look at the last line of the message. If it shows the code, Bandwidth fills "
                '{CODE} in twice, and ORIGIN works. If it shows "{CODE}", leave ORIGIN out.'
            )
        return Outcome.FINE

    def say(self, what: str, error: BandwidthError) -> Outcome:
        parts = [type(error).__name__, f"status {error.status}" if error.status else ""]
        parts.append(f"requestId {error.request_id}" if error.request_id else "")
        self.stdout.write(f"{what}: {', '.join(filter(None, parts))}. {advice(error)}")
        return Outcome.UNKNOWN if isinstance(error, TooManyRequests) else Outcome.WRONG


def advice(error: BandwidthError) -> str:
    """Return a sentence that says what to do next."""
    keys = "CLIENT_ID and CLIENT_SECRET" if settings.CLIENT_ID else "USERNAME and PASSWORD"
    if isinstance(error, Unauthorized):
        return f"Check {keys}, and ACCOUNT_ID. One of them is wrong, or was revoked."
    if isinstance(error, Forbidden):
        # Bandwidth answers 403 for wrong credentials, and 401 for missing ones.
        return (
            f"The credentials are wrong, or have no access to MFA in this account. Check {keys}, "
            "and ACCOUNT_ID. If they are right, ask Bandwidth to activate MFA for the account, and "
            "to give these credentials the role for MFA."
        )
    if isinstance(error, BadRequest):
        return (
            "Check FROM_NUMBER and the id of the application. The number must belong to the "
            "account, and must be assigned to that application."
        )
    if isinstance(error, TooManyRequests):
        seconds = provider.THROTTLE_SECONDS if error.retry_after is None else error.retry_after
        return f"Wait {seconds:.0f} seconds, and try again."
    if isinstance(error, InvalidResponse):
        return (
            "The answer does not come from Bandwidth. Check BASE_URL, TOKEN_URL and the proxies "
            "before Bandwidth."
        )
    if error.status:
        return "Bandwidth has an internal error. Try again, and look at Bandwidth's status page."
    return "Bandwidth cannot be reached. Check BASE_URL, the firewall, the proxies and DNS."
