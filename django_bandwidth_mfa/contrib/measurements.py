"""The measurements for monitoring, and the signal receivers that record them.

``contrib.prometheus`` and ``contrib.opentelemetry`` each have a :class:`Recorder`.  No label
contains a number, a code, an address or a user, and each label has only few values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from django.dispatch import Signal

from .. import signals
from ..bandwidth import BandwidthError, NoFreePlace
from ..exceptions import ChallengeExpired, Limited, Locked
from ..models import Challenge
from ..signals import BandwidthCall

__all__ = ["MEASUREMENTS", "Measurement", "Recorder", "connect", "outcome_of"]

Labels = Mapping[str, str]


@dataclass(frozen=True)
class Measurement:
    """One row of :data:`MEASUREMENTS`.

    ``kind`` is ``"counter"``, ``"seconds"`` (a histogram of seconds), ``"level"`` (a value that
    goes up and down) or ``"state"`` (0 or 1).
    """

    name: str
    kind: Literal["counter", "seconds", "level", "state"]
    meaning: str
    labels: tuple[str, ...] = ()


MEASUREMENTS = {
    one.name: one
    for one in (
        Measurement(
            "sends",
            "counter",
            "Codes that the app tried to send",
            ("channel", "purpose", "outcome"),
        ),
        Measurement(
            "verifications",
            "counter",
            "Codes that were typed and checked",
            ("method", "purpose", "outcome"),
        ),
        Measurement(
            "refusals",
            "counter",
            "Codes that were neither sent nor checked, by limit",
            ("action", "limit"),
        ),
        Measurement("logins", "counter", "Logins that are complete", ("method",)),
        Measurement("lockouts", "counter", "Users who were locked after wrong codes"),
        Measurement(
            "alarms", "counter", "Alarms, which the operators of the site must examine", ("alarm",)
        ),
        Measurement(
            "call_duration",
            "seconds",
            "Durations of calls to Bandwidth, without the wait in the queue",
            ("operation", "outcome"),
        ),
        Measurement(
            "queue_duration",
            "seconds",
            "Waits of calls in the queue",
            ("operation", "outcome"),
        ),
        Measurement("calls_in_progress", "level", "Calls that are running or waiting in the queue"),
        Measurement(
            "breaker_open", "state", "Whether the circuit breaker was open after the last call"
        ),
    )
}


class Recorder(Protocol):
    """The interface of a recorder.  ``name`` is a key of :data:`MEASUREMENTS`."""

    def add(self, name: str, amount: int, labels: Labels) -> None:
        """Add to a counter or a level."""

    def record(self, name: str, seconds: float, labels: Labels) -> None:
        """Record a duration."""

    def put(self, name: str, value: int) -> None:
        """Set a state."""


def connect(recorder: Recorder, uid: str) -> None:
    """Connect ``recorder`` to the signals of this app.

    The signals are sent with ``send_robust``: if a recorder raises, the error is logged, and
    nothing else changes.

    :param uid: the dispatch uid, so that the recorder is connected only once.
    """
    for signal, receiver in _receivers(recorder).items():
        signal.connect(receiver, weak=False, dispatch_uid=uid)


def outcome_of(call: BandwidthCall) -> str:
    """Return the outcome of a call.

    It is ``"answered"``; ``"busy"`` or ``"breaker_open"`` if the call was not made; otherwise the
    name of the error, such as ``"TooManyRequests"``.
    """
    if isinstance(call.error, NoFreePlace):
        return "busy"
    if not call.was_made:
        return "breaker_open"
    return "answered" if call.error is None else type(call.error).__name__


def _receivers(recorder: Recorder) -> dict[Signal, Callable[..., None]]:
    def code_sent(challenge: Challenge, **kwargs: object) -> None:
        count_send(challenge, "sent")

    def code_send_failed(challenge: Challenge, error: BandwidthError, **kwargs: object) -> None:
        count_send(challenge, "unknown" if error.may_have_arrived else "failed")

    def count_send(challenge: Challenge, outcome: str) -> None:
        labels = {"channel": challenge.channel, "purpose": challenge.purpose, "outcome": outcome}
        recorder.add("sends", 1, labels)

    def code_verified(challenge: Challenge, **kwargs: object) -> None:
        count_verification(challenge.channel, challenge.purpose, "right")

    def code_rejected(challenge: Challenge, **kwargs: object) -> None:
        count_verification(challenge.channel, challenge.purpose, "wrong")

    def recovery_code_used(**kwargs: object) -> None:
        count_verification("recovery_code", "login", "right")

    def count_verification(method: str, purpose: str, outcome: str) -> None:
        labels = {"method": method, "purpose": purpose, "outcome": outcome}
        recorder.add("verifications", 1, labels)

    def send_refused(error: Exception, **kwargs: object) -> None:
        recorder.add("refusals", 1, {"action": "send", "limit": _limit_of(error)})

    def try_refused(error: Exception, **kwargs: object) -> None:
        recorder.add("refusals", 1, {"action": "verify", "limit": _limit_of(error)})

    def login_completed(method: str | None, **kwargs: object) -> None:
        recorder.add("logins", 1, {"method": method or "none"})

    def locked_out(**kwargs: object) -> None:
        recorder.add("lockouts", 1, {})

    def access_refused(**kwargs: object) -> None:
        recorder.add("alarms", 1, {"alarm": "access_refused"})

    def conversion_fell(**kwargs: object) -> None:
        recorder.add("alarms", 1, {"alarm": "conversion_fell"})

    def call_began(**kwargs: object) -> None:
        recorder.add("calls_in_progress", 1, {})

    def call_ended(call: BandwidthCall, **kwargs: object) -> None:
        recorder.add("calls_in_progress", -1, {})
        outcome = outcome_of(call)
        labels = {"operation": call.operation, "outcome": outcome}
        if call.was_made:
            recorder.record("call_duration", call.seconds - call.waited, labels)
        place = {"operation": call.operation, "outcome": "place" if call.was_made else outcome}
        recorder.record("queue_duration", call.waited, place)
        recorder.put("breaker_open", int(call.breaker_is_open))

    receivers: dict[str, Callable[..., Any]] = {
        "access_refused": access_refused,
        "call_began": call_began,
        "call_ended": call_ended,
        "code_rejected": code_rejected,
        "code_send_failed": code_send_failed,
        "code_sent": code_sent,
        "code_verified": code_verified,
        "conversion_fell": conversion_fell,
        "locked_out": locked_out,
        "login_completed": login_completed,
        "recovery_code_used": recovery_code_used,
        "send_refused": send_refused,
        "try_refused": try_refused,
    }
    return {getattr(signals, name): receiver for name, receiver in receivers.items()}


def _limit_of(error: Exception) -> str:
    if isinstance(error, Limited):
        return error.limit
    if isinstance(error, Locked):
        return "lock"
    return "expired" if isinstance(error, ChallengeExpired) else "used"
