"""What a login by token has shown: does it still count?

A token stands behind no session.  It keeps a :class:`~django_bandwidth_mfa.verification.LoginProof`
in its claims, or in a row.  Whatever ends sessions ends it, too.  The database is asked each time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from ...models import SecondFactor, auth_hashes
from ...types import User
from ...verification import LoginProof
from ..phones.source import has_phone
from . import policy
from .clock import is_before, is_within


def is_in_force(proof: LoginProof, request: HttpRequest | None) -> bool:
    """Return whether a login still lets its user in (:func:`.service.is_in_force`)."""
    user = proof.user
    if not user.is_active or not _is_same_password(proof):
        return False
    row = SecondFactor.objects.of(user)
    # A login that cannot say when it began is older than any moment.
    began = proof.signed_in_at.timestamp() if proof.signed_in_at else 0
    if is_before(began, row.signed_in_since):
        return False
    if proof.method is None or proof.verified_at is None:
        return not policy.owes_code_for_token(request, user)
    if is_before(proof.verified_at.timestamp(), row.verified_since):
        return False
    return proof.phone is None or has_phone(user, proof.phone)


def is_verified(proof: LoginProof, max_age: float | None, methods: Collection[str] | None) -> bool:
    """Return whether a second factor of ``proof`` counts (:func:`.service.is_verified`)."""
    if proof.method is None or proof.verified_at is None:
        return False
    if methods is not None and proof.method not in methods:
        return False
    if max_age is not None and not is_within(proof.verified_at.timestamp(), max_age):
        return False
    return is_in_force(proof, None)


def password_digest(user: User) -> str:
    """Return what a proof keeps of the password of ``user``."""
    return _digest(auth_hashes(user)[0])


def _is_same_password(proof: LoginProof) -> bool:
    if proof.password_digest is None:
        return True
    known = (_digest(auth_hash) for auth_hash in auth_hashes(proof.user))
    return any(constant_time_compare(proof.password_digest, one) for one in known)


def _digest(auth_hash: str) -> str:
    # A token can be read by its holder.  The hash that Django binds sessions to does not leave the
    # site itself.
    return hashlib.sha256(f"login {auth_hash}".encode()).hexdigest()
