"""The old module of :func:`django_bandwidth_mfa.service.require_new_code`.

.. deprecated:: 0.1
"""

from __future__ import annotations

import warnings

from .types import User

__all__ = ["end_verified_sessions"]


def end_verified_sessions(user: User) -> None:
    """Do what :func:`django_bandwidth_mfa.service.require_new_code` does."""
    from .service import require_new_code

    warnings.warn(
        "lifecycle.end_verified_sessions is deprecated. Use service.require_new_code instead.",
        DeprecationWarning,
        stacklevel=2,
    )
    require_new_code(user)
