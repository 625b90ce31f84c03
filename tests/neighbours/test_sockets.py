"""Channels: a login in a WebSocket, and the user whom a consumer sees."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from channels.auth import get_user, login
from channels.generic.websocket import AsyncJsonWebsocketConsumer, JsonWebsocketConsumer
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.models import Session
from django.db import OperationalError, connection
from django.test import Client

from django_bandwidth_mfa import service
from django_bandwidth_mfa.exceptions import CodeOwed
from django_bandwidth_mfa.models import Phone
from tests.browsing import give_password, sign_in

from .sockets import site_of, talk

pytestmark = pytest.mark.django_db(transaction=True)

BACKEND = "django.contrib.auth.backends.ModelBackend"


class Consumer(AsyncJsonWebsocketConsumer):
    """Signs in the user whom a message names, and answers each message with the current user."""

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
    """Catches the error, and does not answer the message that signs in."""

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


@pytest.mark.package("channels")
@pytest.mark.parametrize("consumer", [Consumer, CatchingConsumer, SyncConsumer])
def test_a_socket_serves_nobody_with_the_password_alone(user: Any, consumer: Any) -> None:
    """Fails when the receiver ignores a login without a request. Fails when the connection
    continues after a consumer has caught the error."""
    assert talk(consumer, {"login": "ada"}) == [4403]


def test_a_consumer_that_answers_nothing_hears_no_message_after_a_refused_login(user: Any) -> None:
    """Fails when only the messages that the consumer sends are stopped."""
    assert talk(SilentConsumer, {"login": "ada"}, {}) == [4403]


def test_the_login_raises_without_the_middleware(user: Any) -> None:
    assert talk(Consumer, {"login": "ada"}, guarded=False) == [CodeOwed]


def test_a_login_that_owes_no_code_goes_on(newcomer: Any) -> None:
    answers = talk(Consumer, {}, {"login": "newcomer"}, {})
    assert answers == ['{"user": "AnonymousUser"}', '{"user": "newcomer"}', '{"user": "newcomer"}']


class GroupConsumer(CatchingConsumer):
    """Signs in when its group sends a certain message, and records the user of each message."""

    groups = ("board",)
    heard: ClassVar[list[str]] = []

    async def approve(self, event: Any) -> None:
        user = await get_user_model().objects.aget(username="ada")
        with suppress(CodeOwed):
            await login(self.scope, user, backend=BACKEND)

    async def note(self, event: Any) -> None:
        self.heard.append(str(self.scope["user"]))


def test_no_message_of_a_channel_layer_is_handled_after_a_refused_login(
    user: Any, settings: Any
) -> None:
    """Fails when only the client's messages are stopped."""
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    GroupConsumer.heard.clear()

    async def conversation() -> Any:
        socket = WebsocketCommunicator(site_of(GroupConsumer), "/")
        await socket.connect()
        layer = get_channel_layer()
        for kind in ("note", "approve", "note", "note"):
            await layer.group_send("board", {"type": kind})
        with suppress(CodeOwed):
            return await socket.receive_output(timeout=5)

    closed = async_to_sync(conversation)()
    assert GroupConsumer.heard == ["AnonymousUser"]
    assert closed == {"type": "websocket.close", "code": 4403}


class ThreadConsumer(CatchingConsumer):
    """Signs in, in a thread that has no reference to the connection."""

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        user = await get_user_model().objects.aget(username="ada")
        work = partial(async_to_sync(login), self.scope, user, backend=BACKEND)
        loop = asyncio.get_running_loop()
        with suppress(CodeOwed):
            await loop.run_in_executor(None, work)
        await self.send_json({"user": str(self.scope["user"])})


def test_a_login_in_a_thread_of_its_own_is_seen_before_the_next_message(user: Any) -> None:
    """Fails when only a context variable connects a login with its connection."""
    assert talk(ThreadConsumer, {}) == [4403]


def test_a_verified_user_may_sign_in_again_in_a_socket(
    client: Client, user: Any, bandwidth: Any
) -> None:
    """Fails when every login of a user who owes a code is refused."""
    sign_in(client, user, bandwidth)
    cookie = client.cookies["sessionid"].value
    assert talk(CatchingConsumer, {"login": "ada"}, cookie=cookie) == ['{"user": "ada"}']


