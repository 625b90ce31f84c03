"""The middleware for Channels, whose consumers read the session without Django's middleware."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from asgiref.sync import sync_to_async

from .internal.login.recheck import recheck

__all__ = ["MFAMiddleware"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class MFAMiddleware:
    """Makes ``scope["user"]`` anonymous if the session owes a code.

    ::

        "websocket": AuthMiddlewareStack(MFAMiddleware(URLRouter(...)))

    Channels finds a parked login anonymous anyway.  This middleware is for sessions from before the
    app was installed, and for sessions whose mark no longer holds.  A connection is asked about
    when it opens, and not again while it lasts.
    """

    def __init__(self, inner: Application) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        user = await sync_to_async(recheck)(scope["session"], scope["user"], None)
        await self.inner({**scope, "user": user}, receive, send)
