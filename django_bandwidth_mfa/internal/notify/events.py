"""The events of the app: each writes a log record, and most of them send a signal.

:data:`EVENTS` is the table of all events, with the level of the log record, the signal, and whether
the user gets a mail.  Each function below reports one event.  The docstring of
:mod:`~django_bandwidth_mfa.signals` lists the arguments of each signal.

The logger is ``django_bandwidth_mfa``.  Each record has the ``event`` and its fields as attributes,
for a formatter that writes JSON: ``challenge``, ``purpose``, ``channel``, ``to`` (masked),
``provider_id``, ``status``, ``request_id`` (for Bandwidth's support) and ``user`` (the primary
key).  No field contains a code or a full number.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from logging import CRITICAL, ERROR, INFO, WARNING

from django.dispatch import Signal
from django.http import HttpRequest

from ... import signals
from ...bandwidth import BandwidthError, Forbidden, NoFreePlace, Unauthorized
from ...exceptions import MFAError
from ...models import Challenge, Phone, Purpose, TrustedBrowser
from ...types import User
from . import delivery_errors
from .statistics import Conversion

logger = logging.getLogger("django_bandwidth_mfa")


@dataclass(frozen=True)
class Event:
    """One row of :data:`EVENTS`."""

    name: str
    level: int
    signal: Signal | None = None
    is_mailed: bool = False


EVENTS = {
    event.name: event
    for event in (
        # Codes
        Event("code_sent", INFO, signals.code_sent),
        Event("code_send_failed", ERROR, signals.code_send_failed),
        Event("send_refused", WARNING, signals.send_refused),
        Event("try_refused", INFO, signals.try_refused),
        Event("no_free_place", WARNING),
        Event("code_verified", INFO, signals.code_verified),
        Event("code_rejected", INFO, signals.code_rejected),
        Event("code_replayed", WARNING),
        Event("verify_failed", ERROR),
        Event("message_failed", WARNING),
        Event("wrong_codes", WARNING, signals.wrong_codes, is_mailed=True),
        Event("locked_out", WARNING, signals.locked_out, is_mailed=True),
        # Phones
        Event("phone_confirmed", INFO, signals.phone_confirmed, is_mailed=True),
        Event("phone_removed", INFO, signals.phone_removed, is_mailed=True),
        Event("primary_phone_changed", INFO, signals.primary_phone_changed, is_mailed=True),
        Event("phone_channel_changed", INFO),
        # Recovery codes
        Event("recovery_codes_made", INFO, signals.recovery_codes_made, is_mailed=True),
        Event("recovery_code_used", WARNING, signals.recovery_code_used, is_mailed=True),
        Event("recovery_code_rejected", INFO),
        # Browsers and sessions
        Event("browser_trusted", INFO, signals.browser_trusted, is_mailed=True),
        Event("browser_recognised", INFO),
        Event("browsers_forgotten", INFO, signals.browsers_forgotten, is_mailed=True),
        Event("own_factor_passed", INFO),
        Event("login_on_behalf", INFO),
        Event("signed_out_others", INFO, signals.signed_out_others, is_mailed=True),
        Event("second_factor_reset", WARNING, signals.second_factor_reset, is_mailed=True),
        # The site
        Event("access_refused", CRITICAL, signals.access_refused),
        Event("sender_refused", CRITICAL),
        Event("conversion_fell", CRITICAL, signals.conversion_fell),
        Event("alarm_failed", ERROR),
        Event("address_unreadable", ERROR),
        Event("mail_failed", ERROR),
        Event("reminder_failed", ERROR),
        Event("session_note_failed", ERROR),
        Event("database_unavailable", ERROR),
    )
}


def _tell(
    name: str,
    fields: Mapping[str, object],
    sender: object = None,
    *,
    failed: bool = False,
    **arguments: object,
) -> None:
    """Write the log record of an event, and send its signal.

    :param fields: the fields of the log record.
    :param failed: whether to add the traceback of the current exception to the record.
    :param arguments: the arguments of the signal.
    """
    event = EVENTS[name]
    text = " ".join(f"{key}={value}" for key, value in fields.items())
    logger.log(
        event.level,
        # The name is a part of the format, because log tools group records by the format.
        f"{name.replace('_', ' ')}: %s" if text else name.replace("_", " "),
        *([text] if text else []),
        exc_info=failed or None,
        extra={"event": name, **fields},
    )
    if event.signal is not None:
        event.signal.send_robust(sender, **arguments)


def _about(challenge: Challenge, **fields: object) -> dict[str, object]:
    return {
        "challenge": str(challenge.pk),
        "purpose": challenge.purpose,
        "channel": challenge.channel,
        "to": challenge.masked,
        **fields,
    }


def _failure(error: BandwidthError) -> dict[str, object]:
    return {
        "error": type(error).__name__,
        "status": error.status,
        "request_id": error.request_id,
        "endpoint": error.endpoint,
    }


# Codes ---------------------------------------------------------------------------------------


def code_sent(challenge: Challenge, request: HttpRequest | None) -> None:
    """Report that Bandwidth accepted a code."""
    fields = _about(challenge, provider_id=challenge.provider_id)
    _tell("code_sent", fields, Challenge, challenge=challenge, request=request)


def code_send_failed(
    challenge: Challenge, error: BandwidthError, request: HttpRequest | None
) -> None:
    """Report that Bandwidth did not accept a code, or did not answer."""
    if isinstance(error, NoFreePlace):
        no_free_place(challenge, "send")
        return
    fields = _about(challenge, **_failure(error))
    _tell("code_send_failed", fields, Challenge, challenge=challenge, error=error, request=request)
    _tell_if_access_was_refused(error, request)


def send_refused(challenge: Challenge, error: MFAError, request: HttpRequest | None) -> None:
    """Report that nothing was sent: a limit was reached, or the user is locked."""
    limit = getattr(error, "limit", "lock")
    fields = _about(challenge, reason=type(error).__name__, limit=limit)
    _tell("send_refused", fields, Challenge, challenge=challenge, error=error, request=request)


def try_refused(challenge: Challenge, error: MFAError, request: HttpRequest | None) -> None:
    """Report that a code was not checked: a limit, a lock, or an expired or used code."""
    fields = _about(challenge, reason=type(error).__name__, limit=getattr(error, "limit", ""))
    _tell("try_refused", fields, Challenge, challenge=challenge, error=error, request=request)


def no_free_place(challenge: Challenge, action: str) -> None:
    """Report that Bandwidth was not called, because too many calls were running.

    It is not a failure of Bandwidth, so it is only a warning.  It has no signal of its own:
    ``call_ended`` is sent.

    :param action: ``"send"`` or ``"verify"``.
    """
    _tell("no_free_place", _about(challenge, action=action))


def code_verified(challenge: Challenge, request: HttpRequest | None) -> None:
    """Report that a code was right.  A code for a new phone also confirms the phone."""
    _tell("code_verified", _about(challenge), Challenge, challenge=challenge, request=request)
    if challenge.purpose == Purpose.ENROL and challenge.phone is not None:
        phone_confirmed(challenge.phone, request)


def code_rejected(challenge: Challenge, request: HttpRequest | None) -> None:
    """Report that a code was wrong, or had been used before."""
    _tell("code_rejected", _about(challenge), Challenge, challenge=challenge, request=request)


def code_replayed(challenge: Challenge) -> None:
    """Report that a used code was typed again.  :func:`code_rejected` follows."""
    _tell("code_replayed", _about(challenge))


def verify_failed(challenge: Challenge, error: BandwidthError, request: HttpRequest | None) -> None:
    """Report that Bandwidth did not answer whether a code is right."""
    if isinstance(error, NoFreePlace):
        no_free_place(challenge, "verify")
        return
    _tell("verify_failed", _about(challenge, **_failure(error)))
    _tell_if_access_was_refused(error, request)


def message_failed(challenge: Challenge) -> None:
    """Report that a text message was not delivered, as a receipt says.

    If the sender has caused the error, :func:`sender_refused` follows.
    """
    error = delivery_errors.explain(challenge.delivery_error)
    fields = {"error_code": error.code, "means": error.means}
    _tell("message_failed", _about(challenge, **fields))
    if error.is_senders_fault:
        sender_refused(fields)


def sender_refused(fields: Mapping[str, object]) -> None:
    """Report an error that the sender has caused, and because of which most messages may fail."""
    _tell("sender_refused", fields)


def wrong_codes(user: User, request: HttpRequest | None) -> None:
    """Report many wrong codes in a row: somebody may have stolen the user's password."""
    _tell("wrong_codes", {"user": user.pk}, type(user), user=user, request=request)


