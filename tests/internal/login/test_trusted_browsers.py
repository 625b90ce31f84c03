"""Trusted browsers: when a browser needs no code, and when it needs one again."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from django_bandwidth_mfa import service, signals
from django_bandwidth_mfa.internal.login import trusted_browsers
from django_bandwidth_mfa.internal.notify.user_agents import describe
from django_bandwidth_mfa.internal.phones import changes
from django_bandwidth_mfa.internal.staff.reset import reset_second_factor
from django_bandwidth_mfa.models import Phone, TrustedBrowser
from tests.browsing import assert_shut, give_password, state, wrong
from tests.conftest import OTHER_NUMBER, PASSWORD, make_user

pytestmark = pytest.mark.django_db

FIREFOX = "Mozilla/5.0 (Android 14; Mobile; rv:142.0) Gecko/142.0 Firefox/142.0"
START = 1_800_000_000


@pytest.fixture(autouse=True)
def on(bandwidth: Any, configure: Any) -> None:
    configure(TRUST_DAYS=30, RESEND_COOLDOWN=[0])


def sign_in_and_trust(client: Client, user: Any, bandwidth: Any) -> Any:
    give_password(client, user)
    client.get("/mfa/verify/")
    answer = client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"], "trust": "on"})
    client.post("/accounts/logout/")
    return answer


@pytest.fixture
def trusted(user: Any, bandwidth: Any) -> Client:
    """Return a browser that its user has chosen to trust. The user is signed out now."""
    client = Client(headers={"user-agent": FIREFOX})
    sign_in_and_trust(client, user, bandwidth)
    return client


def test_a_trusted_browser_owes_no_code(trusted: Client, user: Any, bandwidth: Any) -> None:
    sent = len(bandwidth.inbox)
    answer = give_password(trusted, user, "/account/")
    assert answer["Location"] == "/account/"
    assert trusted.get("/whoami/").json()["method"] == "trusted_browser"
    assert state(trusted) == "verified"
    assert len(bandwidth.inbox) == sent


def test_the_session_key_changes_at_such_a_login(trusted: Client, user: Any) -> None:
    trusted.get("/account/")
    before = trusted.session.session_key
    give_password(trusted, user)
    assert trusted.session.session_key != before


@pytest.mark.attack("P17")
def test_no_max_age_accepts_it(trusted: Client, user: Any) -> None:
    """Fails when ``max_age`` does not check the method."""
    give_password(trusted, user)
    assert trusted.get("/verified/").status_code == 200
    assert trusted.get("/transfer/")["Location"] == "/mfa/verify/?next=/transfer/"
    assert trusted.get("/mfa/phones/remove/?phone=1").status_code == 302


def test_the_password_is_asked_for_all_the_same(trusted: Client, user: Any) -> None:
    trusted.post("/accounts/login/", {"username": user.get_username(), "password": "wrong"})
    assert state(trusted) == "anonymous"


@pytest.mark.attack("P16")
def test_the_cookie_is_as_safe_as_cookies_get(client: Client, user: Any, bandwidth: Any) -> None:
    """Fails when scripts can read the cookie, when it is sent over HTTP or to subdomains, or when
    the database stores its value as it is."""
    answer = sign_in_and_trust(client, user, bandwidth)
    (cookie,) = (morsel for name, morsel in answer.cookies.items() if name.startswith("__Host-"))
    assert cookie["secure"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["path"] == "/"
    assert cookie["domain"] == ""
    assert cookie["max-age"] == 30 * 86_400
    assert len(cookie.value) >= 43
    browser = TrustedBrowser.objects.get()
    assert browser.digest == trusted_browsers.digest(cookie.value)


@pytest.mark.standard("63B-5.1b")
@pytest.mark.parametrize("data", [{}, {"trust": "on"}], ids=["unticked", "a wrong code"])
def test_nobody_is_trusted_unasked(
    client: Client, user: Any, bandwidth: Any, data: dict[str, str]
) -> None:
    """Fails when the cookie is set before a right code."""
    give_password(client, user)
    client.get("/mfa/verify/")
    code = bandwidth.inbox[0]["code"]
    client.post("/mfa/verify/", {"code": wrong(code) if data else code, **data})
    assert not TrustedBrowser.objects.exists()


def test_a_step_up_trusts_no_browser(client: Client, user: Any, bandwidth: Any) -> None:
    sign_in_and_trust(client, user, bandwidth)
    give_password(client, user)
    TrustedBrowser.objects.all().delete()
    client.post("/mfa/send/", {"next": "/transfer/"})
    code = bandwidth.inbox[0]["code"]
    client.post("/mfa/verify/", {"code": code, "next": "/transfer/", "trust": "on"})
    assert client.get("/transfer/").status_code == 200
    assert not TrustedBrowser.objects.exists()


def test_the_code_page_offers_it_only_where_it_is_on(
    client: Client, user: Any, configure: Any
) -> None:
    give_password(client, user)
    page = client.get("/mfa/verify/").text
    assert "ask for a code in this browser for 30 days. Only on your own device." in page
    configure(TRUST_DAYS=0)
    assert b'name="trust"' not in client.get("/mfa/verify/").content


# What voids it ---------------------------------------------------------------------------------


def assert_not_trusted(client: Client, user: Any, password: str = PASSWORD) -> None:
    client.post("/accounts/login/", {"username": user.get_username(), "password": password})
    assert_shut(client)


@pytest.mark.attack("P16")
def test_it_ends_with_its_days(user: Any, bandwidth: Any) -> None:
    """Fails when only the cookie's own age ends the trust: a copy of the cookie would never
    expire."""
    client = Client()
    with time_machine.travel(START, tick=False) as clock:
        sign_in_and_trust(client, user, bandwidth)
        cookies = dict(client.cookies)
        clock.shift(30 * 86_400 - 1)
        give_password(client, user)
        assert state(client) == "verified"
        client.post("/accounts/logout/")
        clock.shift(1)
        client.cookies.update(cookies)
        assert_not_trusted(client, user)


@pytest.mark.standard("63B-5.1b")
def test_turned_off_it_lets_nobody_in(trusted: Client, user: Any, configure: Any) -> None:
    """Fails when ``TRUST_DAYS`` is not checked when a browser is recognised."""
    configure(TRUST_DAYS=0)
    assert_not_trusted(trusted, user)


@pytest.mark.attack("P16")
def test_a_new_password_voids_it(trusted: Client, user: Any) -> None:
    """Fails when the trust is not bound to the password's hash."""
    user.set_password("another one")
    user.save()
    assert_not_trusted(trusted, user, "another one")


