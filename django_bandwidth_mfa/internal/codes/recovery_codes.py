"""Recovery codes, for use when the phone is lost or locked, or when Bandwidth is down.

A code has twelve characters, so that people can write it down.  The first two are the selector.  It
selects one of the user's rows: all codes of a set have different selectors.  The other ten
characters are the secret, with 50 random bits.

The secret is hashed with scrypt and a salt of its own.  NIST SP 800-63B-4, 3.1.2.2, and OWASP ASVS
5.0, 6.5.2, require a password hash for secrets of less than 112 bits.  Somebody who has stolen the
table can try billions of plain digests per second, but only about 25 scrypt hashes on each
processor core.  The hash does not use ``SECRET_KEY`` or ``PASSWORD_HASHERS``, so the codes stay
valid when these settings change.

An earlier version created codes of 24 characters.  They have 120 random bits, are stored as a plain
SHA-256, and work until they are used.

The waits after wrong recovery codes are separate from the waits after wrong codes by phone, so the
one never blocks the other.  Recovery codes are never locked.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import datetime
from typing import NamedTuple

from django.db import router, transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from ...conf import settings
from ...models import RecoveryCode, SecondFactor
from ...types import User, in_query
from ...verification import Verification
from ..limits import rules, store
from ..notify import events
from ..plain_text import plain

# Crockford's base 32, without letters that look like digits.  A character has five random bits.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SELECTOR_LENGTH = 2
LENGTH = 12
OLD_LENGTH = 24

# An example of a code, for pages.
EXAMPLE = "7KQ2-M9XD-4TBN"

SALT_BYTES = 16
DIGEST_BYTES = 32

# If so many codes or fewer are left, the pages show a warning.
FEW = 3

_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1"})


class Cost(NamedTuple):
    """The parameters of scrypt, with their names from RFC 7914."""

    n: int
    r: int
    p: int

    @property
    def memory(self) -> int:
        """The memory limit for one hash, in bytes: what it needs, and a little more."""
        return 128 * self.r * (self.n + self.p + 2) + 2**20


# One hash takes 16 MiB of memory and about 40 ms of processor time.
COST = Cost(n=2**14, r=8, p=1)


def issue(user: User, *, request: HttpRequest | None = None) -> list[str]:
    """Create a new set of codes for ``user`` (:func:`.service.issue_recovery_codes`)."""
    of_user = RecoveryCode.objects.filter(user=in_query(user))
    # Count first, so that a refused request does not cost ten hashes.
    store.counting(lambda: rules.take_recovery_set(user))
    codes = draw(settings.RECOVERY_CODES)
    # Hash before the transaction: ten hashes take as long as hundreds of queries.
    rows = [row_of(user, code, COST) for code in codes]
    SecondFactor.objects.make(user)
    with transaction.atomic(using=router.db_for_write(RecoveryCode)):
        # The lock makes two requests create their sets one after the other.  Otherwise both sets
        # would be stored, but the user may see only one of them.
        SecondFactor.objects.lock(user)
        cancelled_old = RecoveryCode.objects.left(user) > 0
        of_user.delete()
        RecoveryCode.objects.bulk_create(rows)
    events.recovery_codes_made(user, request, cancelled_old=cancelled_old)
    return ["-".join(re.findall("....", code)) for code in codes]


def draw(many: int) -> list[str]:
    """Return ``many`` new codes with different selectors."""
    selectors = [a + b for a in ALPHABET for b in ALPHABET]
    return [
        selector + "".join(secrets.choice(ALPHABET) for _ in range(LENGTH - SELECTOR_LENGTH))
        for selector in secrets.SystemRandom().sample(selectors, many)
    ]


def row_of(user: User, code: str, cost: Cost) -> RecoveryCode:
    """Return an unsaved row for ``code``."""
    selector, secret = _parts(code)
    salt = secrets.token_hex(SALT_BYTES)
    return RecoveryCode(
        user=in_query(user),
        selector=selector,
        digest=slow_digest(secret, salt, cost),
        salt=salt,
        scrypt_n=cost.n,
        scrypt_r=cost.r,
        scrypt_p=cost.p,
    )


def are_few(left: int) -> bool:
    """Return whether the user should create new codes, because only a few are ``left``."""
    return settings.RECOVERY_CODES > 0 and left <= FEW


def use(user: User, code: str, *, request: HttpRequest | None = None) -> Verification:
    """Verify a recovery code of ``user`` (:func:`.service.use_recovery_code`)."""
    unused = RecoveryCode.objects.filter(user=in_query(user), used_at=None)
    failed = Verification(user, "recovery_code")
    typed = read(code)
    if not typed:
        return failed
    # Count first.  Otherwise guesses at the same moment would all see the same count, and an
    # attacker who must wait could still make the site compute hashes.
    store.counting(lambda: rules.take_recovery_failure(user))
    # Hash between two transactions, because it takes as long as many queries.
    row = _find(unused, typed)
    now = timezone.now()
    if row is None or not _spend(user, row, now):
        events.recovery_code_rejected(user)
        if rules.claim_warning(user, rules.count_recovery_failures(user)):
            events.wrong_codes(user, request)
        return failed
    events.recovery_code_used(user, RecoveryCode.objects.left(user), request)
    return Verification(user, "recovery_code", verified_at=now)


def read(text: str) -> str:
    """Return ``text`` as a recovery code in capital letters and without hyphens.

    The result is the same however the code was typed (see :func:`.plain_text.plain`).

    >>> read("7kq2 m9xd-4tbn")
    '7KQ2M9XD4TBN'

    :returns: an empty text if ``text`` cannot be a recovery code, by its length or its characters.
    """
    typed = re.sub("[ -]", "", plain(text)).upper().translate(_READ_AS)
    is_whole = len(typed) in (LENGTH, OLD_LENGTH)
    return typed if is_whole and set(typed).issubset(ALPHABET) else ""


def _find(unused: QuerySet[RecoveryCode], code: str) -> RecoveryCode | None:
    """Return the row of ``code`` among ``unused``; None if the code is wrong."""
    if len(code) == OLD_LENGTH:
        return unused.filter(selector=None, digest=old_digest(code)).first()
    selector, secret = _parts(code)
    row = unused.filter(selector=selector).first()
    if row is None:
        # Compute a hash anyway.  Otherwise the response time would tell an attacker with which
        # characters the user's codes begin.
        slow_digest(secret, secrets.token_hex(SALT_BYTES), COST)
        return None
    cost = Cost(row.scrypt_n, row.scrypt_r, row.scrypt_p)
    is_right = constant_time_compare(slow_digest(secret, row.salt, cost), row.digest)
    return row if is_right else None


class _Gone(Exception):
    """The code was used, or a new set was created, while the hash was computed."""


def _spend(user: User, row: RecoveryCode, now: datetime) -> bool:
    """Use up ``row``.  Of concurrent requests with the same code, only one succeeds."""

    def spend() -> None:
        # Lock the counters before the code: another order could lead to deadlocks.
        rules.clear(user)
        if not RecoveryCode.objects.filter(pk=row.pk, used_at=None).update(used_at=now):
            raise _Gone

    try:
        store.counting(spend)
    except _Gone:
        return False
    return True


def _parts(code: str) -> tuple[str, str]:
    """Return the selector and the secret of ``code``."""
    return code[:SELECTOR_LENGTH], code[SELECTOR_LENGTH:]


def slow_digest(secret: str, salt: str, cost: Cost) -> str:
    """Return the scrypt hash of ``secret`` in hexadecimal digits, as the database stores it.

    :param salt: the salt in hexadecimal digits.
    """
    return hashlib.scrypt(
        secret.encode(),
        salt=bytes.fromhex(salt),
        n=cost.n,
        r=cost.r,
        p=cost.p,
        maxmem=cost.memory,
        dklen=DIGEST_BYTES,
    ).hex()


def old_digest(code: str) -> str:
    """Return the SHA-256 of a code of 24 characters, as the database stores it."""
    return hashlib.sha256(code.encode()).hexdigest()
