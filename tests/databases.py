"""A change that tests make to the features of their database."""

from __future__ import annotations

import pytest
from django.db import connection


def statements_are_portable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the limits treat this database as one without ``RETURNING``, such as MySQL.

    New connections do the same, for example those of threads.
    """
    name, features = "can_return_rows_from_bulk_insert", connection.features
    monkeypatch.setattr(type(features), name, False)
    # Some databases have already computed the value for this connection.
    monkeypatch.delitem(vars(features), name, raising=False)
