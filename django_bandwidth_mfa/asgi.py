"""The middleware for Channels, whose consumers read the session without Django's middleware."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import AnonymousUser

from .conf import settings
from .exceptions import CodeOwed
from .internal.databases import close_lost_connections
from .internal.login.connection import Connection, current_connection
from .internal.login.ended_keys import end_if_over
from .internal.login.parking import login_of, user_of
from .internal.login.recheck import recheck
from .types import User

__all__ = ["MFAMiddleware"]

logger = logging.getLogger("django_bandwidth_mfa")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# The code with which a WebSocket is closed when its user may not stay, or a login was refused.
CLOSE_CODE = 4403


class MFAMiddleware:
    """Makes ``scope["user"]`` anonymous if the session owes a code.

    ::

        "websocket": AuthMiddlewareStack(MFAMiddleware(URLRouter(...)))

    Channels finds a parked login anonymous anyway.  This middleware is for sessions from before the
    app was installed, and for sessions whose mark no longer holds.

    A connection is asked about when it opens, and every ``RECHECK_SECONDS`` (each second, if that
    is 0) while it lasts.  If its user has been signed out since, or owes a code again, the consumer
    is cancelled, and a WebSocket is closed with the code 4403.  So it is when the session is gone
    or has another key, as after a logout or a step-up in another tab: the client may connect anew,
    with the cookie that it has by now.

    ``channels.auth.login()`` is refused for a user who owes a code.  The consumer ends, and a
    WebSocket is closed with the code 4403.  Without this middleware that function raises
    :class:`~django_bandwidth_mfa.exceptions.CodeOwed`, which the consumer must not catch.  Have
    people sign in on the site, and open the socket afterwards.
    """

    def __init__(self, inner: Application) -> None:
        self.inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        guard = _Guard(scope, receive, send)
        user = await sync_to_async(guard.judge_first)(scope["user"])
        token = current_connection.set(guard.connection)
        try:
            await guard.run(self.inner({**scope, "user": user}, guard.receive, guard.send))
        finally:
            current_connection.reset(token)


@contextmanager
def _fresh_connections() -> Iterator[None]:
    """Use no database connection that is too old or lost, and keep none: this is no request."""
    close_lost_connections()
    try:
        yield
    finally:
        close_lost_connections()


class _Guard:
    """Passes messages between the server and a consumer, until a login was refused."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.connection = Connection(scope["session"])
        self._is_websocket = scope["type"] == "websocket"
        self._receive = receive
        self._send = send
        # The primary key of the user whose login was judged last.
        self._judged: str | None = None
        # The key under which the store has the session that the connection was opened with.
        self._key: str | None = None

    def judge(self, user: User) -> User:
        """Return who is there: ``user``, whom the session names, or an anonymous user."""
        session = self.connection.session
        judged = recheck(session, AnonymousUser() if end_if_over(session) else user, None)
        self._judged = session.get(SESSION_KEY)
        return judged

    def judge_first(self, user: User) -> User:
        """Judge the session that the connection is opened with."""
        with _fresh_connections():
            judged = self.judge(user)
        self._key = self.connection.session.session_key
        return judged

    async def run(self, consumer: Awaitable[None]) -> None:
        """Run ``consumer``.  As soon as a login is refused, end it and close the connection."""
        task, loop = asyncio.ensure_future(consumer), asyncio.get_running_loop()
        self.connection.end = lambda: loop.call_soon_threadsafe(task.cancel)
        watching = asyncio.ensure_future(self._watch())
        try:
            await task
        except (asyncio.CancelledError, CodeOwed):
            if not self.connection.is_over:
                raise
        finally:
            watching.cancel()
        if self.connection.is_over and self._is_websocket:
            await self._send({"type": "websocket.close", "code": CLOSE_CODE})

    async def _watch(self) -> None:
        """End the connection as soon as its user may not stay."""
        while True:
            # With 0 each request asks.  A connection has no requests, so it asks each second.
            await asyncio.sleep(max(1, settings.RECHECK_SECONDS))
            if self._judged is None:
                continue
            try:
                may_stay = await sync_to_async(self._may_stay)()
            except Exception:
                # Nobody stays because the database could not be asked.
                logger.exception("a connection was ended: whether its user may stay is not known")
                may_stay = False
            if not may_stay:
                self.connection.is_over = True
                self.connection.end()
                return

    def _may_stay(self) -> bool:
        """Whether the login of the connection still holds, as the database says at this moment."""
        with _fresh_connections():
            session = self.connection.session
            if session.session_key == self._key:
                # The consumer's own copy is from when the connection was opened.
                session = session.__class__(self._key)
                if end_if_over(session):
                    return False
            # Otherwise a consumer has made a login of its own, which it may not have saved.
            login = login_of(session)
            user = None if login is None else user_of(login)
            if user is None or str(user.pk) != self._judged:
                return False
            return recheck(session, user, None, anew=True).is_authenticated

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
