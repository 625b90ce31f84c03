"""Channels: a login in a WebSocket, and what a consumer sees."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels.auth import get_user, login
from channels.generic.websocket import AsyncJsonWebsocketConsumer, JsonWebsocketConsumer
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.test import Client

from django_bandwidth_mfa.exceptions import CodeOwed
from tests.browsing import give_password, sign_in

from .sockets import talk

pytestmark = pytest.mark.django_db(transaction=True)

BACKEND = "django.contrib.auth.backends.ModelBackend"


class Consumer(AsyncJsonWebsocketConsumer):
    """Signs in whom a message names, and says to each message who is there."""

    catches = False

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        name = content.get("login")
        if name:
            user = await get_user_model().objects.aget(username=name)
            try:
                await login(self.scope, user, backend=BACKEND)
            except CodeOwed:
                if not self.catches:
                    raise
        await self.send_json({"user": str(self.scope["user"])})


class CatchingConsumer(Consumer):
    catches = True


class SilentConsumer(CatchingConsumer):
    """Catches the error, and answers nothing to the message that signs in."""

    async def send_json(self, content: Any, close: bool = False) -> None:
        if content["user"] == "AnonymousUser" or self.heard > 1:
            await super().send_json(content, close)

    heard = 0

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        self.heard += 1
        await super().receive_json(content, **kwargs)


class SyncConsumer(JsonWebsocketConsumer):
    def receive_json(self, content: Any, **kwargs: Any) -> None:
        try:
            user = get_user_model().objects.get(username=content["login"])
            async_to_sync(login)(self.scope, user, backend=BACKEND)
        except CodeOwed:
            pass
        self.send_json({"user": str(self.scope["user"])})


@pytest.mark.parametrize("consumer", [CatchingConsumer, SyncConsumer])
def test_a_socket_serves_nobody_with_the_password_alone(user: Any, consumer: Any) -> None:
    """Fails when the receiver lets a login without a request be, and when the connection goes on
    after a consumer has caught the error."""
    assert talk(consumer, {"login": "ada"}) == [4403]


def test_a_consumer_that_answers_nothing_hears_no_message_after_a_refused_login(user: Any) -> None:
    """Fails when only what the consumer sends is stopped."""
    assert talk(SilentConsumer, {"login": "ada"}, {}) == [4403]


@pytest.mark.parametrize("guarded", [True, False])
def test_the_login_raises_with_and_without_the_middleware(user: Any, guarded: bool) -> None:
    assert talk(Consumer, {"login": "ada"}, guarded=guarded) == [CodeOwed]


def test_a_login_that_owes_no_code_goes_on(newcomer: Any) -> None:
    answers = talk(Consumer, {}, {"login": "newcomer"}, {})
    assert answers == ['{"user": "AnonymousUser"}', '{"user": "newcomer"}', '{"user": "newcomer"}']


def test_a_socket_sees_who_signed_in_on_the_site(client: Client, user: Any, bandwidth: Any) -> None:
    sign_in(client, user, bandwidth)
    cookie = client.cookies["sessionid"].value
    assert talk(Consumer, {}, cookie=cookie) == ['{"user": "ada"}']


def test_a_socket_finds_a_parked_login_anonymous_even_without_the_middleware(
    client: Client, user: Any
) -> None:
    give_password(client, user)
    scope = {"session": client.session}
    assert isinstance(async_to_sync(get_user)(scope), AnonymousUser)
