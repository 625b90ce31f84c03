"""What is limited: codes sent, codes typed, and recovery codes typed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from ...conf import Rate, parse_rates, settings
from ...exceptions import Limited
from ...models import Counter
from ...types import User
from . import store
from .addresses import client_address
from .store import Taken, Window, take_step, take_window

# Telephone companies give numbers out in blocks of a thousand: only the last digits differ.
PREFIX_LESS = 3
PREFIX_RATE = "30/h"

# It begins the part of a key that is the digest of a user's primary key.
_DIGEST_MARK = "~"

# The window of `take_enrol_try`: five times as long as the wait that Bandwidth asks for.
ENROL_TRY_SECONDS = 600


class HeldAction(StrEnum):
    """What Bandwidth's 429 makes wait; neither stops the other."""

    SEND = "send"
    VERIFY = "verify"


def take_send(
    user: User,
    number: str,
    *,
    purpose: str,
    channel: str,
    is_proven: bool,
    request: HttpRequest | None,
) -> list[Taken]:
    """Count one code that is about to be sent, under ``RESEND_COOLDOWN`` and ``SEND_LIMITS``.

    :param is_proven: whether a code that the app sent has confirmed ``number``.
    :raises Limited: a limit is reached, or Bandwidth asked to send nothing to this number.
    """
    taken = [take_step(_cooldown_key(user), settings.RESEND_COOLDOWN)]
    refuse_held(number, HeldAction.SEND, purpose)
    windows = _send_windows(
        user, number, purpose=purpose, channel=channel, is_proven=is_proven, request=request
    )
    return taken + [take_window(*window) for window in windows]


def seconds_until_send(
    user: User,
    number: str | None,
    *,
    purpose: str,
    channel: str,
    is_proven: bool,
    request: HttpRequest | None,
) -> int:
    """Return for how many seconds :func:`take_send` would refuse a send; 0 if it would not.

    It counts nothing.

    :param number: None if it is not known yet: then the limits of no number are asked.
    """
    windows = _send_windows(
        user, number, purpose=purpose, channel=channel, is_proven=is_proven, request=request
    )
    waits = [store.seconds_left(_cooldown_key(user)), store.seconds_until_windows(windows)]
    if number is not None:
        try:
            refuse_held(number, HeldAction.SEND, purpose)
        except Limited as held_number:
            waits.append(held_number.retry_after)
    return max(waits)


def _send_windows(
    user: User,
    number: str | None,
    *,
    purpose: str,
    channel: str,
    is_proven: bool,
    request: HttpRequest | None,
) -> list[Window]:
    """Return the windows of one send, in the order in which they are taken."""
    weight = settings.CALL_WEIGHT if channel == "voice" else 1
    budget = _send_budget(purpose)
    # Toll fraud: somebody rents a block of numbers and earns money for each message to it.  So
    # codes to unproven numbers of one block are limited together.  Proven numbers are not counted,
    # since the phones of one company often share a block.
    prefix = None if number is None or is_proven else number[:-PREFIX_LESS]
    subjects = {
        "user": f"user:{_key_of(user)}",
        "number": f"{budget}:{_digest(number)}" if number is not None else None,
        "prefix": f"prefix:{_digest(prefix)}" if prefix is not None else None,
        "address": f"address:{_digest(address)}" if (address := client_address(request)) else None,
        "site": "site",
    }
    limits = {"prefix": PREFIX_RATE, **settings.SEND_LIMITS}
    return [
        Window(_send_key(subject, rate), rate, weight)
        for name, subject in subjects.items()
        if subject is not None
        for rate in parse_rates(limits[name] or "")
    ]


def _send_key(subject: str, rate: Rate) -> str:
    return f"send:{subject}:{rate.seconds}"


def take_failure(user: User) -> Taken:
    """Count one try of ``user`` as wrong, before Bandwidth is asked.

    A right code clears the count.

    :raises Limited: the wait after too many wrong codes in a row is not over.
    :raises Locked: the user has typed ``FAILURES_BEFORE_LOCK`` wrong codes in a row.
    """
    return take_step(_failures_key(user), _failure_steps(), lock_at=settings.FAILURES_BEFORE_LOCK)


