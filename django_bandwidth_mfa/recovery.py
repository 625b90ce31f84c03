"""Recovery codes: the way in when the phone is lost, locked, or Bandwidth is down.

A code has 120 random bits.  That is enough to store it under a plain SHA-256 (NIST SP 800-63B-4,
3.1.2.2, and OWASP ASVS 5.0, 6.5.2, ask for a password hash below 112 bits), so that a new
``SECRET_KEY`` voids none.  Wrong ones are made to wait, as wrong codes by phone are, on a count of
their own: neither door shuts the other, and this one is never locked.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Any

from django.db import router, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from .conf import settings
from .internal.limits import rules, store
from .internal.notify import events
from .models import RecoveryCode
from .verification import Verification

# Crockford's base 32: no letter that is taken for a digit.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 24

# So many left, or fewer, are worth a warning.
FEW = 3

_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1"})


@sensitive_variables()
def issue(user: Any, *, request: HttpRequest | None = None) -> list[str]:
    """Make ``user`` a new set of ``RECOVERY_CODES`` codes, and void the old one.

    :returns: the codes, as ``"7KQ2-M9XD-4TBN-W3FH-P8VA-YC6E"``.  They cannot be had again.
    """
    codes = [
        "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        for _ in range(settings.RECOVERY_CODES)
    ]
    with transaction.atomic(using=router.db_for_write(RecoveryCode)):
        RecoveryCode.objects.filter(user=user).delete()
        RecoveryCode.objects.bulk_create(
            RecoveryCode(user=user, digest=digest(code)) for code in codes
        )
    events.recovery_codes_made(user, request)
    return ["-".join(re.findall("....", code)) for code in codes]


def are_few(user: Any) -> bool:
    """Whether it is time for ``user`` to make new ones."""
    return settings.RECOVERY_CODES > 0 and RecoveryCode.objects.left(user) <= FEW


@sensitive_variables("code", "plain")
def use(user: Any, code: str, *, request: HttpRequest | None = None) -> Verification:
    """Let ``user`` pass with a recovery code, once; that also opens a locked phone factor.

    :returns: falsy when the code is wrong or was used.
    :raises Limited: too many wrong ones in a row.
    :raises RuntimeError: a transaction is open.
    """
    sought = digest(code)
    now = timezone.now()

    def spend() -> bool:
        # Counted first, so that guesses at the same moment cannot all see the count before them.
        rules.take_recovery_failure(user)
        # One UPDATE: of concurrent copies of a code, one is let in.
        unused = RecoveryCode.objects.filter(user=user, digest=sought, used_at=None)
        if not unused.update(used_at=now):
            return False
        rules.clear(user)
        return True

    if not store.counting(spend):
        events.recovery_code_rejected(user)
        if rules.look_like_guesses(user, rules.recovery_failures(user)):
            events.wrong_codes(user, request)
        return Verification(user, "recovery_code")
    events.recovery_code_used(user, RecoveryCode.objects.left(user), request)
    return Verification(user, "recovery_code", verified_at=now)


def digest(code: str) -> str:
    """What is stored of ``code``: the same for every way of typing it."""
    plain = re.sub(r"[\s-]+", "", code).upper().translate(_READ_AS)
    return hashlib.sha256(plain.encode("utf-8", "replace")).hexdigest()
