"""A user who still owes a code is anonymous in Channels' scope."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import Client

from django_bandwidth_mfa.asgi import MFAMiddleware
from django_bandwidth_mfa.internal.login.mark import MARK
from django_bandwidth_mfa.internal.login.parking import PARKED

from .browsing import sign_in


def name_in_scope(session: Any, user: Any) -> str:
    """Return the name of the user in the scope of a consumer behind the middleware."""
    names = []

    async def consumer(scope: Any, receive: Any, send: Any) -> None:
        names.append(str(scope["user"]))

    scope = {"type": "websocket", "session": session, "user": user}
    async_to_sync(MFAMiddleware(consumer))(scope, None, None)
    return names[0]


@pytest.mark.attack("P6")
@pytest.mark.parametrize("is_marked", [True, False])
def test_a_consumer_sees_a_verified_user_and_nobody_who_owes_a_code(
    client: Client, user: Any, bandwidth: Any, is_marked: bool
) -> None:
    sign_in(client, user, bandwidth)
    session = client.session
    if not is_marked:
        del session[MARK]
    assert name_in_scope(session, user) == ("ada" if is_marked else "AnonymousUser")
    assert (PARKED in session) is not is_marked
