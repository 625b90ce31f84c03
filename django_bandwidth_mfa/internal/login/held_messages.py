"""The messages of a login view, held back until the login is complete.

"Successfully signed in" is not true while a code is owed.  So the messages that the login view adds
after ``login()`` are stored with the parked login, and shown after the code.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib import messages
from django.contrib.messages.storage.base import BaseStorage, Message
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.safestring import SafeData, mark_safe

from .parking import Parked, parked, update_parked


class HeldMessages(BaseStorage):
    """Replaces the message storage of a request whose login was parked.

    It stores new messages in the parked login.  Everything else is done by the original storage.

    :param storage: the original storage of the request.
    """

    def __init__(self, request: HttpRequest, storage: BaseStorage) -> None:
        super().__init__(request)
        self._storage = storage

    def __len__(self) -> int:
        return len(self._storage)

    def __iter__(self) -> Iterator[Message]:
        return iter(self._storage)

    def __contains__(self, item: object) -> bool:
        return item in self._storage

    def update(self, response: HttpResponseBase) -> list[Message] | None:
        return self._storage.update(response)

    def add(self, level: int, message: str, extra_tags: str | None = "") -> None:
        record = parked(self.request.session)
        if record is None:
            self._storage.add(level, message, extra_tags)
        elif message and int(level) >= self._storage.level:
            # str(), because the message may be a lazy translation.
            held = [int(level), str(message), extra_tags or "", isinstance(message, SafeData)]
            update_parked(self.request.session, messages=[*record.messages, held])


def hold_messages(request: HttpRequest) -> None:
    """Hold back the messages of the rest of this request, whose login was parked."""
    storage = getattr(request, "_messages", None)
    if isinstance(storage, BaseStorage):
        vars(request)["_messages"] = HeldMessages(request, storage)


def say_held_messages(request: HttpRequest, record: Parked) -> None:
    """Add the held messages of ``record`` to the request, whose login is now complete."""
    for level, text, extra_tags, is_safe in record.messages:
        # The site's own view had marked this text as safe HTML.
        message = mark_safe(text) if is_safe else text  # noqa: S308
        messages.add_message(request, level, message, extra_tags, fail_silently=True)
