"""The old module for recovery codes.  Use :mod:`django_bandwidth_mfa.service` instead.

.. deprecated:: 0.1
"""

from __future__ import annotations

import warnings

from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from . import service
from .types import User
from .verification import Verification

__all__ = ["issue", "use"]


@sensitive_variables()
def issue(user: User, *, request: HttpRequest | None = None) -> list[str]:
    """Do what :func:`django_bandwidth_mfa.service.issue_recovery_codes` does."""
    _warn("issue", "issue_recovery_codes")
    return service.issue_recovery_codes(user, request=request)


@sensitive_variables()
def use(user: User, code: str, *, request: HttpRequest | None = None) -> Verification:
    """Do what :func:`django_bandwidth_mfa.service.use_recovery_code` does."""
    _warn("use", "use_recovery_code")
    return service.use_recovery_code(user, code, request=request)


def _warn(old: str, new: str) -> None:
    warnings.warn(
        f"recovery.{old} is deprecated. Use service.{new} instead.",
        DeprecationWarning,
        stacklevel=4,
    )
