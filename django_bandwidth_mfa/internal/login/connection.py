"""The WebSocket connection whose message is being handled."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from django.contrib.sessions.backends.base import SessionBase


@dataclass
class Connection:
    """One connection of Channels.

    ``is_over`` is True if a login was refused in it.  ``end`` ends its consumer, and can be called
    from any thread.
    """

    session: SessionBase
    is_over: bool = False
    end: Callable[[], object] = lambda: None


current_connection: ContextVar[Connection | None] = ContextVar(
    "bandwidth_mfa_connection", default=None
)
