"""Each state of the code pages is reached in a browser, on a narrow screen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.gallery.sites import Sites
from tests.gallery.states import STATES, State, Visit

from .conftest import OpenPage

CODE_PAGES = [one for one in STATES if one.says]


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    with Sites(tmp_path_factory.mktemp("sites")) as running:
        yield running


@pytest.mark.parametrize("state", CODE_PAGES, ids=lambda one: one.name)
def test_a_state_is_reached_and_fits_a_narrow_screen(
    open_page: OpenPage, sites: Sites, state: State
) -> None:
    page = open_page(locale="en-US", viewport={"width": 320, "height": 640})
    site = sites.get(state.site)
    state.reach(Visit(page, site, site.member(), site.newcomer(), site.member()))
    for shown in state.shown:
        expect(page.locator(shown).first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_the_table_has_each_state_of_the_code_page() -> None:
    """Fails when the page gets a state that no row of the table reaches."""
    from django_bandwidth_mfa.internal.flows.code_page import State as Says

    assert {str(one) for one in Says} <= {one.says for one in CODE_PAGES}
