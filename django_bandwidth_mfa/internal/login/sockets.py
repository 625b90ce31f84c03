"""Logins in a socket, by ``channels.auth.login()``.

That function sends ``user_logged_in`` without a request, so no session can be parked.  A login that
owes a code is refused there.
"""

from __future__ import annotations

import sys

from ...exceptions import CodeOwed
from ...types import User
from . import policy
from .connection import current_connection
from .mark import read_mark
from .parking import forget_login


def settle_socket_login(user: User) -> None:
    """Refuse a login of ``user`` in a socket if it owes a code.

    :raises CodeOwed: it owes one.
    """
    if not _is_called_by_channels():
        return
    current = current_connection.get()
    mark = None if current is None else read_mark(current.session, user)
    if (mark is not None and mark.state == "verified") or not policy.owes_code(None, user):
        return
    if current is not None:
        # `channels.auth.login()` has put the user into its scope by now.  A consumer that catches
        # the error below would go on with them.  So the connection ends, and saving the session
        # saves no login.
        current.is_over = True
        forget_login(current.session)
        current.end()
    raise CodeOwed


def _is_called_by_channels() -> bool:
    """Return whether the signal comes from Channels.

    Other code sends it without a request, too: where a token was issued, for instance.
    """
    if "channels.auth" not in sys.modules:
        return False
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_globals.get("__name__") == "channels.auth":
            return True
    return False
