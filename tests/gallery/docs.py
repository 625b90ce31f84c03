"""The pictures of README and docs."""

from __future__ import annotations

from base64 import b64encode

from playwright.sync_api import Browser

from tests.browser.demo import Member
from tests.pseudo_language import ROOT

from .sites import Sites
from .states import Visit

# The size of each half of the picture, in pixels.
WIDTH, HEIGHT = 390, 740

SIDE_BY_SIDE = """<!doctype html>
<style>
body {{ margin: 0; padding: 24px; display: flex; gap: 22px; width: fit-content }}
body {{ background: #cad3df }}
img {{ width: {width}px; height: {height}px }}
</style>
<img src="data:image/png;base64,{left}"><img src="data:image/png;base64,{right}">
"""


def write_pictures(browser: Browser, sites: Sites) -> None:
    """Write ``docs/code-page.png``: the code page, and the phone beside it."""
    site = sites.get("cooldown")
    context = browser.new_context(
        locale="en-US", viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=2
    )
    page = context.new_page()
    visit = Visit(page, site, Member("demo", "+12025550142"), site.newcomer(), site.member())
    page.goto(f"{site.url}/accounts/login/?next=/account/")
    page.locator("input[name=username]").fill("demo")
    visit.fill("password", "demo-password")
    code = visit.newest()
    page.locator("input[name=code]").fill(code)
    left = page.screenshot()
    phone = context.new_page()
    phone.goto(f"{site.simulator_url}/inbox")
    right = phone.screenshot()
    board = context.new_page()
    board.set_viewport_size({"width": 3 * WIDTH, "height": 2 * HEIGHT})
    board.set_content(
        SIDE_BY_SIDE.format(
            width=WIDTH,
            height=HEIGHT,
            left=b64encode(left).decode(),
            right=b64encode(right).decode(),
        )
    )
    board.locator("body").screenshot(path=ROOT / "docs/code-page.png")
    context.close()