def test_a_new_secret_key_does_not_while_the_old_one_counts(
    trusted: Client, user: Any, settings: Any
) -> None:
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a new one"
    give_password(trusted, user)
    assert state(trusted) == "verified"


@pytest.mark.slow
@pytest.mark.attack("P18")
@pytest.mark.parametrize("change", ["remove", "replace", "reset", "sign out", "forget"])
def test_changes_of_the_second_factor_void_it(
    trusted: Client, user: Any, bandwidth: Any, change: str
) -> None:
    """Fails when a change that ends sessions does not delete the rows of trusted browsers."""
    phone = Phone.objects.create(user=user, number=OTHER_NUMBER, confirmed_at=user.date_joined)
    if change == "remove":
        changes.remove(phone)
    elif change == "replace":
        phone.replaces = Phone.objects.get(is_primary=True)
        assert changes.replace(phone)
    elif change == "reset":
        reset_second_factor(user)
    elif change == "sign out":
        service.end_sessions(user)
    else:
        assert trusted_browsers.forget(user) == 1
    assert_not_trusted(trusted, user)


@pytest.mark.attack("P16")
def test_another_users_cookie_is_worth_nothing(trusted: Client, user: Any, bandwidth: Any) -> None:
    """Fails when the digest is looked up among the browsers of all users. Both users have the same
    password hash: a different hash would also refuse the cookie."""
    other = make_user("bob", OTHER_NUMBER)
    other.password = user.password
    other.save()
    value = trusted.cookies[trusted_browsers.cookie_name(user)].value
    trusted.cookies[trusted_browsers.cookie_name(other)] = value
    assert_not_trusted(trusted, other)


@pytest.mark.parametrize("value", ["", "x", "é", "a" * 5000, '"', "\x00"])
def test_a_cookie_of_nonsense_is_worth_nothing(client: Client, user: Any, value: str) -> None:
    # The header is set directly: Python's cookie class refuses some of these values.
    cookie = f"{trusted_browsers.cookie_name(user)}={value}"
    answer = client.post(
        "/accounts/login/", {"username": "ada", "password": PASSWORD}, headers={"cookie": cookie}
    )
    assert trusted_browsers.cookie_name(user) in answer.wsgi_request.COOKIES
    assert_shut(client)


def test_two_people_at_one_browser_are_both_remembered(
    trusted: Client, user: Any, bandwidth: Any
) -> None:
    other = make_user("bob", OTHER_NUMBER)
    sign_in_and_trust(trusted, other, bandwidth)
    for one in (user, other):
        give_password(trusted, one)
        assert state(trusted) == "verified"
        trusted.post("/accounts/logout/")


