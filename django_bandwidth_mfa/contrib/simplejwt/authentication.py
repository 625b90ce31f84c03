"""simplejwt's authentication, which refuses what skipped the code."""

from __future__ import annotations

from rest_framework_simplejwt import authentication

from ..rest_framework.authentication import CodeRequiredMixin

__all__ = ["JWTAuthentication", "JWTStatelessUserAuthentication"]


class JWTAuthentication(CodeRequiredMixin, authentication.JWTAuthentication):
    """Asks the database on each request whether the login is in force."""


class JWTStatelessUserAuthentication(
    CodeRequiredMixin, authentication.JWTStatelessUserAuthentication
):
    """``request.user`` is made from the claims; the login is still asked about."""
