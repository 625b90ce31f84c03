"""Calls to Bandwidth: the client and the circuit breaker for the present settings."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from typing import Generic, TypeVar

from django.core.signals import setting_changed
from django.dispatch import receiver
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from ... import signals
from ...bandwidth import BandwidthClient, BandwidthError, Breaker, NoFreePlace, TooManyRequests
from ...conf import settings
from ...exceptions import Busy, Limited, MFAError, ProviderUnavailable
from ...models import Challenge
from ..limits import rules
from . import receipts

# The wait, in seconds, after a 429 without a time: two minutes, as Bandwidth's reference says.
THROTTLE_SECONDS = 120


T = TypeVar("T")


class Registry(Generic[T]):
    """Keeps one object for each configuration, so that its connections or its state are shared.

    The key of a configuration is a digest, so that no dump of the registry shows a secret.  There
    is no lock, because a fork could leave it locked forever.  If two threads create an object at
    the same time, one of the two is kept.

    :param make: creates an object from a configuration.  It must not open any connection.
    :param close: closes an object that is removed from the registry.
    :param most: the most objects to keep; the oldest one is removed first.
    """

    def __init__(
        self,
        make: Callable[..., T],
        *,
        close: Callable[[T], None] = lambda one: None,
        most: int = 8,
    ) -> None:
        self._make = make
        self._close = close
        self._most = most
        self._kept: dict[str, T] = {}

    # A wrong configuration raises here, and error pages show local variables.
    @sensitive_variables()
    def get(self, **configuration: object) -> T:
        """Return the object for ``configuration``; create it if there is none."""
        key = _digest(configuration)
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept.setdefault(key, self._make(**configuration))
            for oldest in list(self._kept)[: -self._most]:
                self._drop(oldest)
        return kept

    def close(self) -> None:
        """Remove and close every object."""
        for key in list(self._kept):
            self._drop(key)

    def _drop(self, key: str) -> None:
        dropped = self._kept.pop(key, None)
        if dropped is not None:
            self._close(dropped)


# A random key for this process, so that a digest tells nothing about a secret.
_KEY = secrets.token_bytes(32)


def _digest(configuration: Mapping[str, object]) -> str:
    text = repr(sorted(configuration.items()))
    return blake2b(text.encode(), key=_KEY).hexdigest()


clients = Registry(BandwidthClient, close=BandwidthClient.close)


# `base_url` is only a part of the registry's key.
def _make_breaker(
    base_url: str,
    *,
    failures: int,
    seconds: float,
    concurrent: int,
    waiting: int,
    wait_seconds: float,
) -> Breaker:
    return Breaker(
        failures=failures,
        seconds=seconds,
        concurrent=concurrent,
        waiting=waiting,
        wait_seconds=wait_seconds,
    )


breakers = Registry(_make_breaker)


@receiver(setting_changed)
def _forget_failures(*, setting: str, **kwargs: object) -> None:
    """Remove all circuit breakers when a test overrides ``BANDWIDTH_MFA``."""
    if setting == "BANDWIDTH_MFA":
        breakers.close()


def client() -> BandwidthClient:
    """Return the client for the present settings, with its open connections."""
    return clients.get(
        account_id=settings.ACCOUNT_ID,
        username=settings.USERNAME,
        password=settings.PASSWORD,
        client_id=settings.CLIENT_ID,
        client_secret=settings.CLIENT_SECRET,
        base_url=settings.BASE_URL,
        token_url=settings.TOKEN_URL,
        connect_timeout=settings.CONNECT_TIMEOUT,
        read_timeout=settings.READ_TIMEOUT,
        total_timeout=settings.TOTAL_TIMEOUT,
        max_connections=settings.MAX_CONCURRENT_CALLS,
    )


def breaker() -> Breaker:
    """Return the circuit breaker of this process for calls to Bandwidth."""
    return breakers.get(
        base_url=settings.BASE_URL,
        failures=settings.BREAKER_FAILURES,
        seconds=settings.BREAKER_SECONDS,
        concurrent=settings.MAX_CONCURRENT_CALLS,
        waiting=settings.MAX_WAITING_CALLS,
        wait_seconds=settings.WAIT_SECONDS,
    )


def application(channel: str) -> str:
    """Return the id of the Bandwidth application for codes by ``channel``."""
    application_id = (
        settings.MESSAGING_APPLICATION_ID if channel == "sms" else settings.VOICE_APPLICATION_ID
    )
    return application_id or ""


@contextmanager
def _call(operation: str, purpose: str) -> Iterator[None]:
    """Guard one call to Bandwidth in a ``with`` block, and send signals before and after it.

    :raises BandwidthError: there is no free place for the call, or the breaker is open.
    """
    call, guard, began = signals.BandwidthCall(operation, purpose), breaker(), time.monotonic()
    signals.call_began.send_robust(signals.BandwidthCall, call=call)
    try:
        # A login page asks again for a code that could not be sent.  A code that could not be
        # checked must be typed again by a person.
        with guard.guard(is_urgent=operation == "verify"):
            call.waited, call.was_made = time.monotonic() - began, True
            yield
    except Exception as error:
        call.error = error
        raise
    finally:
        call.seconds = time.monotonic() - began
        if not call.was_made:
            call.waited = call.seconds
        call.breaker_is_open = guard.is_open
        signals.call_ended.send_robust(signals.BandwidthCall, call=call)


def send(challenge: Challenge, message: str, request: HttpRequest | None) -> str:
    """Ask Bandwidth to send the code of ``challenge``.

    It does not use the database, and can run in any thread.

    :param request: the current request, whose host is used for the URL of the delivery receipt.
    :returns: Bandwidth's id of the message or the call.
    :raises BandwidthError: Bandwidth did not accept the code for sending.
    """
    operation = "voice" if challenge.channel == "voice" else "messaging"
    with _call(operation, challenge.purpose):
        if operation == "voice":
            return client().send_call(
                to=challenge.number,
                from_=challenge.from_number,
                application_id=challenge.application_id,
                message=message,
                digits=challenge.digits,
                scope=challenge.scope,
            )
        return client().send_message(
            to=challenge.number,
            from_=challenge.from_number,
            application_id=challenge.application_id,
            message=message,
            digits=challenge.digits,
            scope=challenge.scope,
            # Not a local variable, because it contains a secret, and error pages show these.
            callback_url=receipts.callback_url(request),
        )


def verify(challenge: Challenge, code: str) -> bool:
    """Return whether ``code`` is the code of ``challenge``, as Bandwidth answers.

    It does not use the database, and can run in any thread.

    :raises BandwidthError: Bandwidth gave no such answer.
    """
    with _call("verify", challenge.purpose):
        return client().verify(
            to=challenge.number,
            from_=challenge.from_number,
            application_id=challenge.application_id,
            code=code,
            digits=challenge.digits,
            expiration_minutes=settings.EXPIRATION_MINUTES,
            scope=challenge.scope,
        )


def hold_and_translate(error: BandwidthError, challenge: Challenge) -> MFAError:
    """Return the error for the caller of :mod:`django_bandwidth_mfa.service`.

    After a 429 the number is first put on hold for all workers: after a verify, checking codes of
    this number and purpose; after a send, sending to this number.  A 429 from the token URL is
    about the account, so no number is put on hold.
    """
    if isinstance(error, TooManyRequests) and error.endpoint != "token":
        wait = THROTTLE_SECONDS if error.retry_after is None else error.retry_after
        is_verify = error.endpoint == "verify"
        action = rules.HeldAction.VERIFY if is_verify else rules.HeldAction.SEND
        rules.hold(challenge.number, action, challenge.purpose, wait)
        return Limited(wait)
    if isinstance(error, NoFreePlace):
        return Busy(settings.WAIT_SECONDS)
    return ProviderUnavailable(may_have_arrived=error.may_have_arrived)
