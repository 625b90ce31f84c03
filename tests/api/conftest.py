"""A client of the JSON API, in each state that a session can have."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from django_bandwidth_mfa.testing import login_verified
from tests.browsing import give_password
from tests.conftest import NUMBER, OTHER_NUMBER, make_user


@pytest.fixture
def parked(client: Client, user: Any, bandwidth: Any) -> Client:
    """A browser whose user has given the password, and has to give a code."""
    give_password(client, user)
    return client


@pytest.fixture
def two(db: None) -> Any:
    """A user with two phones."""
    return make_user("ada", NUMBER, OTHER_NUMBER)


@pytest.fixture
def fresh(client: Client, two: Any, bandwidth: Any) -> Client:
    """A browser whose user has two phones and has just given a code."""
    login_verified(client, two)
    return client
