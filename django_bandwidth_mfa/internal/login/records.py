"""Records in a session: dataclasses that are stored as dicts."""

from __future__ import annotations

from typing import TypeVar

from django.contrib.sessions.backends.base import SessionBase

Record = TypeVar("Record")


def read_record(session: SessionBase, key: str, kind: type[Record]) -> Record | None:
    """Return the record under ``key``.

    None if there is none, or if another release wrote it in a form that ``kind`` cannot read.
    """
    try:
        return kind(**session[key])
    except (KeyError, TypeError):
        return None
