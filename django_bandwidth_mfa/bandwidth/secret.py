"""A value that debug pages, logs and error trackers must not show."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T", str, bytes)


class Secret(Generic[T]):
    """A credential or a request body, whose ``repr()`` shows only stars.

    Debug pages and error trackers show the local variables of all frames with ``repr()``.  Pass
    secrets between functions in this class, and reveal them only inside an expression, never in a
    local variable.
    """

    __slots__ = ("_value",)
    _value: T

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        return self._value

    def __repr__(self) -> str:
        return "<Secret ********>"
