"""Logins in a WebSocket, by ``channels.auth.login()``.

That function sends ``user_logged_in`` without a request, so the login cannot be parked.  If it owes
a code, it is refused.
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
    """Refuse a login of ``user`` in a WebSocket if it owes a code.

    :raises CodeOwed: the login owes a code.
    """
    if not _is_called_by_channels():
        return
    current = current_connection.get()
    mark = None if current is None else read_mark(current.session, user)
    if (mark is not None and mark.state == "verified") or not policy.owes_code(None, user):
        return
    if current is not None:
        # `channels.auth.login()` has already set the user in its scope.  A consumer that catches
        # the error below would continue with this user.  So the connection is ended, and the login
        # is deleted from the session.
        current.is_over = True
        forget_login(current.session)
        current.end()
    raise CodeOwed


def _is_called_by_channels() -> bool:
    """Return whether Channels has sent the signal.

    Other code also sends it without a request, for example when it issues a token.
    """
    if "channels.auth" not in sys.modules:
        return False
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_globals.get("__name__") == "channels.auth":
            return True
    return False