def test_trusting_again_leaves_one_row_for_one_browser(
    trusted: Client, user: Any, bandwidth: Any, configure: Any
) -> None:
    configure(TRUST_DAYS=0)
    give_password(trusted, user)
    trusted.get("/mfa/verify/")
    configure(TRUST_DAYS=30)
    trusted.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"], "trust": "on"})
    assert TrustedBrowser.objects.count() == 1


def test_it_sends_a_signal(client: Client, user: Any, bandwidth: Any) -> None:
    heard: list[Any] = []

    def hear(browser: TrustedBrowser, **kwargs: Any) -> None:
        heard.append(browser)

    signals.browser_trusted.connect(hear)
    try:
        sign_in_and_trust(client, user, bandwidth)
    finally:
        signals.browser_trusted.disconnect(hear)
    assert heard == [TrustedBrowser.objects.get()]


# The page --------------------------------------------------------------------------------------


@pytest.mark.standard("V7.5.2")
def test_the_list_names_each_browser_and_this_one(trusted: Client, user: Any) -> None:
    TrustedBrowser.objects.create(user=user, digest="x", auth_hash=user.get_session_auth_hash())
    give_password(trusted, user)
    page = trusted.get("/mfa/browsers/").content.decode()
    assert "Firefox on Android" in page
    assert "Unknown browser" in page
    assert page.count("This browser") == 1


@pytest.mark.parametrize("language", ["en-us", "hr"])
def test_a_date_that_ends_with_a_full_stop_ends_the_sentence(
    trusted: Client, language: str, settings: Any
) -> None:
    """Before, the page said "Last used: 01/15/2027 8 a.m..": the time and the sentence both ended
    with a full stop.  Croatian dates end with one, too."""
    settings.LANGUAGE_CODE = language
    with time_machine.travel(START, tick=False):
        TrustedBrowser.objects.update(created_at=timezone.now(), last_used_at=timezone.now())
        give_password(trusted, TrustedBrowser.objects.get().user)
        page = trusted.get("/mfa/browsers/").content.decode()
    assert "2027" in page
    assert ".." not in page


def test_one_can_be_forgotten_and_all(trusted: Client, user: Any) -> None:
    mine = TrustedBrowser.objects.get()
    auth_hash = user.get_session_auth_hash()
    for digest in "abc":
        TrustedBrowser.objects.create(user=user, digest=digest, auth_hash=auth_hash)
    give_password(trusted, user)
    trusted.post("/mfa/browsers/", {"browser": mine.pk})
    assert not TrustedBrowser.objects.filter(pk=mine.pk).exists()
    assert TrustedBrowser.objects.count() == 3
    trusted.post("/mfa/browsers/", {"all": "1"})
    assert not TrustedBrowser.objects.exists()


@pytest.mark.slow
@pytest.mark.parametrize("junk", ["", "x", "-1", "9" * 30, "²", "\x00"])
def test_nonsense_forgets_nothing(trusted: Client, user: Any, junk: str) -> None:
    give_password(trusted, user)
    assert trusted.post("/mfa/browsers/", {"browser": junk}).status_code == 302
    assert TrustedBrowser.objects.count() == 1


@pytest.mark.attack("P13")
def test_nobody_forgets_the_browser_of_another_user(
    trusted: Client, user: Any, client: Client
) -> None:
    """Fails when a browser is deleted without a check of its owner."""
    other = make_user("bob")
    client.force_login(other)
    client.post("/mfa/browsers/", {"browser": TrustedBrowser.objects.get().pk})
    client.post("/mfa/browsers/", {"all": "1"})
    assert TrustedBrowser.objects.count() == 1


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_parked_login_sees_no_browsers(client: Client, user: Any, method: str) -> None:
    give_password(client, user)
    answer = getattr(client, method)("/mfa/browsers/")
    assert answer["Location"] == "/mfa/verify/?next=/mfa/browsers/"


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX, "Firefox on Android"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, "
            "like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/139.0.0.0 Safari/537.36 Edg/139.0.0.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like "
            "Gecko) Chrome/139.0.0.0 Safari/537.36",
            "Chrome on Mac",
        ),
        ("curl/8.0", ""),
        ("Linux", "Linux"),
        ("<script>", ""),
    ],
)
def test_a_browser_is_named_as_its_owner_would(agent: str, name: str) -> None:
    assert describe(agent) == name


def test_a_deactivated_user_stays_out(trusted: Client, user: Any) -> None:
    get_user_model().objects.filter(pk=user.pk).update(is_active=False)
    give_password(trusted, user)
    assert state(trusted) == "anonymous"
