"""The mails that tell users what happens to their second factor."""

from __future__ import annotations

from typing import Any

import django
import pytest
from django.test import Client
from django.utils import translation

from django_bandwidth_mfa import service, signals
from django_bandwidth_mfa.exceptions import MFAError, NoPhone
from django_bandwidth_mfa.internal.notify import events, mail
from django_bandwidth_mfa.internal.staff.reset import reset_second_factor
from django_bandwidth_mfa.models import Phone, RecoveryCode, SecondFactor, TrustedBrowser
from django_bandwidth_mfa.testing import login_verified
from tests.browsing import give_password, state, wrong
from tests.conftest import (
    NUMBER,
    OTHER_NUMBER,
    WRONG_RECOVERY_CODE,
    give_recovery_codes,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def two_recovery_codes(configure: Any) -> None:
    """Make sets of only two codes: each code takes time to make."""
    configure(RECOVERY_CODES=2)


MAILED = [event.name for event in events.EVENTS.values() if event.is_mailed]


@pytest.mark.standard("V6.3.7", "63B-4.1.2.1b")
def test_a_mail_for_each_change_of_a_phone(
    client: Client, user: Any, bandwidth: Any, mailoutbox: Any
) -> None:
    login_verified(client, user)
    client.post("/mfa/phones/add/", {"number": OTHER_NUMBER})
    client.post("/mfa/phones/confirm/", {"code": bandwidth.inbox[0]["code"]})
    other = Phone.objects.get(number=OTHER_NUMBER)
    client.post("/mfa/phones/primary/", {"phone": other.choice})
    client.post("/mfa/phones/remove/", {"phone": other.choice})
    assert [one.subject for one in mailoutbox] == [
        "[testserver] A phone was added to your account",
        "[testserver] Your codes go to another phone",
        "[testserver] A phone was removed from your account",
    ]
    for one in mailoutbox:
        assert one.to == ["ada@example.com"]
        assert "the phone ending in 77" in one.body.replace("The", "the")


@pytest.mark.attack("T12")
@pytest.mark.parametrize("event", MAILED)
@pytest.mark.parametrize("language", ["en", "es"])
def test_no_mail_holds_a_full_number_or_a_link_and_each_has_html(
    user: Any, mailoutbox: Any, event: str, language: str
) -> None:
    """Fails when a template shows ``phone.number``, or contains a link."""
    details: dict[str, Any] = {"phone": Phone.objects.get(), "many": 2, "forget_phones": True}
    with translation.override(language):
        SecondFactor.objects.create(user=user, language=language)
        mail.notify(user, event, None, **details)
    (one,) = mailoutbox
    html, kind = one.alternatives[0]
    assert kind == "text/html"
    assert f'lang="{language}"' in html
    for text in (one.body, html, one.subject):
        assert NUMBER not in text
        assert NUMBER[-4:] not in text
        assert "http" not in text
    assert "ada" in one.body
    assert one.subject
    assert one.subject in html
    if language == "es":
        assert "Hola" in one.body


def test_a_mail_says_whom_to_ask(user: Any, mailoutbox: Any, configure: Any) -> None:
    """Fails when the mail contains the address of SUPPORT: a mail has no link."""
    mail.notify(user, "phone_removed", None, phone=Phone.objects.get())
    configure(SUPPORT={"name": "Harbour support", "address": "https://bank.example/help"})
    mail.notify(user, "phone_removed", None, phone=Phone.objects.get())
    mail.notify(user, "locked_out", None)
    assert mailoutbox[0].body.endswith("look through your phones. Contact support.\n")
    assert mailoutbox[1].body.endswith("look through your phones. Contact Harbour support.\n")
    assert "only our staff can switch codes by phone on again. Contact Harbour support." in (
        mailoutbox[2].body
    )


def test_a_mail_does_not_hold_the_name_of_a_phone(user: Any, mailoutbox: Any) -> None:
    """Fails when the mail contains ``phone.label``: an intruder could write a text that the owner
    reads in the mail."""
    phone = Phone.objects.get()
    phone.name = "please visit evil.example"
    for event in ("phone_confirmed", "phone_removed", "primary_phone_changed"):
        mail.notify(user, event, None, phone=phone)
        assert "evil" not in str(mailoutbox[-1].message())


def test_every_event_that_is_mailed_is_a_signal() -> None:
    assert len(MAILED) == 11
    assert all(events.EVENTS[event].signal is getattr(signals, event) for event in MAILED)


@pytest.mark.standard("V6.3.5", "V6.3.7", "63B-4.2.3")
@pytest.mark.attack("T12")
def test_recovery_codes_are_never_in_it(user: Any, mailoutbox: Any) -> None:
    code = service.issue_recovery_codes(user)[0]
    service.use_recovery_code(user, code)
    assert [one.subject for one in mailoutbox] == [
        "New recovery codes were made",
        "A recovery code was used",
    ]
    assert "You have 1 code left" in mailoutbox[1].body
    for one in mailoutbox:
        assert code not in str(one.message())


def test_a_mail_about_a_recovery_code_does_not_speak_of_a_login_while_signed_in(
    client: Client, user: Any, mailoutbox: Any
) -> None:
    """Before, the mail said "to sign in" also of a code that was typed in a step-up."""
    codes = give_recovery_codes(user, 2)
    give_password(client, user)
    client.post("/mfa/recovery-code/", {"recovery_code": codes[0]})
    assert "Somebody used a recovery code to sign in to your account. " in mailoutbox[0].body
    client.post("/mfa/recovery-code/", {"recovery_code": codes[1]})
    assert mailoutbox[1].subject == "[testserver] A recovery code was used"
    assert "to sign in" not in mailoutbox[1].body
    assert "\nIt was your last recovery code. " in mailoutbox[1].body


def test_a_site_without_recovery_codes_does_not_say_to_make_new_ones(
    client: Client, user: Any, configure: Any, mailoutbox: Any
) -> None:
    """Before, the mail and the page about the last code asked for new ones, also where
    ``RECOVERY_CODES`` is 0."""
    [code] = give_recovery_codes(user, 1)
    configure(RECOVERY_CODES=0)
    give_password(client, user)
    page = client.post("/mfa/recovery-code/", {"recovery_code": code}, follow=True)
    assert page.wsgi_request.path == "/account/"
    page = client.get("/mfa/phones/")
    assert "You have no recovery codes left." in page.text
    assert "ake new" not in page.text
    assert "You have no recovery codes left.\n" in mailoutbox[0].body
    assert "ake new" not in mailoutbox[0].body


def test_a_site_that_keeps_the_numbers_does_not_send_users_to_their_phones(
    client: Client, user: Any, bandwidth: Any, configure: Any, mailoutbox: Any
) -> None:
    """Before, the mail said to look through the phones, and the page to change a lost phone, also
    where users cannot change phones on our pages."""
    configure(GET_PHONES=lambda user: [NUMBER])
    code = give_recovery_codes(user, 10)[0]
    give_password(client, user, "/mfa/phones/")
    page = client.post("/mfa/recovery-code/", {"recovery_code": code}, follow=True).text
    assert "Recovery codes let you in without your phone. You have 9 codes left.</p>" in page
    assert "Lost your phone?" not in page
    advice = "If this was not you: sign in as you always do, and change your password. Contact"
    assert advice in mailoutbox[0].body
    assert "look through your phones" not in mailoutbox[0].body


def test_a_mail_about_new_recovery_codes_says_whether_there_were_old_ones(
    user: Any, mailoutbox: Any
) -> None:
    """Before, the first mail also said that old codes no longer work, but there were none."""
    codes = service.issue_recovery_codes(user)
    service.issue_recovery_codes(user)
    assert not service.use_recovery_code(user, codes[0])
    first, second = [one.body for one in mailoutbox]
    assert "You have a new set of recovery codes.\n" in first
    assert "old ones" not in first
    assert "You have a new set of recovery codes. The old ones no longer work.\n" in second


def test_a_mail_about_new_recovery_codes_does_not_speak_of_used_ones(
    user: Any, mailoutbox: Any
) -> None:
    """Fails when codes that were used up count as old ones: they had no effect before, either."""
    for code in service.issue_recovery_codes(user):
        assert service.use_recovery_code(user, code)
    service.issue_recovery_codes(user)
    assert "old ones" not in mailoutbox[-1].body


@pytest.mark.standard("V6.3.5")
@pytest.mark.attack("P25")
def test_a_series_of_wrong_codes_is_mailed_once(
    user: Any, bandwidth: Any, configure: Any, mailoutbox: Any
) -> None:
    """Fails when no mail tells the owner that somebody knows their password."""
    configure(FAILURES_BEFORE_WAIT=2, FAILURE_WAIT_MIN=1)
    challenge = service.send_code(user)
    bad = wrong(bandwidth.inbox[0]["code"])
    service.verify_code(challenge, bad)
    assert mailoutbox == []
    service.verify_code(challenge, bad)
    with pytest.raises(MFAError):
        service.verify_code(challenge, bad)
    assert [one.subject for one in mailoutbox] == ["Somebody may know your password"]
    for _ in range(2):
        service.use_recovery_code(user, WRONG_RECOVERY_CODE)
    assert len(mailoutbox) == 1


def test_a_series_of_wrong_recovery_codes_is_mailed_once(
    user: Any, configure: Any, mailoutbox: Any
) -> None:
    configure(FAILURES_BEFORE_WAIT=2)
    service.use_recovery_code(user, WRONG_RECOVERY_CODE)
    service.use_recovery_code(user, WRONG_RECOVERY_CODE)
    assert [one.subject for one in mailoutbox] == ["Somebody may know your password"]


def type_wrong_codes(client: Client, bandwidth: Any, kind: str) -> None:
    """Type two wrong codes, each of the same ``kind``."""
    url, form = "/mfa/verify/", {}
    if kind == "login":
        client.get(url)
    elif kind == "step-up":
        client.post("/mfa/send/", {"next": "/transfer/"})
    elif kind == "enrolment":
        client.post("/mfa/phones/add/", {"number": OTHER_NUMBER})
        url = "/mfa/phones/confirm/"
    else:
        url, form = "/mfa/recovery-code/", {"recovery_code": WRONG_RECOVERY_CODE}
    form = form or {"code": wrong(bandwidth.inbox[0]["code"])}
    for _ in range(2):
        client.post(url, form)


@pytest.mark.parametrize("kind", ["step-up", "enrolment", "recovery code"])
def test_a_series_of_wrong_codes_while_signed_in_does_not_speak_of_the_login(
    client: Client, user: Any, bandwidth: Any, configure: Any, mailoutbox: Any, kind: str
) -> None:
    """Before, the mail said that the codes had kept somebody out, who was signed in."""
    configure(FAILURES_BEFORE_WAIT=2)
    login_verified(client, user)
    type_wrong_codes(client, bandwidth, kind)
    [one] = mailoutbox
    assert one.subject == "[testserver] Several wrong codes were typed in your account"
    assert "Somebody who is signed in to your account typed several wrong codes.\n" in one.body
    assert "kept them out" not in one.body
    assert "change your password, and look through your phones." in one.body


@pytest.mark.parametrize("kind", ["login", "enrolment", "recovery code"])
def test_a_series_of_wrong_codes_after_the_password_speaks_of_the_login(
    client: Client,
    user: Any,
    newcomer: Any,
    bandwidth: Any,
    configure: Any,
    mailoutbox: Any,
    kind: str,
) -> None:
    """Fails when a user whose login is parked counts as signed in."""
    configure(FAILURES_BEFORE_WAIT=2, REQUIRED="all")
    give_password(client, newcomer if kind == "enrolment" else user)
    type_wrong_codes(client, bandwidth, kind)
    [one] = mailoutbox
    assert one.subject == "[testserver] Somebody may know your password"
    assert "The codes have kept them out so far.\n" in one.body


def test_a_mail_about_ended_sessions_says_which_devices_are_signed_out(
    client: Client, user: Any, configure: Any, mailoutbox: Any
) -> None:
    """Before, the mail said that the user signed out on other devices, also when the site ended all
    sessions.  It said that this takes a few minutes, whatever ``RECHECK_SECONDS`` is."""
    configure(RECHECK_SECONDS=0)
    login_verified(client, user)
    client.post("/mfa/sign-out-others/")
    assert state(client) == "verified"
    service.end_sessions(user)
    assert state(client) == "anonymous"
    others, all_of_them = mailoutbox
    assert others.subject == "[testserver] Your other devices are being signed out of your account"
    assert "\n\nYour other devices are being signed out of your account.\n" in others.body
    assert all_of_them.subject == "You are being signed out on all your devices"
    assert "\n\nTo use your account again, sign in.\n" in all_of_them.body
    for one in mailoutbox:
        assert "minutes" not in one.body


def test_turned_off_nothing_is_mailed(user: Any, configure: Any, mailoutbox: Any) -> None:
    configure(NOTIFY=False)
    service.issue_recovery_codes(user)
    reset_second_factor(user)
    assert mailoutbox == []


def test_a_user_without_an_address_gets_none(user: Any, mailoutbox: Any) -> None:
    user.email = ""
    service.issue_recovery_codes(user)
    assert mailoutbox == []


def test_a_mail_server_that_fails_stops_nothing_and_is_logged(
    client: Client, user: Any, settings: Any, caplog: Any
) -> None:
    """Fails when the error is not caught: a page would answer 500, or Django would log it with
    local variables."""
    smtp = "django.core.mail.backends.smtp.EmailBackend"
    if django.VERSION >= (6, 1):
        options = {"host": "127.0.0.1", "port": 1}
        settings.MAILERS = {"default": {"BACKEND": smtp, "OPTIONS": options}}
    else:
        settings.EMAIL_BACKEND = smtp
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    login_verified(client, user)
    assert client.post("/mfa/recovery-codes/").status_code == 200
    assert [one.event for one in caplog.records if one.levelname == "ERROR"] == ["mail_failed"]


def test_it_is_in_the_language_of_the_page(client: Client, user: Any, mailoutbox: Any) -> None:
    login_verified(client, user)
    with translation.override("es"):
        client.post("/mfa/recovery-codes/")
    assert "Hola" in mailoutbox[0].body


def test_a_mail_about_an_action_of_staff_is_in_the_users_language(
    user: Any, mailoutbox: Any
) -> None:
    """The mail is not in the language of the member of staff."""
    SecondFactor.objects.create(user=user, language="es")
    reset_second_factor(user, by=make_user("staff"))
    assert "Hola" in mailoutbox[0].body


@pytest.mark.parametrize("required", ["enrolled", "never"])
def test_page_and_mail_about_a_removed_phone_say_where_a_new_code_is_needed(
    client: Client, user: Any, bandwidth: Any, configure: Any, mailoutbox: Any, required: str
) -> None:
    """Before, page and mail said that other browsers are asked for a code.  With ``"never"``, only
    views with ``mfa_required`` ask."""
    configure(REQUIRED=required, RECHECK_SECONDS=0)
    other_phone = Phone.objects.create(
        user=user, number=OTHER_NUMBER, confirmed_at=user.date_joined
    )
    other_browser = Client()
    for browser in (client, other_browser):
        login_verified(browser, user)
    page = client.get(f"/mfa/phones/remove/?phone={other_phone.choice}").text
    client.post("/mfa/phones/remove/", {"phone": other_phone.choice})
    sentence = "Where a code is needed, you will be asked for a new one in your other browsers."
    assert sentence in page
    assert f"We no longer send codes to the phone ending in 77. {sentence}\n" in mailoutbox[0].body
    assert other_browser.get("/account/").status_code == (200 if required == "never" else 302)
    assert other_browser.get("/verified/").status_code == 302


@pytest.mark.parametrize("required", ["enrolled", "never"])
def test_pages_and_mail_about_trusted_browsers_say_whether_a_login_owes_a_code(
    client: Client, user: Any, configure: Any, mailoutbox: Any, required: str
) -> None:
    """Before, pages and mail said that a code is asked for at each login, also with ``"never"``."""
    configure(REQUIRED=required, TRUST_DAYS=30)
    browser = TrustedBrowser.objects.create(
        user=user, digest="d" * 64, auth_hash=user.get_session_auth_hash(), name="Firefox"
    )
    login_verified(client, user)
    page = client.post("/mfa/browsers/", {"browser": browser.pk}, follow=True).text
    owes_code = required == "enrolled"
    assert "1 browser is no longer trusted." in mailoutbox[0].body
    assert ("asked for a code when you next sign in there" in mailoutbox[0].body) == owes_code
    assert "You trust no browser." in page
    assert ("You will be asked for a code there." in page) == owes_code
    configure(TRUST_DAYS=0)
    for answer in (page, client.get("/mfa/browsers/").text):
        assert ("You are asked for a code each time you sign in." in answer) == owes_code
    other_browser = Client()
    give_password(other_browser, user)
    assert state(other_browser) == ("parked" if owes_code else "exempt")


@pytest.mark.parametrize("codes", [0, 1])
def test_page_and_mail_about_the_last_phone_speak_of_recovery_codes(
    client: Client, user: Any, mailoutbox: Any, codes: int
) -> None:
    """Before, page and mail did not say that the recovery codes are deleted, but that other
    browsers are asked for a code."""
    give_recovery_codes(user, codes)
    login_verified(client, user)
    choice = Phone.objects.get().choice
    page = client.get(f"/mfa/phones/remove/?phone={choice}").text
    client.post("/mfa/phones/remove/", {"phone": choice})
    assert not RecoveryCode.objects.exists()
    for text in (page, mailoutbox[0].body):
        assert ("Your recovery codes are removed with your last phone." in text) == bool(codes)
        assert "in your other browsers" not in text


@pytest.mark.parametrize(
    ("required", "after_sign_in"),
    [
        ("enrolled", "/account/"),
        ("staff", "/account/"),
        ("never", "/account/"),
        ("all", "/mfa/phones/add/"),
    ],
)
def test_a_mail_about_removed_phones_says_what_is_possible_whatever_the_policy(
    client: Client,
    user: Any,
    bandwidth: Any,
    configure: Any,
    mailoutbox: Any,
    required: str,
    after_sign_in: str,
) -> None:
    """Before, the mail spoke of a phone at the next login, where only ``"all"`` asks for one."""
    configure(REQUIRED=required)
    reset_second_factor(user, forget_phones=True)
    assert (
        "Your phones and recovery codes were removed. "
        "To get codes by phone again, sign in and add a phone.\n" in mailoutbox[-1].body
    )
    page = client.get(give_password(client, user)["Location"], follow=True)
    assert page.wsgi_request.path == after_sign_in
    client.post("/mfa/phones/add/", {"number": OTHER_NUMBER})
    client.post("/mfa/phones/confirm/", {"code": bandwidth.inbox[0]["code"]})
    service.send_code(user)
    assert [sent["to"] for sent in bandwidth.inbox] == [OTHER_NUMBER, OTHER_NUMBER]


@pytest.mark.parametrize("kept_by_site", [False, True])
def test_a_mail_about_a_reset_promises_no_codes_to_a_user_without_a_phone(
    newcomer: Any, bandwidth: Any, configure: Any, mailoutbox: Any, kept_by_site: bool
) -> None:
    """Before, the mail said that the user can get codes by phone again."""
    if kept_by_site:
        configure(GET_PHONES=lambda user: [])
    reset_second_factor(newcomer)
    with pytest.raises(NoPhone):
        service.send_code(newcomer)
    assert "\n\nYour account has no phone.\n" in mailoutbox[0].body
    assert "codes" not in mailoutbox[0].body


def test_a_mail_about_a_reset_does_not_say_that_the_sites_own_numbers_were_removed(
    user: Any, bandwidth: Any, configure: Any, mailoutbox: Any
) -> None:
    """Before, the mail said this with ``GET_PHONES``, too, but the site still has the numbers."""
    configure(GET_PHONES=lambda user: [NUMBER])
    give_recovery_codes(user, 1)
    reset_second_factor(user, forget_phones=True)
    [one] = mailoutbox
    assert "removed" not in one.body
    assert "add a phone" not in one.body
    assert "You can get codes by phone again." in one.body
    assert "Recovery codes let you in without your phone. You have none.\n" in one.body
    service.send_code(user)
    assert [sent["to"] for sent in bandwidth.inbox] == [NUMBER]
    reset_second_factor(user)
    assert "recovery codes" not in mailoutbox[1].body


@pytest.mark.parametrize(("required", "status"), [("enrolled", 302), ("all", 302), ("never", 200)])
def test_a_mail_about_a_reset_says_where_a_new_code_is_needed(
    client: Client, user: Any, configure: Any, mailoutbox: Any, required: str, status: int
) -> None:
    """Before, the mail said that all browsers are asked for a code.  With ``"never"``, only a view
    with ``mfa_required`` asks."""
    configure(REQUIRED=required, RECHECK_SECONDS=0)
    login_verified(client, user)
    assert client.get("/verified/").status_code == 200
    reset_second_factor(user)
    assert client.get("/account/").status_code == status
    assert client.get("/verified/").status_code == 302
    assert (
        "You can get codes by phone again. Where a code is needed, you will be asked for a new one "
        "in all your browsers.\n" in mailoutbox[-1].body
    )


def test_a_change_keeps_the_language_for_later(client: Client, user: Any, mailoutbox: Any) -> None:
    login_verified(client, user)
    with translation.override("es"):
        client.post("/mfa/recovery-codes/")
    with translation.override("en"):
        reset_second_factor(user)
    assert "Hola" in mailoutbox[1].body


def test_names_and_browsers_are_text_in_it(client: Client, bandwidth: Any, mailoutbox: Any) -> None:
    """Fails when the HTML is not escaped: the visitor chooses the header's content."""
    user = make_user("ada", NUMBER)
    user.username = "<b>ada</b>"
    user.save()
    service.issue_recovery_codes(user)
    html, _ = mailoutbox[0].alternatives[0]
    assert "<b>ada" not in html
    assert "&lt;b&gt;ada" in html
    assert "Hello <b>ada</b>," in mailoutbox[0].body
