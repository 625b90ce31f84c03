"""Records in a session: dataclasses, which are stored as dicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from django.contrib.sessions.backends.base import SessionBase

Record = TypeVar("Record")


def read_record(session: SessionBase, key: str, kind: type[Record]) -> Record | None:
    """Return the record under ``key``; None if it is missing, or if ``kind`` cannot read it."""
    return make_record(session.get(key), kind)


def make_record(fields: object, kind: type[Record]) -> Record | None:
    """Return a ``kind`` with these fields.

    It is None if another release wrote the fields in a form that ``kind`` cannot read.
    """
    try:
        return kind(**fields) if isinstance(fields, Mapping) else None
    except TypeError:
        return None
