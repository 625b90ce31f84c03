"""The description of the API: that it is up to date, complete, and served."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import include, path
from jsonschema import ValidationError

from django_bandwidth_mfa.api.urls import urlpatterns as ours
from tests import openapi

from .calls import API, described, get

HERE = "tests.api.test_openapi"

urlpatterns = [path("somewhere/else/", include("django_bandwidth_mfa.urls"))]


def test_the_file_is_up_to_date() -> None:
    """Fails when a field, an address or an error changes, and ``python -m tests.openapi`` was not
    run."""
    assert openapi.FILE.read_text() == openapi.text()


def test_each_address_and_method_is_described() -> None:
    there = {
        (str(pattern.name), method)
        for pattern in ours
        for method in ("get", "post")
        if hasattr(pattern.callback.view_class, method)  # type: ignore[union-attr]
    }
    assert there == set(openapi.OPERATIONS)
    assert len({operation.id for operation in openapi.OPERATIONS.values()}) == len(there)


def test_it_is_served_to_everybody_without_a_session(client: Client, user: Any) -> None:
    """Fails when it is kept for signed-in users: tools fetch it without a cookie."""
    answer = client.get(API + "openapi.json")
    assert answer.json() == openapi.describe()
    assert not answer.cookies
    assert client.post(API + "openapi.json").status_code == 405


@pytest.mark.urls(HERE)
def test_it_says_where_this_site_has_the_api(client: Client) -> None:
    description = client.get("/somewhere/else/api/openapi.json").json()
    assert description["servers"] == [{"url": "/somewhere/else/api"}]


@pytest.mark.django_db
def test_the_tests_compare_answers_with_it(client: Client) -> None:
    """Fails when the comparison lets anything pass."""
    answer = get(client, "state")
    body = answer.json()
    for changed in ({**body, "more": 1}, {**body, "state": "sleepy"}, {"state": "parked"}):
        answer.json = lambda changed=changed: changed
        with pytest.raises(ValidationError):
            described(answer)
    answer.status_code = 418
    with pytest.raises(AssertionError):
        described(answer)
