"""Recovery codes: the way in when the phone is lost or locked, or when Bandwidth is down.

A code has twelve characters, so that people can write it down.  The first two are the selector:
they say which row of the user's is the code's own, and no two codes of a set share one.  The other
ten are the secret: 50 random bits.

The secret is stored under scrypt, with a salt of its own.  NIST SP 800-63B-4, 3.1.2.2, and OWASP
ASVS 5.0, 6.5.2, ask for a password hash below 112 bits.  Somebody who has stolen the table tries
billions of plain digests in a second, but only some 25 scrypt hashes on each processor core.
Neither ``SECRET_KEY`` nor ``PASSWORD_HASHERS`` has a part in it, so a change of them voids no code.

Codes of 24 characters are those of an earlier version.  They have 120 random bits and are stored
under a plain SHA-256, and each works until it is used.

Wrong recovery codes bring waits of their own, apart from those of codes by phone: so neither door
shuts the other.  Recovery codes are never locked.
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

# Crockford's base 32: no letter that is taken for a digit.  A character has five random bits.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SELECTOR_LENGTH = 2
LENGTH = 12
OLD_LENGTH = 24

# What a code looks like.
EXAMPLE = "7KQ2-M9XD-4TBN"

SALT_BYTES = 16
DIGEST_BYTES = 32

# With so many codes left, or fewer, the pages warn.
FEW = 3

_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1"})


class Cost(NamedTuple):
    """The parameters of scrypt, under the names of RFC 7914."""

    n: int
    r: int
    p: int

    @property
    def memory(self) -> int:
        """The bytes that one hash needs, and a few to spare."""
        return 128 * self.r * (self.n + self.p + 2) + 2**20


# One hash takes 16 MiB of memory and some 40 ms of processor time.
COST = Cost(n=2**14, r=8, p=1)


def issue(user: User, *, request: HttpRequest | None = None) -> list[str]:
    """Make ``user`` a new set, and void the old one (:func:`.service.issue_recovery_codes`)."""
    of_user = RecoveryCode.objects.filter(user=in_query(user))
    # Counted first: a set that is refused must not cost ten hashes.
    store.counting(lambda: rules.take_recovery_set(user))
    codes = draw(settings.RECOVERY_CODES)
    # Before the transaction: ten hashes take as long as hundreds of queries.
    rows = [row_of(user, code, COST) for code in codes]
    SecondFactor.objects.make(user)
    with transaction.atomic(using=router.db_for_write(RecoveryCode)):
        # Two sets that are made at the same moment come one after the other.  Otherwise both would
        # stay, and one of them is shown to nobody.
        SecondFactor.objects.lock(user)
        of_user.delete()
        RecoveryCode.objects.bulk_create(rows)
    events.recovery_codes_made(user, request)
    return ["-".join(re.findall("....", code)) for code in codes]


def draw(many: int) -> list[str]:
    """Return so many new codes.  No two of them begin with the same selector."""
    selectors = [a + b for a in ALPHABET for b in ALPHABET]
    return [
        selector + "".join(secrets.choice(ALPHABET) for _ in range(LENGTH - SELECTOR_LENGTH))
        for selector in secrets.SystemRandom().sample(selectors, many)
    ]


def row_of(user: User, code: str, cost: Cost) -> RecoveryCode:
    """Return the row for ``code``, unsaved."""
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
    """Return whether so few unused codes are ``left`` that it is time to make new ones."""
    return settings.RECOVERY_CODES > 0 and left <= FEW


def use(user: User, code: str, *, request: HttpRequest | None = None) -> Verification:
    """Try a recovery code of ``user`` (:func:`.service.use_recovery_code`)."""
    unused = RecoveryCode.objects.filter(user=in_query(user), used_at=None)
    failed = Verification(user, "recovery_code")
    typed = read(code)
    if not typed:
        return failed
    # Counted first, so that guesses at the same moment cannot all see the count before them, and so
    # that somebody who has to wait cannot make the site hash.
    store.counting(lambda: rules.take_recovery_failure(user))
    # Hashed between two transactions, since it takes as long as many queries.
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
    """Return the recovery code that ``text`` is, in capitals and without hyphens.

    It is the same for every way of typing the code, in all that :func:`.plain_text.plain` reads.

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
        # Hash for nothing.  Otherwise the time of the answer would tell with which characters the
        # codes of the user begin.
        slow_digest(secret, secrets.token_hex(SALT_BYTES), COST)
        return None
    cost = Cost(row.scrypt_n, row.scrypt_r, row.scrypt_p)
    is_right = constant_time_compare(slow_digest(secret, row.salt, cost), row.digest)
    return row if is_right else None


class _Gone(Exception):
    """The code was used, or a new set was made, while it was hashed."""


def _spend(user: User, row: RecoveryCode, now: datetime) -> bool:
    """Use up ``row``.  Of concurrent copies of its code one is let in."""

    def spend() -> None:
        # Counters before the code: in another order two transactions would wait for each other.
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
    """Return what is stored for ``secret``.

    :param salt: hexadecimal digits.
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
    """Return what is stored for a code of 24 characters."""
    return hashlib.sha256(code.encode()).hexdigest()
