"""Logins in a socket, by ``channels.auth.login()``.

That function sends ``user_logged_in`` without a request, so no session can be parked.  A login that
owes a code is refused there.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar
from dataclasses import dataclass

from ...exceptions import CodeOwed
from ...types import User
from . import policy


@dataclass
class Connection:
    """One connection of a socket.  ``is_over`` says that a login was refused in it."""

    is_over: bool = False


# The connection whose message is being handled.
connection: ContextVar[Connection | None] = ContextVar("bandwidth_mfa_connection", default=None)


def settle_socket_login(user: User) -> None:
    """Refuse a login of ``user`` in a socket if it owes a code.

    :raises CodeOwed: it owes one.
    """
    # Without Channels such a signal comes from code of the site, which has no session either.
    if "channels.auth" not in sys.modules or not policy.owes_code(None, user):
        return
    # `channels.auth.login()` has put the user into its scope by now.  A consumer that catches the
    # error below would go on with them.  So the connection ends, whatever the consumer does.
    current = connection.get()
    if current is not None:
        current.is_over = True
    raise CodeOwed
