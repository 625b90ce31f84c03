"""The middleware for Channels, whose consumers read the session without Django's middleware."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import AnonymousUser

from .exceptions import CodeOwed
from .internal.login.connection import Connection, current_connection
from .internal.login.ended_keys import end_if_over
from .internal.login.parking import login_of, user_of
from .internal.login.recheck import recheck
from .types import User

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

    ``channels.auth.login()`` is refused for a user who owes a code.  The consumer ends, and a
    WebSocket is closed with the code 4403.  Without this middleware that function raises
    :class:`~django_bandwidth_mfa.exceptions.CodeOwed`, which the consumer must not catch.  Have
    people sign in on the site, and open the socket afterwards.
    """

    def __init__(self, inner: Application) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        guard = _Guard(scope, receive, send)
        user = await sync_to_async(guard.judge)(scope["user"])
        token = current_connection.set(guard.connection)
        try:
            await guard.run(self.inner({**scope, "user": user}, guard.receive, guard.send))
        finally:
            current_connection.reset(token)


class _Guard:
    """Passes messages between the server and a consumer, until a login was refused."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.connection = Connection(scope["session"])
        self._is_websocket = scope["type"] == "websocket"
        self._receive = receive
        self._send = send
        # The primary key of the user whose login was judged last.
        self._judged: str | None = None

    def judge(self, user: User) -> User:
        """Return who is there: ``user``, whom the session names, or an anonymous user."""
        session = self.connection.session
        judged = recheck(session, AnonymousUser() if end_if_over(session) else user, None)
        self._judged = session.get(SESSION_KEY)
        return judged

    async def run(self, consumer: Awaitable[None]) -> None:
        """Run ``consumer``.  As soon as a login is refused, end it and close the connection."""
        task, loop = asyncio.ensure_future(consumer), asyncio.get_running_loop()
        self.connection.end = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            await task
        except (asyncio.CancelledError, CodeOwed):
            if not self.connection.is_over:
                raise
        if self.connection.is_over and self._is_websocket:
            await self._send({"type": "websocket.close", "code": CLOSE_CODE})

    async def receive(self) -> Message:
        message = await self._receive()
        await self._stop_if_over()
        return message

    async def send(self, message: Message) -> None:
        await self._stop_if_over()
        await self._send(message)

    async def _stop_if_over(self) -> None:
        """Stop the consumer if a login was refused in its connection.

        :raises CodeOwed: one was.
        """
        connection = self.connection
        if not connection.is_over and connection.session.get(SESSION_KEY) != self._judged:
            await sync_to_async(self._judge_login)()
        if connection.is_over:
            raise CodeOwed

    def _judge_login(self) -> None:
        """Judge a login that did not reach our receiver with its connection.

        A consumer may have made it in a thread of its own.
        """
        login = login_of(self.connection.session)
        user = None if login is None else user_of(login)
        if login is None:
            self._judged = None
        elif user is None or not self.judge(user).is_authenticated:
            self.connection.is_over = True
            self.connection.end()
