"""Ladders: each step of a user makes the wait for the next step longer.

There are three ladders: for sent codes, for wrong codes, and for wrong recovery codes.  They are
columns in the user's row of :class:`~django_bandwidth_mfa.models.SecondFactor`.  A right code
resets all three (:func:`clear`).
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

# The :attr:`.Limited.limit` of each ladder.
_NAMES = {SENDS: "cooldown", TRIES: "wrong_codes", RECOVERY: "wrong_recovery_codes"}


@dataclass(frozen=True)
class Step:
    """A step that was counted, and can be undone.

    ``after`` is the earliest moment for the next step, in microseconds since the epoch.
    ``failures`` is the number of wrong codes in a row.
    """

    user: User
    ladder: Ladder
    after: int
    failures: int


def take_step(
    user: User, ladder: Ladder, waits: Sequence[int], *, lock_at: int | None = None
) -> Step:
    """Count one step of ``user``.

    Call it inside :func:`.store.counting`, so that an error rolls the step back.  Call it before
    any bucket is changed, because all transactions must lock the user's row first.

    :param waits: the wait after the first step, after the second step, and so on, in seconds.  The
        last one is also used for all later steps.
    :param lock_at: the number of wrong codes in a row that locks this ladder; None if it is never
        locked.
    :raises Limited: the wait after the previous step is not over.
    :raises Locked: the user is locked.
    :raises IntegrityError: the user was deleted.
    """
    rung = climb(user, ladder, _moment_after(waits[0]))
    failures = rung.failures - (1 if ladder is TRIES else 0)
    if lock_at is not None and failures >= lock_at:
        raise Locked
    if rung.steps == 1:
        return Step(user, ladder, rung.after, failures)
    # Read the clock while the row is locked, as in `store.take`.
    left = rung.after - store.now()
    if left > 0:
        raise Limited(left / SECOND, _NAMES[ladder])
    wait = waits[min(rung.steps, len(waits)) - 1]
    after = _moment_after(wait)
    if after != rung.after:
        _row(user).update(**{ladder.after: after})
    return Step(user, ladder, after, failures)


def _moment_after(wait: int) -> int:
    """Return the moment ``wait`` seconds from now; 0, which means no wait, if ``wait`` is 0."""
    return store.now() + wait * SECOND if wait else 0


def give_back(step: Step) -> None:
    """Undo one step.  Its wait ends, too, unless another step was counted since."""
    steps, after = step.ladder
    ended = Case(
        When(**{after: step.after}, then=Value(0, output_field=models.BigIntegerField())),
        default=F(after),
    )
    counted = _row(step.user).filter(**{f"{steps}__gt": 0})
    # `after` comes before `steps`, because MariaDB assigns from left to right.
    counted.update(**{after: ended, steps: F(steps) - 1})


def name_of(ladder: Ladder) -> str:
    """Return the :attr:`.Limited.limit` of ``ladder``."""
    return _NAMES[ladder]


def clear(user: User) -> None:
    """Reset all ladders of ``user``."""
    names = [name for ladder in _NAMES for name in ladder]
    rows.update(SecondFactor, {"user": user}, dict.fromkeys(names, 0))


def seconds_left(row: SecondFactor, ladder: Ladder) -> float:
    """Return how long the next step must wait, in seconds; 0 if there is no wait.

    :param row: the row of the user (:meth:`~.SecondFactorManager.of`).
    """
    after: int = getattr(row, ladder.after)
    return max(0, after - store.now()) / SECOND


def locked(lock_at: int) -> models.QuerySet[SecondFactor]:
    """Return the rows of the users with ``lock_at`` or more wrong codes in a row."""
    return SecondFactor.objects.filter(failures__gte=lock_at)


def _row(user: User) -> models.QuerySet[SecondFactor]:
    return SecondFactor.objects.filter(user=in_query(user))
