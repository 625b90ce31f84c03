"""The middleware for Channels, whose consumers do not run through Django's middleware."""

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

# The close code of a WebSocket whose user must leave, or in which a login was refused.
CLOSE_CODE = 4403


class MFAMiddleware:
    """Make ``scope["user"]`` anonymous if the session owes a code.

    ::

        "websocket": AuthMiddlewareStack(MFAMiddleware(URLRouter(...)))

    In Channels, the user of a parked login is anonymous even without this middleware.  It is needed
    for sessions from before the app was installed, and for sessions that have lost their verified
    state.

    The session of a connection is checked when the connection opens, and then every
    ``RECHECK_SECONDS`` (every second if that is 0).  If the user was signed out, or owes a code
    again, the consumer is cancelled, and a WebSocket is closed with the code 4403.  The same
    happens if the session was deleted or has another key, as after a logout or a step-up in another
    tab.  The client can then connect again, with its present cookie.

    ``channels.auth.login()`` is refused for a user who owes a code.  The consumer ends, and a
    WebSocket is closed with the code 4403.  Without this middleware that function raises
    :class:`~django_bandwidth_mfa.exceptions.CodeOwed`, which the consumer must not catch.  Let
    users sign in on the site, and open the WebSocket afterwards.
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
    """Close old and lost database connections before and after the block, as a request does."""
    close_lost_connections()
    try:
        yield
    finally:
        close_lost_connections()


class _Guard:
    """Passes messages between the server and a consumer, until the user must leave."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.connection = Connection(scope["session"])
        self._is_websocket = scope["type"] == "websocket"
        self._receive = receive
        self._send = send
        # The primary key, as a text, of the user whose login was checked last.
        self._judged: str | None = None
        # The key of the session with which the connection was opened.
        self._key: str | None = None

    def judge(self, user: User) -> User:
        """Check the session, and return ``user`` if the login is valid, or an anonymous user."""
        session = self.connection.session
        judged = recheck(session, AnonymousUser() if end_if_over(session) else user, None)
        self._judged = session.get(SESSION_KEY)
        return judged

    def judge_first(self, user: User) -> User:
        """Check the session with which the connection is opened, and return the user."""
        with _fresh_connections():
            judged = self.judge(user)
        self._key = self.connection.session.session_key
        return judged

    async def run(self, consumer: Awaitable[None]) -> None:
        """Run ``consumer``.  If a login is refused, cancel it and close the connection."""
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
        """Check the login again and again, and end the connection when it is no longer valid."""
        while True:
            # 0 means a check for each request.  A connection has no requests, so it is checked
            # every second.
            await asyncio.sleep(max(1, settings.RECHECK_SECONDS))
            if self._judged is None:
                continue
            try:
                may_stay = await sync_to_async(self._may_stay)()
            except Exception:
                # If the check fails, the user must leave: a database that is down must not keep
                # them in.
                logger.exception("a connection is closed, because its login could not be checked")
                may_stay = False
            if not may_stay:
                self.connection.is_over = True
                self.connection.end()
                return

    def _may_stay(self) -> bool:
        """Return whether the login of the connection is still valid.  It queries the database."""
        with _fresh_connections():
            session = self.connection.session
            if session.session_key == self._key:
                # The consumer's copy of the session is as old as the connection, so load it anew.
                session = session.__class__(self._key)
                if end_if_over(session):
                    return False
            # With another key, the consumer has logged a user in, and may not have saved the
            # session.
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

        :raises CodeOwed: a login was refused.
        """
        connection = self.connection
        if not connection.is_over and connection.session.get(SESSION_KEY) != self._judged:
            await sync_to_async(self._judge_login)()
        if connection.is_over:
            raise CodeOwed

    def _judge_login(self) -> None:
        """Check a login for which our receiver did not know the connection.

        A consumer may have called ``login()`` in another thread.
        """
        login = login_of(self.connection.session)
        user = None if login is None else user_of(login)
        if login is None:
            self._judged = None
        elif user is None or not self.judge(user).is_authenticated:
            self.connection.is_over = True
            self.connection.end()
