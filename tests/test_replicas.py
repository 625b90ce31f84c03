"""The app reads from the database that it writes to, because a read replica may be behind."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.db import connections
from django.test import Client

from django_bandwidth_mfa.checks import check_site
from django_bandwidth_mfa.models import Phone

from .browsing import assert_shut, give_password, sign_in, state
from .conftest import NUMBER, OTHER_NUMBER, give_recovery_codes, make_user

pytestmark = pytest.mark.django_db


class ReadsElsewhere:
    """Sends each read of our tables to a missing database, so that a read is an error."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return "replica" if model._meta.app_label == "bandwidth_mfa" else None


class CountsElsewhere:
    """Writes one of our tables into another database than the others."""

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return "counts" if model._meta.model_name == "counter" else None


@pytest.fixture
def replica(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [ReadsElsewhere()]


def test_a_whole_sign_in_reads_no_replica(
    replica: None, client: Client, user: Any, bandwidth: Any
) -> None:
    """Fails when one of our models is read where the router sends reads."""
    give_password(client, user)
    assert_shut(client)
    sign_in(client, user, bandwidth)
    assert state(client) == "verified"
    client.post("/mfa/verify/", {"code": "000000"})
    for page in ("phones", "phones/add", "recovery-codes", "browsers"):
        assert client.get(f"/mfa/{page}/").status_code == 200, page


def test_adding_replacing_and_removing_a_phone_reads_no_replica(
    replica: None, client: Client, newcomer: Any, bandwidth: Any, configure: Any
) -> None:
    configure(RESEND_COOLDOWN=[0], REQUIRED="all")
    give_password(client, newcomer)
    for number, old in ((NUMBER, None), (OTHER_NUMBER, NUMBER)):
        chosen = Phone.objects.get(number=old).choice if old else ""
        client.post("/mfa/phones/add/", {"number": number, "phone": chosen})
        client.post("/mfa/phones/confirm/", {"code": bandwidth.inbox[0]["code"]})
        assert state(client) == "verified"
    [phone] = Phone.objects.all()
    assert phone.number == OTHER_NUMBER
    answer = client.post("/mfa/phones/remove/", {"phone": phone.choice})
    assert "This is your only phone" in answer.content.decode()
    client.post("/mfa/sign-out-others/")
    assert state(client) == "verified"


def test_recovery_codes_and_trusted_browsers_read_no_replica(
    replica: None, client: Client, user: Any, bandwidth: Any, configure: Any
) -> None:
    configure(TRUST_DAYS=30)
    code = give_recovery_codes(user)[0]
    give_password(client, user)
    client.post("/mfa/recovery-code/", {"recovery_code": code})
    assert state(client) == "verified"
    client.post("/accounts/logout/")
    give_password(client, user)
    client.get("/mfa/verify/")
    client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"], "trust": "on"})
    client.post("/accounts/logout/")
    give_password(client, user)
    assert state(client) == "verified"


def test_models_on_two_databases_are_an_error(settings: Any, monkeypatch: Any) -> None:
    """Otherwise a count would be outside of its transaction. Fails without the system check."""
    assert not [one for one in check_site(None) if one.id == "bandwidth_mfa.E014"]
    monkeypatch.setitem(connections.settings, "counts", connections.settings["default"])
    settings.DATABASE_ROUTERS = [CountsElsewhere()]
    [error] = [one for one in check_site(None) if one.id == "bandwidth_mfa.E014"]
    assert "counts" in error.msg
    assert "Counter" in error.msg


def test_each_of_our_models_has_a_manager_that_reads_where_it_writes(replica: None) -> None:
    """Fails when a new model is given Django's own manager."""
    for model in apps.get_app_config("bandwidth_mfa").get_models():
        assert model._default_manager.all().db == "default", model
        assert make_user(f"reader-of-{model.__name__}")
