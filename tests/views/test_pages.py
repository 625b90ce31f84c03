"""What all pages share: the frame of the site, the stylesheet, the language, the messages."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.contrib import messages
from django.contrib.auth import get_user_model
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.utils import translation

import django_bandwidth_mfa
from django_bandwidth_mfa.models import Phone, TrustedBrowser
from django_bandwidth_mfa.testing import login_verified
from tests.browsing import give_password
from tests.conftest import NUMBER, OTHER_NUMBER, make_user

pytestmark = pytest.mark.django_db

EXAMPLE = Path(__file__).resolve().parents[2] / "example_project"
LOCALES = Path(django_bandwidth_mfa.__file__).parent / "locale"
STYLE = 'href="/static/bandwidth_mfa/mfa.css"'


@pytest.fixture
def verified(client: Client, configure: Any, bandwidth: Any) -> Client:
    """A user with two phones and two trusted browsers."""
    configure(TRUST_DAYS=30)
    user = make_user("ada", NUMBER, OTHER_NUMBER)
    auth_hash = user.get_session_auth_hash()
    for digest in "ab":
        TrustedBrowser.objects.create(user=user, digest=digest * 64, auth_hash=auth_hash)
    login_verified(client, user)
    return client


def of_phone(path: str) -> Callable[[Client], Any]:
    def get(client: Client) -> Any:
        choice = Phone.objects.get(number=OTHER_NUMBER).choice
        return client.get(path, {"phone": choice, "channel": "voice"})

    return get


def old_sign_in(client: Client) -> Any:
    client.logout()
    with time_machine.travel(time.time(), tick=False) as clock:
        give_password(client, make_user("newcomer"))
        clock.shift(1000)
        return client.get("/mfa/phones/add/")


def code_page(client: Client) -> Any:
    client.logout()
    give_password(client, get_user_model()._default_manager.get())
    return client.get("/mfa/verify/")


def recovery_code(client: Client) -> Any:
    code_page(client)
    return client.get("/mfa/recovery-code/")


def confirm(client: Client) -> Any:
    client.post("/mfa/phones/add/", {"number": "+12025550188"})
    return client.get("/mfa/phones/confirm/")


# Each page that extends `_page.html`, and how a verified user opens it.
PAGES: dict[str, Callable[[Client], Any]] = {
    "phones": lambda client: client.get("/mfa/phones/"),
    "remove": of_phone("/mfa/phones/remove/"),
    "primary": of_phone("/mfa/phones/primary/"),
    "channel": of_phone("/mfa/phones/channel/"),
    "browsers": lambda client: client.get("/mfa/browsers/"),
    "recovery codes": lambda client: client.get("/mfa/recovery-codes/"),
    "new recovery codes": lambda client: client.post("/mfa/recovery-codes/"),
    "suggestion": lambda client: client.get("/mfa/suggestion/"),
    "sign in again": old_sign_in,
    "code": code_page,
    "recovery code": recovery_code,
    "add": lambda client: client.get("/mfa/phones/add/"),
    "confirm": confirm,
}

each_page = pytest.mark.parametrize("page", PAGES)


@pytest.fixture
def site(settings: Any, tmp_path: Path) -> Callable[[str, str], None]:
    """Return ``site(name, text)``, which writes a template of the site."""
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path, *engine["DIRS"]]}]

    def write(name: str, text: str) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    return write


SITE = "<html><head><title>{% block title %}{% endblock %}</title></head><body>{% block content %}"


@pytest.mark.slow
@each_page
def test_a_page_in_a_base_template_without_the_stylesheet_links_it(
    verified: Client, site: Any, page: str
) -> None:
    """Fails when only the app's own base.html links the stylesheet."""
    site("site.html", f"{SITE}{{% endblock %}}</body></html>")
    site("bandwidth_mfa/base.html", '{% extends "site.html" %}')
    shown = PAGES[page](verified).content.decode()
    assert shown.startswith("<html><head><title>")
    assert shown.count(STYLE) == 1
    assert shown.index(STYLE) < shown.index('<section class="bandwidth-mfa"')


@pytest.mark.slow
@each_page
def test_a_site_that_links_the_stylesheet_in_its_head_has_it_there_only(
    verified: Client, site: Any, page: str
) -> None:
    """Fails when the app links its stylesheet again: it would override the site's stylesheet."""
    head = '<head>{% include "bandwidth_mfa/_style.html" %}<link href="/static/site.css">'
    site("bandwidth_mfa/base.html", SITE.replace("<head>", head) + "{% endblock %}")
    shown = PAGES[page](verified).content.decode()
    assert shown.count(STYLE) == 1
    assert shown.index(STYLE) < shown.index("site.css")


@pytest.mark.slow
@each_page
def test_the_apps_own_base_template_links_the_stylesheet_once(verified: Client, page: str) -> None:
    assert PAGES[page](verified).content.decode().count(STYLE) == 1


def test_the_stylesheet_is_linked_again_on_the_next_page(verified: Client) -> None:
    """Fails when the stylesheet is linked once for each process, not once for each page."""
    for _ in range(2):
        assert verified.get("/mfa/phones/").content.decode().count(STYLE) == 1


def test_a_template_of_a_site_that_fills_the_old_block_works(verified: Client, site: Any) -> None:
    site(
        "bandwidth_mfa/phones.html",
        '{% extends "bandwidth_mfa/base.html" %}{% block content %}of the site{% endblock %}',
    )
    shown = verified.get("/mfa/phones/").content.decode()
    assert "of the site" in shown
    assert shown.count(STYLE) == 1


