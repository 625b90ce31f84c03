"""Check whether a login by token is still valid.

A token has no session.  It keeps a :class:`~django_bandwidth_mfa.verification.LoginProof` in its
claims, or in a database row.  Everything that ends sessions ends such a login, too.  Each check
queries the database.
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
    """Return whether the login of ``proof`` is still valid (:func:`.service.is_in_force`)."""
    user = proof.user
    if not user.is_active or not _is_same_password(proof):
        return False
    row = SecondFactor.objects.of(user)
    # If it is not known when the login began, it counts as older than any moment.
    began = proof.signed_in_at.timestamp() if proof.signed_in_at else 0
    if is_before(began, row.signed_in_since):
        return False
    if proof.method is None or proof.verified_at is None:
        return not policy.owes_code_for_token(request, user)
    if is_before(proof.verified_at.timestamp(), row.verified_since):
        return False
    return proof.phone is None or has_phone(user, proof.phone)


def is_verified(proof: LoginProof, max_age: float | None, methods: Collection[str] | None) -> bool:
    """Return whether the second factor of ``proof`` is accepted (:func:`.service.is_verified`)."""
    if proof.method is None or proof.verified_at is None:
        return False
    if methods is not None and proof.method not in methods:
        return False
    if max_age is not None and not is_within(proof.verified_at.timestamp(), max_age):
        return False
    return is_in_force(proof, None)


def password_digest(user: User) -> str:
    """Return the digest of the session auth hash of ``user``, for a proof."""
    return _digest(auth_hashes(user)[0])


def _is_same_password(proof: LoginProof) -> bool:
    if proof.password_digest is None:
        return True
    known = (_digest(auth_hash) for auth_hash in auth_hashes(proof.user))
    return any(constant_time_compare(proof.password_digest, one) for one in known)


def _digest(auth_hash: str) -> str:
    # The holder of a token can read it.  So it contains a digest, and not the hash itself that
    # Django binds sessions to.
    return hashlib.sha256(f"login {auth_hash}".encode()).hexdigest()
