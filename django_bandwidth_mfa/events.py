"""What the app tells of each outcome: one line in the log, and one signal.

The logger is ``django_bandwidth_mfa``.  Each record carries as attributes, for a formatter that
writes JSON, the ``event`` and its fields: ``challenge``, ``purpose``, ``channel``, ``to`` (masked),
``provider_id``, ``status``, ``request_id`` (what Bandwidth's support asks for), ``user`` (the key).
Neither a code nor a full number is ever among them.
"""

from __future__ import annotations

import logging
from typing import Any

from django.http import HttpRequest

from . import signals
from .bandwidth import BandwidthError, Forbidden, Unauthorized
from .exceptions import MFAError
from .models import Challenge, Phone, Purpose
from .status import Conversion

logger = logging.getLogger("django_bandwidth_mfa")


def code_sent(challenge: Challenge, request: HttpRequest | None) -> None:
    _log(logging.INFO, "code_sent", challenge, provider_id=challenge.provider_id)
    signals.code_sent.send_robust(Challenge, challenge=challenge, request=request)


def code_send_failed(
    challenge: Challenge, error: BandwidthError, request: HttpRequest | None
) -> None:
    _log(logging.ERROR, "code_send_failed", challenge, **_failure(error))
    signals.code_send_failed.send_robust(
        Challenge, challenge=challenge, error=error, request=request
    )
    _raise_alarm(error, request)


def send_refused(challenge: Challenge, error: MFAError) -> None:
    """A limit was reached: nothing was sent.  No signal, for a flood of requests is no event."""
    _log(logging.WARNING, "send_refused", challenge, reason=type(error).__name__)


def code_verified(challenge: Challenge, request: HttpRequest | None) -> None:
    _log(logging.INFO, "code_verified", challenge)
    signals.code_verified.send_robust(Challenge, challenge=challenge, request=request)
    if challenge.purpose == Purpose.ENROL:
        signals.phone_confirmed.send_robust(
            Phone, phone=challenge.phone, user=challenge.user, request=request
        )


def code_rejected(challenge: Challenge, request: HttpRequest | None) -> None:
    _log(logging.INFO, "code_rejected", challenge)
    signals.code_rejected.send_robust(Challenge, challenge=challenge, request=request)


def code_replayed(challenge: Challenge) -> None:
    """A right code that had passed before; :func:`code_rejected` follows."""
    _log(logging.WARNING, "code_replayed", challenge)


def verify_failed(challenge: Challenge, error: BandwidthError, request: HttpRequest | None) -> None:
    _log(logging.ERROR, "verify_failed", challenge, **_failure(error))
    _raise_alarm(error, request)


def locked_out(user: Any, request: HttpRequest | None) -> None:
    _log(logging.WARNING, "locked_out", user=user.pk)
    signals.locked_out.send_robust(type(user), user=user, request=request)


def recovery_code_used(user: Any, left: int, request: HttpRequest | None) -> None:
    _log(logging.WARNING, "recovery_code_used", user=user.pk, left=left)
    signals.recovery_code_used.send_robust(type(user), user=user, request=request)


def recovery_code_rejected(user: Any) -> None:
    _log(logging.INFO, "recovery_code_rejected", user=user.pk)


def message_failed(challenge: Challenge) -> None:
    _log(logging.WARNING, "message_failed", challenge, error_code=challenge.delivery_error)


def conversion_fell(conversion: Conversion) -> None:
    _log(logging.CRITICAL, "conversion_fell", sent=conversion.sent, entered=conversion.entered)
    signals.conversion_fell.send_robust(type(conversion), conversion=conversion)


def second_factor_reset(user: Any) -> None:
    _log(logging.WARNING, "second_factor_reset", user=user.pk)


def _raise_alarm(error: BandwidthError, request: HttpRequest | None) -> None:
    """Bandwidth refuses the site's own credentials: that is not one user's bad luck."""
    if isinstance(error, Unauthorized | Forbidden):
        _log(logging.CRITICAL, "access_refused", **_failure(error))
        signals.access_refused.send_robust(type(error), error=error, request=request)


def _failure(error: BandwidthError) -> dict[str, Any]:
    return {
        "error": type(error).__name__,
        "status": error.status,
        "request_id": error.request_id,
        "endpoint": error.endpoint,
    }


def _log(level: int, event: str, challenge: Challenge | None = None, **fields: Any) -> None:
    if challenge is not None:
        fields = {
            "challenge": str(challenge.pk),
            "purpose": challenge.purpose,
            "channel": challenge.channel,
            "to": challenge.masked,
            **fields,
        }
    told = " ".join(f"{name}={value}" for name, value in fields.items())
    logger.log(level, "%s: %s", event.replace("_", " "), told, extra={"event": event, **fields})
