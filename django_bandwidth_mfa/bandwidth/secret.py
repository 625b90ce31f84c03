"""A value that debug pages, logs and error trackers must not print."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T", str, bytes)


class Secret(Generic[T]):
    """Holds a credential or a request body; shows stars.

    Debug pages and error trackers print the local variables of every frame with `repr`. Secrets
    travel between functions in one of these, and are revealed in an expression, never in a local.
    """

    __slots__ = ("_value",)
    _value: T

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        return self._value

    def __repr__(self) -> str:
        return "<Secret ********>"
