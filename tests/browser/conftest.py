"""A real browser, and the demo that it visits."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from .demo import Demo

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# All tests use one IP address, so the limit of an address is high.  The limits of a user and of a
# number keep their defaults.
SEND_LIMITS = '{"user": "5/h", "number": "5/h,10/d", "address": "1000/h", "site": "1000/h"}'

# One test signs in the same person many times.
SEND_CEILINGS = '{"user": "", "number": "", "address": "", "country": "", "site": ""}'

OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    changes = {
        "BANDWIDTH_MFA_SEND_LIMITS": SEND_LIMITS,
        "BANDWIDTH_MFA_SEND_CEILINGS": SEND_CEILINGS,
    }
    with Demo(tmp_path_factory.mktemp("demo"), changes) as running:
        yield running


@pytest.fixture(scope="session")
def patient_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo where nobody has to wait for another code."""
    changes = {
        "BANDWIDTH_MFA_SEND_LIMITS": SEND_LIMITS,
        "BANDWIDTH_MFA_SEND_CEILINGS": SEND_CEILINGS,
        "BANDWIDTH_MFA_RESEND_COOLDOWN": "[0]",
    }
    with Demo(tmp_path_factory.mktemp("patient_demo"), changes) as running:
        yield running


@pytest.fixture(scope="session")
def trusting_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo where nobody has to wait for another code, and where browsers can be trusted."""
    changes = {
        "BANDWIDTH_MFA_SEND_LIMITS": SEND_LIMITS,
        "BANDWIDTH_MFA_SEND_CEILINGS": SEND_CEILINGS,
        "BANDWIDTH_MFA_RESEND_COOLDOWN": "[0]",
        "BANDWIDTH_MFA_TRUST_DAYS": "30",
    }
    with Demo(tmp_path_factory.mktemp("trusting_demo"), changes) as running:
        yield running


@pytest.fixture(scope="session")
def receipts_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that gets delivery receipts."""
    changes = {
        "BANDWIDTH_MFA_SEND_LIMITS": SEND_LIMITS,
        "BANDWIDTH_MFA_SEND_CEILINGS": SEND_CEILINGS,
        "BANDWIDTH_MFA_RECEIPT_SECRET": "a-word-that-only-the-demo-knows",
    }
    with Demo(tmp_path_factory.mktemp("receipts_demo"), changes) as running:
        yield running


@pytest.fixture(scope="session")
def unlimited_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that gets delivery receipts, and that does not limit sends."""
    changes = {
        "BANDWIDTH_MFA_SEND_LIMITS": '{"user": "", "number": "", "address": "", "site": ""}',
        "BANDWIDTH_MFA_SEND_CEILINGS": SEND_CEILINGS,
        "BANDWIDTH_MFA_RESEND_COOLDOWN": "[0]",
        "BANDWIDTH_MFA_RECEIPT_SECRET": "a-word-that-only-the-demo-knows",
    }
    with Demo(tmp_path_factory.mktemp("unlimited_demo"), changes) as running:
        yield running


@pytest.fixture(scope="session")
def origin_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo whose messages name the site."""
    changes = {
        "BANDWIDTH_MFA_SEND_LIMITS": SEND_LIMITS,
        "BANDWIDTH_MFA_SEND_CEILINGS": SEND_CEILINGS,
        "BANDWIDTH_MFA_ORIGIN": "bank.example",
    }
    with Demo(tmp_path_factory.mktemp("origin_demo"), changes) as running:
        yield running


@pytest.fixture(scope="session")
def busy_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that makes one call to Bandwidth at a time, and in which no call waits."""
    changes = {
        "BANDWIDTH_MFA_SEND_LIMITS": SEND_LIMITS,
        "BANDWIDTH_MFA_SEND_CEILINGS": SEND_CEILINGS,
        "BANDWIDTH_MFA_MAX_CONCURRENT_CALLS": "1",
        "BANDWIDTH_MFA_MAX_WAITING_CALLS": "0",
    }
    with Demo(tmp_path_factory.mktemp("busy_demo"), changes) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser of ``CHROMIUM``, or else of the path, or else of Playwright."""
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM") or shutil.which("chromium")
        running = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Return ``open_page(**options)``, which opens a page in its own browser context.

    Each message on the console fails the test.  The browser reports there violations of the
    Content-Security-Policy and missing files.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        # A page that says "please wait" answers 429, as it should; the admin names no icon, so
        # the browser guesses where one might be.
        # A page that signs in by fetch shows what the JSON API refuses.
        url = message.location["url"]
        expected = (
            "status of 429" in message.text
            or url.endswith("/favicon.ico")
            or ("status of 4" in message.text and ("/mfa/api/" in url or "/single-page/" in url))
        )
        if message.type in ("error", "warning") and not expected:
            complaints.append(f"{message.type}: {message.text}")

    def open_page(**options: object) -> Page:
        context = browser.new_context(**options)  # type: ignore[arg-type]
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", hear)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    return open_page()