def locked_out(user: User, request: HttpRequest | None) -> None:
    """Report that a user reached ``FAILURES_BEFORE_LOCK``."""
    _tell("locked_out", {"user": user.pk}, type(user), user=user, request=request)


# Phones --------------------------------------------------------------------------------------


def phone_confirmed(phone: Phone, request: HttpRequest | None) -> None:
    """Report that a user has typed the code that was sent to a new phone."""
    _tell_of_phone("phone_confirmed", phone, request)


def phone_removed(
    phone: Phone,
    request: HttpRequest | None,
    by: User | None = None,
    *,
    was_last: bool = False,
    cancelled_codes: bool = False,
) -> None:
    """Report that a phone was removed, or replaced by another phone.

    :param by: the staff member who removed it; None if the user did.
    :param was_last: whether the user has no phone now.
    :param cancelled_codes: whether the user had unused recovery codes, which no longer work.
    """
    fields = {"user": phone.user_id, "phone": phone.masked, "by": getattr(by, "pk", None)}
    _tell(
        "phone_removed",
        fields,
        Phone,
        phone=phone,
        user=phone.user,
        by=by,
        was_last=was_last,
        cancelled_codes=cancelled_codes,
        request=request,
    )


def primary_phone_changed(phone: Phone, request: HttpRequest | None) -> None:
    """Report that ``phone`` is now the primary phone."""
    _tell_of_phone("primary_phone_changed", phone, request)


