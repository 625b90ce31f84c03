"""What the app tells of each outcome: one line in the log, and one signal.

The logger is ``django_bandwidth_mfa``.  Each record carries as attributes, for a formatter that
writes JSON, the ``event`` and its fields: ``challenge``, ``purpose``, ``channel``, ``to`` (masked),
``provider_id``, ``status``, ``request_id`` (what Bandwidth's support asks for), ``user`` (the key).
Neither a code nor a full number is ever among them.
"""

from __future__ import annotations

import logging
from typing import Any

from django.dispatch import Signal
from django.http import HttpRequest

from . import signals
from .bandwidth import BandwidthError, Forbidden, Unauthorized
from .exceptions import MFAError
from .models import Challenge, Phone, Purpose, TrustedBrowser
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
    if challenge.purpose == Purpose.ENROL and challenge.phone is not None:
        _tell_of_phone("phone_confirmed", challenge.phone, request)


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


def wrong_codes(user: Any, request: HttpRequest | None) -> None:
    """So many in a row that they look like guesses, by someone who knows the password."""
    _log(logging.WARNING, "wrong_codes", user=user.pk)
    signals.wrong_codes.send_robust(type(user), user=user, request=request)


def phone_removed(phone: Phone, request: HttpRequest | None) -> None:
    _tell_of_phone("phone_removed", phone, request)


def primary_phone_changed(phone: Phone, request: HttpRequest | None) -> None:
    _tell_of_phone("primary_phone_changed", phone, request)


def _tell_of_phone(event: str, phone: Phone, request: HttpRequest | None) -> None:
    _log(logging.INFO, event, user=phone.user_id, phone=phone.masked)
    signal: Signal = getattr(signals, event)
    signal.send_robust(Phone, phone=phone, user=phone.user, request=request)


def recovery_codes_made(user: Any, request: HttpRequest | None) -> None:
    _log(logging.INFO, "recovery_codes_made", user=user.pk)
    signals.recovery_codes_made.send_robust(type(user), user=user, request=request)


def browser_trusted(browser: TrustedBrowser, request: HttpRequest) -> None:
    _log(logging.INFO, "browser_trusted", user=browser.user_id, browser=browser.pk)
    signals.browser_trusted.send_robust(
        TrustedBrowser, browser=browser, user=browser.user, request=request
    )


def browser_recognised(user: Any) -> None:
    _log(logging.INFO, "browser_recognised", user=user.pk)


def browsers_forgotten(user: Any, many: int, request: HttpRequest | None) -> None:
    _log(logging.INFO, "browsers_forgotten", user=user.pk, many=many)
    signals.browsers_forgotten.send_robust(TrustedBrowser, many=many, user=user, request=request)


def signed_out_others(user: Any, request: HttpRequest | None) -> None:
    _log(logging.INFO, "signed_out_others", user=user.pk)
    signals.signed_out_others.send_robust(type(user), user=user, request=request)


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


def second_factor_reset(
    user: Any, by: Any | None, request: HttpRequest | None, *, forget_phones: bool
) -> None:
    _log(
        logging.WARNING,
        "second_factor_reset",
        user=user.pk,
        by=getattr(by, "pk", None),
        forget_phones=forget_phones,
    )
    signals.second_factor_reset.send_robust(
        type(user), user=user, by=by, forget_phones=forget_phones, request=request
    )


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