# Looks ------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("look", ["admin_look", "bootstrap_look"])
@each_page
def test_each_page_has_the_look_that_stands_first_among_the_apps(
    verified: Client, settings: Any, monkeypatch: Any, look: str, page: str
) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    settings.INSTALLED_APPS = [look, *settings.INSTALLED_APPS]
    answer = PAGES[page](verified)
    shown = answer.content.decode()
    assert "bandwidth_mfa/base.html" in {one.name for one in answer.templates}
    assert shown.count(STYLE) == 1
    assert shown.index(STYLE) < shown.index(f'href="/static/{look}/look.css"')
    assert '<section class="bandwidth-mfa"' in shown


def test_a_message_has_the_look_too(verified: Client, settings: Any, monkeypatch: Any) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    settings.INSTALLED_APPS = ["bootstrap_look", *settings.INSTALLED_APPS]
    shown = verified.post("/mfa/sign-out-others/", follow=True).content.decode()
    assert '<div class="alert alert-success" role="status">You are being signed out' in shown


# Messages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "name", "role"),
    [
        (messages.DEBUG, "info", "status"),
        (messages.INFO, "info", "status"),
        (messages.SUCCESS, "success", "status"),
        (messages.WARNING, "warning", "alert"),
        (messages.ERROR, "error", "alert"),
    ],
)
def test_a_message_has_the_role_of_its_level(
    level: int, name: str, role: str, rf: RequestFactory
) -> None:
    """Fails when an error has ``role="status"``: it is green, and is not read out at once."""
    message = messages.storage.base.Message(level, "This & that")
    context = {"messages": [message], "DEFAULT_MESSAGE_LEVELS": messages.DEFAULT_LEVELS}
    shown = render_to_string("bandwidth_mfa/_messages.html", context)
    tag = f'<p class="bandwidth-mfa-message bandwidth-mfa-{name}" role="{role}">'
    assert f"{tag}This &amp; that</p>" in shown


# Language ---------------------------------------------------------------------------------------


def languages(answer: Any) -> list[str]:
    return re.findall(r'<(?:html|div) (lang="[^"]*" dir="[^"]*")>', answer.content.decode())


@pytest.mark.slow
@each_page
def test_a_page_is_in_the_language_of_its_words(verified: Client, page: str) -> None:
    """Fails when ``lang`` names the active language although the app has no catalogue for it.

    A screen reader would read English words as Esperanto, and English words would run from right
    to left on an Arabic site.
    """
    with translation.override("es"):
        assert languages(PAGES[page](verified)) == ['lang="es" dir="ltr"'] * 2


@pytest.mark.parametrize("missing", ["eo", "ug"])
def test_without_a_catalogue_the_words_are_english_and_the_page_says_so(
    verified: Client, settings: Any, missing: str
) -> None:
    assert not (LOCALES / missing).exists()
    with translation.override(missing):
        answer = verified.get("/mfa/phones/")
        assert b"<h1>Your phones</h1>" in answer.content
        assert languages(answer) == ['lang="en" dir="ltr"'] * 2


def test_a_dialect_has_the_words_of_its_language(verified: Client) -> None:
    with translation.override("es-mx"):
        assert languages(verified.get("/mfa/phones/")) == ['lang="es" dir="ltr"'] * 2


@pytest.mark.slow
def test_each_catalogue_says_which_language_it_is() -> None:
    """Fails when a translator leaves "en" in the catalogue: each page would say it is English."""
    codes = {path.parent.parent.name for path in LOCALES.glob("*/LC_MESSAGES/django.mo")}
    assert "es" in codes
    for code in codes:
        language = translation.to_language(code)
        with translation.override(language):
            shown = render_to_string("bandwidth_mfa/base.html")
        lang, direction = re.findall(r'<html lang="([^"]*)" dir="([^"]*)">', shown)[0]
        assert lang.lower() == language, code
        info = translation.get_language_info(language)
        assert direction == ("rtl" if info["bidi"] else "ltr"), code


# Ways back, and errors --------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.standard("V7.4.4")
@each_page
def test_each_page_has_a_way_back(verified: Client, page: str) -> None:
    """Each page has a way back; the page with new codes, shown only once, has a form to go on."""
    answer = PAGES[page](verified)
    section = answer.content.decode().partition('<section class="bandwidth-mfa"')[2]
    if page == "suggestion":  # "Not now" is a button of a form, since the site remembers it
        assert '<button class="mfa-second">Not now</button>' in section
    elif page == "new recovery codes":
        assert 'action="/mfa/recovery-codes/saved/"' in section
    elif page in ("code", "recovery code"):
        assert 'action="/mfa/cancel/"' in section
    else:
        back = "/account/" if page in ("phones", "recovery codes") else "/mfa/phones/"
        assert f'class="mfa-second" href="{back}"' in section.replace("mfa-quiet", "mfa-second")


def test_the_field_with_an_error_has_the_focus(verified: Client) -> None:
    """Fails when the field with the error is not focused: it may lie below the screen."""
    choice = Phone.objects.get(number=OTHER_NUMBER).choice
    shown = verified.post("/mfa/phones/", {"phone": choice, "name": "x" * 41}).content.decode()
    [field] = re.findall(r"<input[^>]* autofocus[^>]*>", shown)
    assert f'id="id_{choice}_name"' in field
    assert "autofocus" not in verified.get("/mfa/phones/").content.decode()


@pytest.mark.parametrize("page", ["remove", "primary", "channel", "suggestion", "sign in again"])
def test_the_button_is_described_by_the_introduction(verified: Client, page: str) -> None:
    shown = PAGES[page](verified).content.decode()
    assert shown.count('id="bandwidth-mfa-introduction"') == 1
    assert shown.count('aria-describedby="bandwidth-mfa-introduction"') == 1