def test_a_login_signal_of_other_code_without_a_request_is_let_through(user: Any) -> None:
    """Fails when every login signal without a request counts as one of Channels because Channels is
    installed: some packages send the signal without a request when they issue a token."""
    for receiver, answer in user_logged_in.send_robust(type(user), request=None, user=user):
        assert not isinstance(answer, Exception), receiver


@pytest.mark.package("channels")
def test_a_socket_sees_who_signed_in_on_the_site(client: Client, user: Any, bandwidth: Any) -> None:
    sign_in(client, user, bandwidth)
    cookie = client.cookies["sessionid"].value
    assert talk(Consumer, {}, cookie=cookie) == ['{"user": "ada"}']


REVOCATIONS: dict[str, Any] = {
    "sign out everywhere": service.aend_sessions,
    "a new code for everybody": service.arequire_new_code,
    "the phone removed": lambda user: Phone.objects.filter(user=user).adelete(),
    "a deactivation": lambda user: type(user).objects.filter(pk=user.pk).aupdate(is_active=False),
    "a logout": lambda user: Session.objects.all().adelete(),
    "nothing": None,
}


@pytest.mark.attack("P6")
@pytest.mark.parametrize("revocation", REVOCATIONS)
def test_a_socket_ends_within_recheck_seconds_of_a_revocation(
    client: Client, user: Any, bandwidth: Any, configure: Any, revocation: str
) -> None:
    """Fails when a connection is checked only when it opens. Fails when the connection's own copy
    of the session is checked instead of the stored session: a logout would have no effect."""
    configure(REQUIRED="all", RECHECK_SECONDS=300)
    sign_in(client, user, bandwidth)
    headers = [(b"cookie", f"sessionid={client.cookies['sessionid'].value}".encode())]
    revoke = REVOCATIONS[revocation]

    async def conversation() -> list[Any]:
        clock = asyncio.get_running_loop()
        socket = WebsocketCommunicator(site_of(Consumer), "/", headers=headers)
        assert (await socket.connect())[0]
        if revoke is not None:
            await revoke(user)
        answers = []
        # Timers of the loop use this clock. The test moves the clock, and does not wait.
        moment = clock.time
        for later in (299, 301):
            clock.time = lambda later=later: moment() + later  # type: ignore[method-assign]
            await socket.send_json_to({})
            answer = await socket.receive_output(timeout=5)
            while later == 301 and revoke is not None and answer["type"] == "websocket.send":
                # This message was answered before the check was complete. The end comes next.
                answer = await socket.receive_output(timeout=5)
            answers.append(answer.get("text") or answer["code"])
        await socket.disconnect()
        return answers

    ada = '{"user": "ada"}'
    expected = [ada, ada if revoke is None else 4403]
    assert async_to_sync(conversation)() == expected


def test_a_socket_ends_when_the_database_cannot_be_asked(
    client: Client, user: Any, bandwidth: Any, configure: Any, caplog: Any
) -> None:
    """Fails when an error in the check ends the check but not the connection."""
    configure(RECHECK_SECONDS=300)
    sign_in(client, user, bandwidth)
    headers = [(b"cookie", f"sessionid={client.cookies['sessionid'].value}".encode())]

    def fail(execute: Any, *args: Any) -> Any:
        raise OperationalError("gone")

    async def conversation() -> Any:
        clock = asyncio.get_running_loop()
        socket = WebsocketCommunicator(site_of(Consumer), "/", headers=headers)
        assert (await socket.connect())[0]
        wrappers = await sync_to_async(lambda: connection.execute_wrappers)()
        wrappers.append(fail)
        moment = clock.time
        clock.time = lambda: moment() + 301  # type: ignore[method-assign]
        answer = await socket.receive_output(timeout=5)
        wrappers.remove(fail)
        return answer

    assert async_to_sync(conversation)() == {"type": "websocket.close", "code": 4403}
    assert "its login could not be checked" in caplog.text


@pytest.mark.attack("P6")
def test_a_consumer_sees_nobody_while_a_login_is_parked(client: Client, user: Any) -> None:
    """Fails when Django's keys stay in the session while the login is parked."""
    give_password(client, user)
    cookie = client.cookies["sessionid"].value
    assert talk(Consumer, {}, cookie=cookie) == ['{"user": "AnonymousUser"}']


@pytest.mark.package("channels")
def test_a_socket_finds_a_parked_login_anonymous_even_without_the_middleware(
    client: Client, user: Any
) -> None:
    give_password(client, user)
    scope = {"session": client.session}
    assert isinstance(async_to_sync(get_user)(scope), AnonymousUser)
