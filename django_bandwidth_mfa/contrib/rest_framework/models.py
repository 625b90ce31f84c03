"""The table with the logins of REST framework's own tokens."""

from __future__ import annotations

import hashlib

from django.conf import settings
from django.db import models

from ...models import PrimaryManager
from ...types import User, in_query
from ...verification import LoginProof

__all__ = ["TokenLogin"]


class TokenLoginManager(PrimaryManager["TokenLogin"]):
    def of_key(self, key: str) -> models.QuerySet[TokenLogin]:
        """Return the row of the token with this key, as a queryset."""
        return self.filter(digest=digest_of(key))

    def keep(self, key: str, proof: LoginProof) -> None:
        """Store ``proof`` for the token with this key."""
        fields = {
            "user": in_query(proof.user),
            "signed_in_at": proof.signed_in_at,
            "method": proof.method or "",
            "verified_at": proof.verified_at,
            "phone": proof.phone or "",
            "password_digest": proof.password_digest or "",
        }
        self.update_or_create(digest=digest_of(key), defaults=fields)


class TokenLogin(models.Model):
    """A :class:`~django_bandwidth_mfa.verification.LoginProof` for a token without claims.

    .. attribute:: digest

        The SHA-256 of the token's key.  Somebody who reads this table does not get a valid token.
    """

    digest = models.CharField(max_length=64, primary_key=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="bandwidth_mfa_token_logins",
    )
    signed_in_at = models.DateTimeField(null=True, blank=True)
    method = models.CharField(max_length=20, blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    phone = models.CharField(max_length=64, blank=True)
    password_digest = models.CharField(max_length=64, blank=True)

    objects = TokenLoginManager()

    def __str__(self) -> str:
        return f"a token of {self.user}"

    def proof_of(self, user: User) -> LoginProof:
        """Return the stored login as a proof for ``user``, the user of this row."""
        return LoginProof(
            user=user,
            signed_in_at=self.signed_in_at,
            method=self.method or None,
            verified_at=self.verified_at,
            phone=self.phone or None,
            password_digest=self.password_digest or None,
        )


def digest_of(key: str) -> str:
    return hashlib.sha256(f"token {key}".encode()).hexdigest()
