"""A conversation with a Channels consumer."""

from __future__ import annotations

from typing import Any

from asgiref.sync import async_to_sync
from channels.auth import AuthMiddlewareStack
from channels.testing import WebsocketCommunicator

from django_bandwidth_mfa.asgi import MFAMiddleware
from django_bandwidth_mfa.exceptions import CodeOwed


def site_of(consumer: Any, *, guarded: bool = True) -> Any:
    """Return the application of a site with this consumer."""
    inner = consumer.as_asgi()
    return AuthMiddlewareStack(MFAMiddleware(inner) if guarded else inner)


def talk(consumer: Any, *messages: dict[str, str], cookie: str = "", guarded: bool = True) -> Any:
    """Open a socket, and send the messages one by one. Return the answers, or the error."""
    application = site_of(consumer, guarded=guarded)

    async def conversation() -> list[Any]:
        headers = [(b"cookie", f"sessionid={cookie}".encode())] if cookie else []
        socket = WebsocketCommunicator(application, "/", headers=headers)
        assert (await socket.connect())[0]
        answers: list[Any] = []
        for message in messages:
            try:
                await socket.send_json_to(message)
                answer = await socket.receive_output(timeout=5)
            except CodeOwed as error:
                answers.append(type(error))
                break
            if answer["type"] == "websocket.close":
                answers.append(answer["code"])
                break
            answers.append(answer["text"])
        return answers

    return async_to_sync(conversation)()