def take_recovery_failure(user: User) -> Taken:
    """Count one wrong recovery code of ``user``.  Recovery codes are never locked.

    :raises Limited: the wait after too many wrong recovery codes in a row is not over.
    """
    return take_step(_recovery_failures_key(user), _failure_steps())


def take_enrol_try(number: str) -> Taken:
    """Count one code that anybody typed to enrol ``number``.

    Bandwidth answers 429 for a number with many wrong codes.  Without this limit strangers who
    enrol the number of somebody else could keep its owner out.

    :raises Limited: ``TRIES_PER_CHALLENGE`` codes were typed in the last ten minutes.
    """
    rate = Rate(settings.TRIES_PER_CHALLENGE, ENROL_TRY_SECONDS)
    return take_window(_enrol_tries_key(_digest(number)), rate)


def is_locked(user: User) -> bool:
    """Whether ``user`` has typed ``FAILURES_BEFORE_LOCK`` wrong codes in a row."""
    return _locked().filter(key=_failures_key(user)).exists()


def count_locked() -> int:
    """Return the number of users who are locked."""
    return _locked().count()


def _locked() -> models.QuerySet[Counter]:
    return Counter.objects.filter(
        key__startswith="failures:", count__gte=settings.FAILURES_BEFORE_LOCK
    )


def locked_users() -> list[object]:
    """Return the primary keys of the users who are locked."""
    locked = {key.partition(":")[2] for key in _locked().values_list("key", flat=True)}
    by_digest = {key for key in locked if key.startswith(_DIGEST_MARK)}
    found: list[object] = list(locked - by_digest)
    if by_digest:
        # A digest names nobody.  So each user is asked, on sites with such keys only.
        keys = get_user_model()._default_manager.values_list("pk", flat=True)
        found += [pk for pk in keys.iterator() if _key_of_pk(pk) in by_digest]
    return found


def count_failures(user: User) -> int:
    """Return how many wrong codes in a row ``user`` has typed."""
    return store.read(_failures_key(user))


def count_recovery_failures(user: User) -> int:
    """Return how many wrong recovery codes in a row ``user`` has typed."""
    return store.read(_recovery_failures_key(user))


def claim_warning(user: User, failures: int) -> bool:
    """Return whether ``user`` must be warned now of so many ``failures`` in a row.

    The first True counts as today's warning; later calls on the same day return False.
    """
    return failures >= settings.FAILURES_BEFORE_WAIT and store.claim_turn(
        f"warning:{_key_of(user)}", 86_400
    )


def clear(user: User) -> None:
    """End the waits and the cooldown of ``user``, as a right code does.  No other limit changes."""
    store.clear([_cooldown_key(user), _failures_key(user), _recovery_failures_key(user)])


def clear_all(user: User, numbers: Iterable[str]) -> None:
    """End every limit of ``user`` and of the user's ``numbers``, as staff do for them.

    What is not theirs stays: the limits of an address, of a prefix and of the whole site, and the
    wait that Bandwidth has asked for (:func:`hold`).
    """
    clear(user)
    limits = settings.SEND_LIMITS
    of_user = [f"user:{_key_of(user)}"]
    digests = [_digest(number) for number in numbers]
    of_numbers = [f"{budget}:{digest}" for digest in digests for budget in ("number", "enrol")]
    # Key by key, in the order of `take_send`: so no send and no reset wait for each other.
    for name, subjects in (("user", of_user), ("number", of_numbers)):
        for subject in subjects:
            for rate in parse_rates(limits[name] or ""):
                store.clear([_send_key(subject, rate)])
    store.clear([_enrol_tries_key(digest) for digest in digests])


def hold(number: str, action: HeldAction, purpose: str, seconds: float) -> None:
    """Have all workers wait with ``action`` on ``number`` for ``seconds``, as Bandwidth asked.

    :param purpose: the purpose of the code that Bandwidth refused to send or to check.
    """
    until = timezone.now() + timedelta(seconds=seconds)
    Counter.objects.update_or_create(
        key=_held_key(number, action, purpose), defaults={"until": until}
    )