def phone_channel_changed(phone: Phone) -> None:
    """Report that ``phone`` has another preferred channel.

    The user gets no mail: everybody with the password can choose the channel on the code page
    anyway.
    """
    fields = {"user": phone.user_id, "phone": phone.masked, "channel": phone.channel}
    _tell("phone_channel_changed", fields)


def _tell_of_phone(name: str, phone: Phone, request: HttpRequest | None) -> None:
    fields = {"user": phone.user_id, "phone": phone.masked}
    _tell(name, fields, Phone, phone=phone, user=phone.user, request=request)


# Recovery codes ------------------------------------------------------------------------------


def recovery_codes_made(user: User, request: HttpRequest | None, *, cancelled_old: bool) -> None:
    """Report that a user has a new set of recovery codes.

    :param cancelled_old: whether the user had unused codes, which no longer work.
    """
    _tell(
        "recovery_codes_made",
        {"user": user.pk},
        type(user),
        user=user,
        cancelled_old=cancelled_old,
        request=request,
    )


def recovery_code_used(user: User, left: int, request: HttpRequest | None) -> None:
    """Report that a recovery code was used; ``left`` is the number of unused ones."""
    fields = {"user": user.pk, "left": left}
    _tell("recovery_code_used", fields, type(user), user=user, request=request)


def recovery_code_rejected(user: User) -> None:
    """Report that a recovery code was wrong, or had been used before."""
    _tell("recovery_code_rejected", {"user": user.pk})


# Browsers and sessions -----------------------------------------------------------------------


def browser_trusted(browser: TrustedBrowser, request: HttpRequest) -> None:
    """Report that a user now trusts a browser."""
    fields = {"user": browser.user_id, "browser": browser.pk}
    user = browser.user
    _tell("browser_trusted", fields, TrustedBrowser, browser=browser, user=user, request=request)


