"""The link on the account page of Wagtail's admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client, RequestFactory
from django.utils import translation
from wagtail import hooks

from django_bandwidth_mfa.testing import login_verified
from tests.conftest import NUMBER, make_user

pytestmark = pytest.mark.django_db


@pytest.mark.package("wagtail")
def test_the_account_page_links_ones_own_second_factor(
    client: Client, settings: Any, rf: RequestFactory
) -> None:
    """The test does what Wagtail's account page does: it calls each hook to get a link and its
    text."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "django_bandwidth_mfa.contrib.wagtail"]
    menu_hooks = hooks.get_hooks("register_account_menu_item")
    with translation.override("es"):
        [link] = [hook(rf.get("/admin/account/")) for hook in menu_hooks]
    assert link["label"] == "Sus teléfonos"
    assert link["help_text"]
    login_verified(client, make_user("ada", NUMBER))
    assert b"<h1>Your phones</h1>" in client.get(link["url"]).content