def held(number: str, action: HeldAction, purpose: str) -> models.QuerySet[Counter]:
    """Return the row of a :func:`hold` that is not over, if there is one."""
    return Counter.objects.filter(key=_held_key(number, action, purpose), until__gt=timezone.now())


def count_held() -> int:
    """Return how many numbers are on :func:`hold`, for any action."""
    keys = Counter.objects.filter(key__startswith="held:", until__gt=timezone.now())
    # One number may be held for several actions.  The digest of the number ends each key.
    return len({key.rpartition(":")[2] for key in keys.values_list("key", flat=True)})


def expired_rows() -> models.QuerySet[Counter]:
    """Return the rows that limit nobody any more, for ``mfa_purge``.

    Those are windows and holds that have ended, and ladders at their start.  A ladder above its
    start stays, however old it is: wrong codes do not expire.
    """
    on_a_step = Q(count__gt=0) & (
        Q(key__startswith="cooldown:")
        | Q(key__startswith="failures:")
        | Q(key__startswith="recovery-failures:")
    )
    return Counter.objects.filter(~on_a_step, until__lte=timezone.now())


def refuse_held(number: str, action: HeldAction, purpose: str) -> None:
    """Raise an error if ``action`` on ``number`` is on :func:`hold`.

    :raises Limited: it is.
    """
    row = held(number, action, purpose).first()
    if row is not None:
        raise Limited((row.until - timezone.now()).total_seconds())


def seconds_until_try(user: User) -> int:
    """Return for how many seconds ``user`` has to wait before another code may be tried."""
    return store.seconds_left(_failures_key(user))


def _failure_steps() -> list[int]:
    """Return the wait after each wrong code, in seconds.

    The first ones wait for nothing.  Then comes ``FAILURE_WAIT_MIN``, doubled each time up to
    ``FAILURE_WAIT_MAX``.
    """
    step, longest = settings.FAILURE_WAIT_MIN, settings.FAILURE_WAIT_MAX
    steps = [0] * (settings.FAILURES_BEFORE_WAIT - 1)
    while step < longest:
        steps.append(step)
        step *= 2
    return [*steps, longest]


def _cooldown_key(user: User) -> str:
    return f"cooldown:{_key_of(user)}"


def _failures_key(user: User) -> str:
    return f"failures:{_key_of(user)}"


def _recovery_failures_key(user: User) -> str:
    return f"recovery-failures:{_key_of(user)}"


def _send_budget(purpose: str) -> str:
    """Return which sends are counted and held together with those for ``purpose``.

    A stranger who tries to enrol my number must neither use up nor stop the codes that I sign in
    with.
    """
    return "enrol" if purpose == "enrol" else "number"


def _held_key(number: str, action: HeldAction, purpose: str) -> str:
    # Bandwidth counts wrong codes for a number, and our purposes are its scopes.  So a wait for one
    # purpose says nothing of the others.
    kind = _send_budget(purpose) if action == HeldAction.SEND else purpose
    return f"held:{action}:{kind}:{_digest(number)}"


def _enrol_tries_key(digest: str) -> str:
    return f"enrol-tries:{digest}"


def _key_of(user: User) -> str:
    return _key_of_pk(user.pk)


def _key_of_pk(pk: object) -> str:
    """Return what stands for a user in a key.

    Numbers and UUIDs stand for themselves.  Other primary keys can be as long as a key, and MariaDB
    takes ``ada``, ``ADA`` and ``"ada "`` for one text.  So a digest stands for them.
    """
    text = str(pk)
    return text if isinstance(pk, int | UUID) else _DIGEST_MARK + _digest(text)


def _digest(subject: str) -> str:
    """Return what stands for a number, an address or a text in a key, which staff can read."""
    return salted_hmac("bandwidth_mfa.limits", subject, algorithm="sha256").hexdigest()[:40]
