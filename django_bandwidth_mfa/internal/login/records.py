"""Records in a session: dataclasses that are stored as dicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from django.contrib.sessions.backends.base import SessionBase

Record = TypeVar("Record")


def read_record(session: SessionBase, key: str, kind: type[Record]) -> Record | None:
    """Return the record under ``key``; None if there is none, or none that ``kind`` can read."""
    return make_record(session.get(key), kind)


def make_record(fields: object, kind: type[Record]) -> Record | None:
    """Return the record with these fields.

    None if another release wrote them in a form that ``kind`` cannot read.
    """
    try:
        return kind(**fields) if isinstance(fields, Mapping) else None
    except TypeError:
        return None