def browser_recognised(user: User) -> None:
    """Report that a user signed in without a code, in a trusted browser."""
    _tell("browser_recognised", {"user": user.pk})


def browsers_forgotten(
    user: User,
    many: int,
    request: HttpRequest | None,
    by: User | None = None,
    *,
    owes_code: bool,
) -> None:
    """Report that ``many`` browsers of a user are no longer trusted.

    :param by: the staff member who did it; None if the user did.
    :param owes_code: whether a login there owes a code now.
    """
    fields = {"user": user.pk, "many": many, "by": getattr(by, "pk", None)}
    _tell(
        "browsers_forgotten",
        fields,
        TrustedBrowser,
        many=many,
        user=user,
        by=by,
        owes_code=owes_code,
        request=request,
    )


def own_factor_passed(user: User, method: str) -> None:
    """Report that a factor of the site's own has completed a login.

    :param method: the name of the factor.
    """
    _tell("own_factor_passed", {"user": user.pk, "method": method})


def login_on_behalf(user: User, actor: str) -> None:
    """Report a login on behalf of ``user``, or the return to the actor's own account.

    :param actor: the primary key of the user who acts on behalf of ``user``.
    """
    _tell("login_on_behalf", {"user": user.pk, "actor": actor})


def signed_out_others(user: User, request: HttpRequest | None) -> None:
    """Report that the sessions of a user have ended, without that of ``request``."""
    _tell("signed_out_others", {"user": user.pk}, type(user), user=user, request=request)


def second_factor_reset(
    user: User,
    by: User | None,
    request: HttpRequest | None,
    *,
    forget_phones: bool,
    has_phone: bool,
) -> None:
    """Report that staff reset the second factor of a user; ``by`` is None for a command."""
    fields = {"user": user.pk, "by": getattr(by, "pk", None), "forget_phones": forget_phones}
    _tell(
        "second_factor_reset",
        fields,
        type(user),
        user=user,
        by=by,
        forget_phones=forget_phones,
        has_phone=has_phone,
        request=request,
    )


# The site ------------------------------------------------------------------------------------


def conversion_fell(conversion: Conversion) -> None:
    """Report that few codes were typed, which can be a sign of SMS pumping."""
    fields = {"sent": conversion.sent, "entered": conversion.entered}
    _tell("conversion_fell", fields, type(conversion), conversion=conversion)


def alarm_failed() -> None:
    """Report that the part of the codes that was typed could not be computed.

    Call it in an ``except`` block.
    """
    _tell("alarm_failed", {}, failed=True)


def address_unreadable() -> None:
    """Report that a client address cannot be read, so that the limits by address do not apply."""
    _tell("address_unreadable", {"setting": "TRUSTED_PROXIES"})


def mail_failed(user: User, event: str) -> None:
    """Report that the mail about ``event`` could not be sent to ``user``.

    Call it in an ``except`` block.
    """
    _tell("mail_failed", {"about": event, "user": user.pk}, failed=True)


def reminder_failed(user: User) -> None:
    """Report that the policy could not say from which day on ``user`` needs a phone.

    Call it in an ``except`` block.
    """
    _tell("reminder_failed", {"user": user.pk}, failed=True)


def session_note_failed() -> None:
    """Report that the cache with the sessions failed, so the end of a session may not be noted.

    Call it in an ``except`` block.
    """
    _tell("session_note_failed", {}, failed=True)


def database_unavailable() -> None:
    """Report that a page of this app could not reach the database.

    Call it in an ``except`` block.
    """
    _tell("database_unavailable", {}, failed=True)


def access_refused(error: Unauthorized | Forbidden, request: HttpRequest | None) -> None:
    """Report that Bandwidth refused the site's credentials, so that no code is sent."""
    _tell("access_refused", _failure(error), type(error), error=error, request=request)


def _tell_if_access_was_refused(error: BandwidthError, request: HttpRequest | None) -> None:
    if isinstance(error, Unauthorized | Forbidden):
        access_refused(error, request)
