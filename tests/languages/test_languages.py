"""In each language that has a catalogue, a person signs in, and the code comes in that language."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.utils import translation
from django.utils.translation import gettext, pgettext, to_language

from django_bandwidth_mfa.simulator import Simulator

from ..browsing import give_password, state

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = sorted(path.name for path in (ROOT / "django_bandwidth_mfa/locale").iterdir())

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def language_of_the_browser(settings: Any) -> None:
    settings.MIDDLEWARE = [
        "django.middleware.locale.LocaleMiddleware",
        *django_settings.MIDDLEWARE,
    ]


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_person_signs_in_in_each_language(
    client: Any, user: Any, bandwidth: Simulator, folder: str
) -> None:
    """The text message has the language of the page.

    Fails when the text has another language, when its placeholders are lost, or when the scope that
    is sent to Bandwidth is translated.
    """
    language = to_language(folder)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = language
    give_password(client, user)
    page = client.get("/mfa/verify/").content.decode()
    # The page says "pt-BR", and Django says "pt-br".
    assert re.search(rf'<html lang="{language}"', page, re.IGNORECASE)
    is_rtl = language in django_settings.LANGUAGES_BIDI
    assert ('dir="rtl"' in page.partition("<head>")[0]) == is_rtl
    sms = bandwidth.inbox[0]
    with translation.override(language):
        expected = gettext("Your {NAME} {SCOPE} code is {CODE}")
        scope = pgettext("kind of code", "sign-in")
    assert expected != "Your {NAME} {SCOPE} code is {CODE}"
    message = expected.replace("{SCOPE}", scope).replace("{NAME}", "Example")
    assert sms["text"] == message.replace("{CODE}", sms["code"])
    assert bandwidth.requests[-1]["body"]["scope"] == "sign-in"  # type: ignore[index]
    assert sms["code"].isascii()
    client.post("/mfa/verify/", {"code": sms["code"]})
    assert state(client) == "verified"
