"""What tests change in the database that they run on."""

from __future__ import annotations

import pytest
from django.db import connection


def statements_are_portable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the limits take this database for one without ``RETURNING``, such as MySQL.

    New connections, those of threads for instance, take it for one, too.
    """
    name, features = "can_return_rows_from_bulk_insert", connection.features
    monkeypatch.setattr(type(features), name, False)
    # Some databases have worked it out for this connection already.
    monkeypatch.delitem(vars(features), name, raising=False)
