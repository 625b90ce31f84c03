"""Recovery codes: the way in when the phone is lost or locked, or when Bandwidth is down.

A code has 120 random bits.  So it is stored under a plain SHA-256, and a new ``SECRET_KEY`` voids
no code.  (NIST SP 800-63B-4, 3.1.2.2, and OWASP ASVS 5.0, 6.5.2, ask for a password hash only below
112 bits.)  Wrong recovery codes bring waits of their own, apart from those of codes by phone: so
neither door shuts the other.  Recovery codes are never locked.
"""

from __future__ import annotations

import hashlib
import re
import secrets

from django.db import router, transaction
from django.http import HttpRequest
from django.utils import timezone

from ...conf import settings
from ...models import RecoveryCode
from ...types import User, in_query
from ...verification import Verification
from ..limits import rules, store
from ..notify import events

# Crockford's base 32: no letter that is taken for a digit.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 24

# With so many codes left, or fewer, the pages warn.
FEW = 3

_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1"})


def issue(user: User, *, request: HttpRequest | None = None) -> list[str]:
    """Make ``user`` a new set, and void the old one (:func:`.service.issue_recovery_codes`)."""
    codes = [
        "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        for _ in range(settings.RECOVERY_CODES)
    ]
    with transaction.atomic(using=router.db_for_write(RecoveryCode)):
        RecoveryCode.objects.filter(user=in_query(user)).delete()
        RecoveryCode.objects.bulk_create(
            RecoveryCode(user=in_query(user), digest=digest(code)) for code in codes
        )
    events.recovery_codes_made(user, request)
    return ["-".join(re.findall("....", code)) for code in codes]


def are_few(user: User) -> bool:
    """Whether ``user`` has so few codes left that it is time to make new ones."""
    return settings.RECOVERY_CODES > 0 and RecoveryCode.objects.left(user) <= FEW


def use(user: User, code: str, *, request: HttpRequest | None = None) -> Verification:
    """Try a recovery code of ``user`` (:func:`.service.use_recovery_code`)."""
    sought = digest(code)
    now = timezone.now()

    def spend() -> bool:
        # Counted first, so that guesses at the same moment cannot all see the count before them.
        rules.take_recovery_failure(user)
        # One UPDATE: of concurrent copies of a code, one is let in.
        unused = RecoveryCode.objects.filter(user=in_query(user), digest=sought, used_at=None)
        if not unused.update(used_at=now):
            return False
        rules.clear(user)
        return True

    if not store.counting(spend):
        events.recovery_code_rejected(user)
        if rules.claim_warning(user, rules.count_recovery_failures(user)):
            events.wrong_codes(user, request)
        return Verification(user, "recovery_code")
    events.recovery_code_used(user, RecoveryCode.objects.left(user), request)
    return Verification(user, "recovery_code", verified_at=now)


def digest(code: str) -> str:
    """Return what is stored for ``code``.  It is the same for every way of typing it."""
    plain = re.sub(r"[\s-]+", "", code).upper().translate(_READ_AS)
    return hashlib.sha256(plain.encode("utf-8", "replace")).hexdigest()
