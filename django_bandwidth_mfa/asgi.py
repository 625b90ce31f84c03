"""The middleware for Channels, whose consumers read the session without Django's middleware."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from asgiref.sync import sync_to_async

from .exceptions import CodeOwed
from .internal.login.recheck import recheck
from .internal.login.sockets import Connection, connection

__all__ = ["MFAMiddleware"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# The code with which a WebSocket is closed after a login in it was refused.
CLOSE_CODE = 4403


class MFAMiddleware:
    """Makes ``scope["user"]`` anonymous if the session owes a code.

    ::

        "websocket": AuthMiddlewareStack(MFAMiddleware(URLRouter(...)))

    Channels finds a parked login anonymous anyway.  This middleware is for sessions from before the
    app was installed, and for sessions whose mark no longer holds.  A connection is asked about
    when it opens, and not again while it lasts.

    ``channels.auth.login()`` raises :class:`~django_bandwidth_mfa.exceptions.CodeOwed` for a user
    who owes a code.  The connection is then closed with the code 4403, even if the consumer catches
    the error.  Have people sign in on the site, and open the socket afterwards.
    """

    def __init__(self, inner: Application) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        user = await sync_to_async(recheck)(scope["session"], scope["user"], None)
        current = Connection()
        guarded = _Guard(current, receive, send)
        token = connection.set(current)
        try:
            await self.inner({**scope, "user": user}, guarded.receive, guarded.send)
        finally:
            connection.reset(token)


class _Guard:
    """The way of messages to a consumer and from it, which ends with the connection."""

    def __init__(self, current: Connection, receive: Receive, send: Send) -> None:
        self._current = current
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        await self._end_if_over()
        message = await self._receive()
        # A message of the channel layer may have brought the login while we waited.
        await self._end_if_over()
        return message

    async def send(self, message: Message) -> None:
        await self._end_if_over()
        await self._send(message)

    async def _end_if_over(self) -> None:
        """Close the connection if a login was refused in it.

        :raises CodeOwed: a login was refused.  So the consumer handles no message any more.
        """
        if self._current.is_over:
            await self._send({"type": "websocket.close", "code": CLOSE_CODE})
            raise CodeOwed
