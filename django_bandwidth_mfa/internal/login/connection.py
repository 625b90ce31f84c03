"""The connection of a socket whose message is being handled."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from django.contrib.sessions.backends.base import SessionBase


@dataclass
class Connection:
    """One connection.

    ``is_over`` says that a login was refused in it.  ``end`` ends its consumer; any thread may call
    it.
    """

    session: SessionBase
    is_over: bool = False
    end: Callable[[], object] = lambda: None


current_connection: ContextVar[Connection | None] = ContextVar(
    "bandwidth_mfa_connection", default=None
)
