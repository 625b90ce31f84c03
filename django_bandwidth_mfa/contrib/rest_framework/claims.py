"""What a JSON Web Token says of its login.

========================  ==========================================================================
``amr``                   ``["pwd"]``; with a code ``["pwd", "sms"]``, with one by a call
                          ``["pwd", "tel"]``, with a recovery code ``["pwd", "otp"]`` (RFC 8176).
``auth_time``             When the login was complete, in seconds since the epoch (OpenID Connect).
``mfa_at``                When the code passed; missing if no code was given.
``mfa_phone``             Which of the user's phones got the code: its id, never its number.
``mfa_pwd``               A digest, so that another password ends the login.
========================  ==========================================================================
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ...types import User
from ...verification import LoginProof

__all__ = ["claims_of", "proof_of_claims"]

PASSWORD = "pwd"  # noqa: S105  the name that RFC 8176 gives to passwords

# The names of our methods in RFC 8176.
REFERENCES = {"sms": "sms", "voice": "tel", "recovery_code": "otp"}
METHODS = {reference: method for method, reference in REFERENCES.items()}


def claims_of(proof: LoginProof) -> dict[str, Any]:
    """Return the claims for a token of the login in ``proof``."""
    claims: dict[str, Any] = {"amr": [PASSWORD]}
    if proof.signed_in_at is not None:
        claims["auth_time"] = _seconds(proof.signed_in_at)
    if proof.password_digest is not None:
        claims["mfa_pwd"] = proof.password_digest
    if proof.method is not None and proof.verified_at is not None:
        claims["amr"] = [PASSWORD, REFERENCES.get(proof.method, proof.method)]
        claims["mfa_at"] = _seconds(proof.verified_at)
        if proof.phone is not None:
            claims["mfa_phone"] = proof.phone
    return claims


def proof_of_claims(claims: Mapping[str, Any], user: User) -> LoginProof:
    """Return the login of ``user`` that ``claims`` describe.

    Claims that are missing, or not in the form of :func:`claims_of`, are ignored.
    """
    return LoginProof(
        user=user,
        signed_in_at=_moment(claims.get("auth_time")),
        method=_method(claims.get("amr")),
        verified_at=_moment(claims.get("mfa_at")),
        phone=_text(claims.get("mfa_phone")),
        password_digest=_text(claims.get("mfa_pwd")),
    )


def _seconds(moment: datetime) -> int:
    # Round down: a token must not seem newer than it is.
    return math.floor(moment.timestamp())


def _moment(seconds: object) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _method(amr: object) -> str | None:
    if not isinstance(amr, list) or amr[:1] != [PASSWORD]:
        return None
    return next((METHODS.get(str(one), str(one)) for one in amr[1:]), None)
