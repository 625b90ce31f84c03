"""Ladders: each step of a user makes the next one wait for longer.

There are three: codes that are sent, wrong codes, and wrong recovery codes.  All are columns of the
user's row of :class:`~django_bandwidth_mfa.models.SecondFactor`.  A right code puts all three back
to their start (:func:`clear`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import models
from django.db.models import Case, F, Value, When

from ...exceptions import Limited, Locked
from ...models import SecondFactor
from ...types import User, in_query
from .. import rows
from . import store
from .statements import Ladder, climb
from .store import SECOND

SENDS = Ladder("sends", "send_after")
TRIES = Ladder("failures", "try_after")
RECOVERY = Ladder("recovery_failures", "recovery_after")

# What a refusal of each is named after (:attr:`.Limited.limit`).
_NAMES = {SENDS: "cooldown", TRIES: "wrong_codes", RECOVERY: "wrong_recovery_codes"}


@dataclass(frozen=True)
class Step:
    """A step that was counted and can be given back.

    ``after`` is the moment that the next step has to wait for, in microseconds since the epoch.
    ``failures`` is how many wrong codes in a row the user has typed.
    """

    user: User
    ladder: Ladder
    after: int
    failures: int


def take_step(
    user: User, ladder: Ladder, waits: Sequence[int], *, lock_at: int | None = None
) -> Step:
    """Count one step of ``user``.

    Call it inside :func:`.store.counting`, before any bucket is taken from: an error rolls the step
    back, and all transactions lock the user's row first.

    :param waits: the wait after the first step, after the second one, and so on, in seconds.  The
        last one stands for all that follow.
    :param lock_at: so many wrong codes in a row lock this ladder; None if nothing does.
    :raises Limited: the wait of the step before is not over.
    :raises Locked: the user is locked.
    :raises IntegrityError: the user is gone.
    """
    rung = climb(user, ladder, _moment_after(waits[0]))
    failures = rung.failures - (1 if ladder is TRIES else 0)
    if lock_at is not None and failures >= lock_at:
        raise Locked
    if rung.steps == 1:
        return Step(user, ladder, rung.after, failures)
    # The clock is read with the row locked, as in `store.take`.
    left = rung.after - store.now()
    if left > 0:
        raise Limited(left / SECOND, _NAMES[ladder])
    wait = waits[min(rung.steps, len(waits)) - 1]
    after = _moment_after(wait)
    if after != rung.after:
        _row(user).update(**{ladder.after: after})
    return Step(user, ladder, after, failures)


def _moment_after(wait: int) -> int:
    """Return the moment after ``wait`` seconds; 0, which is no wait, after none."""
    return store.now() + wait * SECOND if wait else 0


def give_back(step: Step) -> None:
    """Give one step back.  The wait that it began ends, unless another step was taken since."""
    steps, after = step.ladder
    ended = Case(
        When(**{after: step.after}, then=Value(0, output_field=models.BigIntegerField())),
        default=F(after),
    )
    counted = _row(step.user).filter(**{f"{steps}__gt": 0})
    # `after` before `steps`: MariaDB assigns from left to right.
    counted.update(**{after: ended, steps: F(steps) - 1})


def name_of(ladder: Ladder) -> str:
    """Return what a refusal of ``ladder`` is named after (:attr:`.Limited.limit`)."""
    return _NAMES[ladder]


def clear(user: User) -> None:
    """Put the ladders of ``user`` back to their start."""
    names = [name for ladder in _NAMES for name in ladder]
    rows.update(SecondFactor, {"user": user}, dict.fromkeys(names, 0))


def seconds_left(row: SecondFactor, ladder: Ladder) -> float:
    """Return for how many seconds the next step of a user has to wait; 0 if it has not.

    :param row: that of the user (:meth:`~.SecondFactorManager.of`).
    """
    after: int = getattr(row, ladder.after)
    return max(0, after - store.now()) / SECOND


def locked(lock_at: int) -> models.QuerySet[SecondFactor]:
    """Return the rows of the users with so many wrong codes in a row."""
    return SecondFactor.objects.filter(failures__gte=lock_at)


def _row(user: User) -> models.QuerySet[SecondFactor]:
    return SecondFactor.objects.filter(user=in_query(user))
