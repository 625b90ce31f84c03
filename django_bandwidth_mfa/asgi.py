"""The same for Channels, whose consumers read the session without Django's middleware."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async

from . import sessions

Application = Callable[[Any, Any, Any], Awaitable[Any]]


class MFAMiddleware:
    """Judges ``scope["user"]``: whoever owes a code is anonymous.

    ::

        "websocket": AuthMiddlewareStack(MFAMiddleware(URLRouter(...)))

    A login that was parked is anonymous to Channels anyway; this is for sessions from before the
    app was installed, and for those whose mark no longer holds.  A connection is judged when it
    opens, not again while it lasts.
    """

    def __init__(self, inner: Application) -> None:
        self.inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        user = await sync_to_async(sessions.judge)(scope["session"], scope["user"], None)
        return await self.inner({**scope, "user": user}, receive, send)
