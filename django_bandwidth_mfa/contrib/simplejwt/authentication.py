"""simplejwt's authentication, which refuses tokens whose login owes a code, or has ended."""

from __future__ import annotations

from rest_framework_simplejwt import authentication

from ..rest_framework.authentication import CodeRequiredMixin

__all__ = ["JWTAuthentication", "JWTStatelessUserAuthentication"]


class JWTAuthentication(CodeRequiredMixin, authentication.JWTAuthentication):
    """Check with the database on each request that the login is still valid."""


class JWTStatelessUserAuthentication(
    CodeRequiredMixin, authentication.JWTStatelessUserAuthentication
):
    """Create ``request.user`` from the claims; the login is still checked with the database."""
