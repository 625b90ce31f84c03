"""People sign in, in a browser that asks for their language: the page and the message are in it."""

from __future__ import annotations

import gettext
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.gallery.sites import Site, Sites
from tests.gallery.states import Visit
from tests.pseudo_language import ROOT

from .conftest import OpenPage

LOCALE = ROOT / "django_bandwidth_mfa/locale"
# Spanish, Turkish, Arabic (from right to left) and Japanese (without spaces).
LANGUAGES = [code for code in ("es", "tr", "ar", "ja") if (LOCALE / code).exists()]
RIGHT_TO_LEFT = ("ar",)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Sites(tmp_path_factory.mktemp("sites")) as sites:
        yield sites.get("patient")


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_person_signs_in(open_page: OpenPage, site: Site, code: str) -> None:
    page = open_page(locale=code, viewport={"width": 320, "height": 640})
    visit = Visit(page, site, site.member(), site.newcomer(), site.member())
    visit.give_password()
    section = page.locator(".bandwidth-mfa")
    direction = section.evaluate("section => getComputedStyle(section).direction")
    assert direction == ("rtl" if code in RIGHT_TO_LEFT else "ltr")
    assert section.evaluate("section => section.closest('[lang]').lang") == code
    assert page.evaluate("document.documentElement.scrollWidth") <= 320

    translation = gettext.translation("django", LOCALE, [code])
    text = translation.gettext("Your {NAME} {SCOPE} code is {CODE}")
    text = text.replace("{SCOPE}", translation.pgettext("kind of code", "sign-in"))
    [sms] = site.messages(visit.who.number)
    assert sms["text"] == text.replace("{NAME}", "Harbour").replace("{CODE}", sms["code"])
    visit.type_code(sms["text"])
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Ahoy, {visit.who.username}")
