"""Links and scripts carry the nonce of the site's Content-Security-Policy, where Django has one."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import django
import pytest
from django.db import OperationalError, connection
from django.test import Client

import django_bandwidth_mfa
from django_bandwidth_mfa.testing import login_verified
from tests.browsing import give_password
from tests.conftest import OTHER_NUMBER

pytestmark = pytest.mark.django_db

HAS_NONCE = django.VERSION >= (6, 0)
TEMPLATES = Path(django_bandwidth_mfa.__file__).parent / "templates"
STYLE = "bandwidth_mfa/mfa.css"
ONCE, WAITING, DELIVERY, RECOVERY_CODES, OTP = (
    f"bandwidth_mfa/{name}.js" for name in ("once", "waiting", "delivery", "recovery_codes", "otp")
)


@pytest.fixture
def policy(settings: Any, configure: Any, bandwidth: Any) -> None:
    """A site whose policy allows only files with the nonce; before Django 6, it has no policy."""
    bandwidth.fault(on="receipt", drop=True)
    configure(RECEIPT_SECRET="a-long-random-secret", REQUIRED="all")
    if not HAS_NONCE:
        return
    from django.utils.csp import CSP

    settings.MIDDLEWARE = [
        "django.middleware.csp.ContentSecurityPolicyMiddleware",
        *settings.MIDDLEWARE,
    ]
    settings.SECURE_CSP = {
        "default-src": [CSP.NONE],
        "script-src": [CSP.NONCE],
        "style-src": [CSP.NONCE],
    }
    [engine] = settings.TEMPLATES
    options = engine["OPTIONS"]
    processors = [*options["context_processors"], "django.template.context_processors.csp"]
    settings.TEMPLATES = [{**engine, "OPTIONS": {**options, "context_processors": processors}}]


class Loaded(HTMLParser):
    """What a page loads: for each stylesheet and script, its address and its nonce."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.files: dict[str, str | None] = {}
        self.inline: list[str] = []
        """The inline handlers, styles and scripts of the page, which a strict policy blocks."""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        address = attributes.get("src" if tag == "script" else "href")
        self.inline += [name for name in attributes if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and address is None):
            self.inline.append(tag)
        elif tag == "script" or (tag == "link" and attributes.get("rel") == "stylesheet"):
            assert address is not None
            self.files[address.removeprefix("/static/")] = attributes.get("nonce")


def assert_loads(answer: Any, *files: str) -> None:
    """Check that the page loads these files, and with the nonce of its policy on Django 6."""
    page = Loaded(answer.content.decode())
    expected = None
    if HAS_NONCE:
        policies = answer.headers["Content-Security-Policy"]
        [expected] = set(re.findall(r"'nonce-([\w-]{22})'", policies))
        assert policies.count(expected) == 2
    assert page.files == dict.fromkeys(files, expected)
    assert page.inline == []


def test_the_code_page_has_the_nonce(client: Client, user: Any, policy: None) -> None:
    """Fails with ``{% if csp_nonce %}``: Django's nonce is false until a template prints it."""
    give_password(client, user)
    assert_loads(client.get("/mfa/verify/"), STYLE, ONCE, WAITING, DELIVERY)


def test_each_answer_has_another_nonce(client: Client, user: Any, policy: None) -> None:
    give_password(client, user)
    pages = [Loaded(client.get("/mfa/verify/").content.decode()).files[STYLE] for _ in range(2)]
    assert len(set(pages)) == (2 if HAS_NONCE else 1)


def test_the_page_that_fills_in_the_code_has_the_nonce(
    client: Client, user: Any, policy: None, configure: Any
) -> None:
    """Fails when the page loads the script after a call: no text message comes then."""
    configure(ORIGIN="bank.example", RESEND_COOLDOWN=[0])
    give_password(client, user)
    assert_loads(client.get("/mfa/verify/"), STYLE, ONCE, WAITING, DELIVERY, OTP)
    client.post("/mfa/send/", {"channel": "voice"})
    assert_loads(client.get("/mfa/verify/"), STYLE, ONCE, WAITING)


def test_the_pages_that_add_a_phone_have_the_nonce(
    client: Client, newcomer: Any, policy: None
) -> None:
    give_password(client, newcomer)
    assert_loads(client.get("/mfa/phones/add/"), STYLE, ONCE)
    client.post("/mfa/phones/add/", {"number": OTHER_NUMBER})
    assert_loads(client.get("/mfa/phones/confirm/"), STYLE, ONCE, WAITING, DELIVERY)


def test_the_pages_of_recovery_codes_have_the_nonce(
    client: Client, user: Any, policy: None
) -> None:
    login_verified(client, user)
    assert_loads(client.get("/mfa/recovery-codes/"), STYLE, ONCE)
    assert_loads(client.post("/mfa/recovery-codes/"), STYLE, ONCE, RECOVERY_CODES)
    client.logout()
    give_password(client, user)
    assert_loads(client.get("/mfa/recovery-code/"), STYLE, ONCE, WAITING)


@pytest.mark.parametrize("page", ["phones", "browsers", "suggestion"])
def test_the_pages_without_a_script_have_the_nonce(
    client: Client, user: Any, policy: None, page: str
) -> None:
    login_verified(client, user)
    assert_loads(client.get(f"/mfa/{page}/"), STYLE)


def without_a_database(execute: Any, sql: str, *args: Any) -> Any:
    if "bandwidth_mfa_challenge" not in sql:
        return execute(sql, *args)
    cause = sqlite3.OperationalError()
    cause.sqlite_errorcode = sqlite3.SQLITE_IOERR
    raise OperationalError("text") from cause


def test_the_page_without_a_database_has_the_nonce(client: Client, user: Any, policy: None) -> None:
    """Fails when the view does not pass the nonce: this page has no context processors."""
    give_password(client, user)
    with connection.execute_wrapper(without_a_database):
        answer = client.get("/mfa/verify/")
    assert answer.status_code == 503
    assert_loads(answer, STYLE)


def test_a_site_without_a_policy_gets_no_nonce(client: Client, user: Any, bandwidth: Any) -> None:
    give_password(client, user)
    answer = client.get("/mfa/verify/")
    assert "Content-Security-Policy" not in answer.headers
    assert b"nonce" not in answer.content


def page_templates() -> Iterator[Path]:
    """Return the templates of pages.  Templates of mails are left out: no policy covers them."""
    return (path for path in TEMPLATES.rglob("*.html") if path.parent.name != "mail")


def test_each_link_and_script_stands_where_the_nonce_is_added() -> None:
    """Fails when a template has a ``<script>`` or ``<link>`` of its own."""
    tags = {path.name for path in page_templates() if re.search(r"<script|<link", path.read_text())}
    assert tags == {"_script.html", "_style.html"}
    for path in page_templates():
        assert Loaded(path.read_text()).inline == [], path
