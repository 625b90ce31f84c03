"""The inbox page, which looks like a phone.

It works without JavaScript, and on a screen of 320 px.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from html import escape
from pathlib import Path
from string import Template

from .state import Message, iso_utc

_FOLDER = Path(__file__).parent
SHOWN = 50
"""The most messages on the page; ``/inbox.json`` has all of them."""


def render(messages: Sequence[Message], *, now: float, base_url: str, token_url: str) -> str:
    """Return the inbox as HTML, with the newest message first."""
    if messages:
        screen = f'<ol class="thread">{"".join(_card(m, now) for m in messages[:SHOWN])}</ol>'
    else:
        screen = _fill("inbox_empty.html", base_url=base_url, token_url=token_url)
    count = len(messages)
    return _template("inbox.html").substitute(
        clock=datetime.fromtimestamp(now, UTC).strftime("%H:%M"),
        summary=f"{count} message{'' if count == 1 else 's'}" if count else "No messages",
        screen=screen,
    )


@cache
def asset(name: str) -> bytes:
    """Return the content of a file of the page."""
    return (_FOLDER / name).read_bytes()


def _card(message: Message, now: float) -> str:
    return _fill(
        f"inbox_{message.channel}.html",
        code=message.code,
        text=message.text,
        to=message.request.to,
        from_=message.request.from_,
        scope=message.request.scope,
        sent_at=iso_utc(message.sent_at),
        time=datetime.fromtimestamp(message.sent_at, UTC).strftime("%H:%M:%S"),
        ago=_ago(now - message.sent_at),
    )


def _ago(seconds: float) -> str:
    if seconds < 5:
        return "just now"
    if seconds < 60:
        return f"{int(seconds)} s ago"
    if seconds < 3600:
        return f"{int(seconds // 60)} min ago"
    return f"{int(seconds // 3600)} h ago"


def _fill(name: str, **values: str) -> str:
    # The sender of a code chooses most of these values, so they are escaped.
    escaped = {key: escape(value) for key, value in values.items()}
    return _template(name).substitute(escaped)


@cache
def _template(name: str) -> Template:
    return Template(asset(name).decode())
