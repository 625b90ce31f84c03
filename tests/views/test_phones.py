"""The pages on which people manage their phones, recovery codes and sessions."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client
from django.utils import timezone

from django_bandwidth_mfa import policies
from django_bandwidth_mfa.internal.login.mark import MARK
from django_bandwidth_mfa.models import Challenge, Phone, RecoveryCode, SecondFactor
from django_bandwidth_mfa.testing import login_verified
from tests.browsing import assert_shut, give_password, queries_for_session_and_user, sign_in, state
from tests.conftest import NUMBER, OTHER_NUMBER, PASSWORD, give_recovery_codes, make_user

pytestmark = pytest.mark.django_db

START = 1_800_000_000
PAGES = (
    *("phones", "phones/remove", "phones/primary", "phones/channel"),
    *("browsers", "recovery-codes", "suggestion"),
)


@pytest.fixture
def two(db: None) -> Any:
    return make_user("ada", NUMBER, OTHER_NUMBER)


@pytest.fixture
def verified(client: Client, two: Any) -> Client:
    login_verified(client, two)
    return client


def text(answer: Any) -> str:
    return unescape(answer.content.decode())


def phone(number: str = OTHER_NUMBER) -> Phone:
    return Phone.objects.get(number=number)


# Who may --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.attack("P14")
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_parked_login_sees_no_page_of_phones(
    client: Client, two: Any, page: str, method: str
) -> None:
    """Fails when the page accepts a parked login: the password alone would show the phones."""
    give_password(client, two)
    path = f"/mfa/{page}/?phone={phone().choice}&channel=voice"
    assert getattr(client, method)(path)["Location"].startswith("/mfa/verify/?next=/mfa/")
    assert_shut(client)
    assert [one.channel for one in Phone.objects.filter(user=two)] == ["", ""]


@pytest.mark.parametrize("page", PAGES)
def test_an_anonymous_visitor_signs_in_and_comes_back(
    client: Client, user: Any, bandwidth: Any, page: str
) -> None:
    """Fails when the login page is not told which page was asked for."""
    login_page = client.get(f"/mfa/{page}/")["Location"]
    assert login_page.startswith("/accounts/login/?next=/mfa/")
    client.post(login_page, {"username": "ada", "password": PASSWORD})
    client.get("/mfa/verify/")
    answer = client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert [answer["Location"]] == parse_qs(urlsplit(login_page).query)["next"]


@pytest.mark.standard("V7.5.1")
@pytest.mark.attack("P12")
@pytest.mark.parametrize("page", ["remove", "primary"])
def test_a_change_takes_a_code_of_the_last_minutes_and_then_goes_on(
    client: Client, two: Any, bandwidth: Any, page: str
) -> None:
    """Fails when the page asks for no code, or forgets which phone the user chose."""
    path = f"/mfa/phones/{page}/"
    with time_machine.travel(START, tick=False) as clock:
        login_verified(client, two)
        clock.shift(300)
        answer = client.post(path, {"phone": phone().choice})
        here = f"{path}?phone={phone().choice}"
        assert unescape(answer["Location"]) == f"/mfa/verify/?next={path}%3Fphone%3D{phone().pk}"
        assert Phone.objects.get(is_primary=True).number == NUMBER
        client.post("/mfa/send/", {"next": here})
        code = bandwidth.inbox[0]["code"]
        answer = client.post("/mfa/verify/", {"code": code, "next": here})
        assert answer["Location"] == here
        assert client.get(here).status_code == 200
        assert client.post(here)["Location"].startswith("/mfa/phones/")
    changed = not Phone.objects.filter(number=OTHER_NUMBER, is_primary=False).exists()
    assert changed


def test_adding_a_phone_takes_a_code_of_the_last_minutes(
    client: Client, two: Any, bandwidth: Any
) -> None:
    with time_machine.travel(START, tick=False) as clock:
        login_verified(client, two)
        clock.shift(300)
        answer = client.post("/mfa/phones/add/", {"number": "+12025550188"})
    assert answer["Location"] == "/mfa/verify/?next=/mfa/phones/add/"
    assert bandwidth.inbox == []


@pytest.mark.attack("P13")
@pytest.mark.parametrize("page", ["remove", "primary", "channel"])
def test_another_users_phone_cannot_be_touched(verified: Client, page: str) -> None:
    """Fails when the view accepts the phones of all users."""
    bob = make_user("bob", "+12025550188", "+12025550189")
    theirs = Phone.objects.get(number="+12025550189")
    for method in (verified.get, verified.post):
        answer = method(f"/mfa/phones/{page}/?phone={theirs.choice}&channel=voice")
        assert answer["Location"] == "/mfa/phones/"
    verified.post("/mfa/phones/", {"phone": theirs.choice, "name": "mine now"})
    phones = [
        (one.number, one.is_primary, one.name, one.channel)
        for one in Phone.objects.confirmed().filter(user=bob)
    ]
    assert phones == [("+12025550188", True, "", ""), ("+12025550189", False, "", "")]


@pytest.mark.slow
@pytest.mark.parametrize("junk", ["", "0", "x", "²", "-1", "9" * 30, "\x00", NUMBER])
def test_an_invalid_phone_id_is_no_phone(verified: Client, junk: str) -> None:
    for page in ("remove", "primary", "channel", "add"):
        verified.get(f"/mfa/phones/{page}/", {"phone": junk, "channel": "voice"})
        verified.post(f"/mfa/phones/{page}/", {"phone": junk, "channel": "voice"})
    verified.post("/mfa/phones/", {"phone": junk, "name": "x"})
    assert [one.channel for one in Phone.objects.all()] == ["", ""]


def test_a_get_changes_nothing(verified: Client) -> None:
    for page in ("remove", "primary"):
        assert verified.get(f"/mfa/phones/{page}/?phone={phone().choice}").status_code == 200
    page = verified.get(f"/mfa/phones/channel/?phone={phone().choice}&channel=voice")
    assert page.status_code == 200
    assert phone().channel == ""
    verified.get("/mfa/sign-out-others/")
    verified.get("/mfa/recovery-codes/")
    assert Phone.objects.get(is_primary=True).number == NUMBER
    assert Phone.objects.count() == 2
    assert not SecondFactor.objects.exists()
    assert not RecoveryCode.objects.exists()


# The list --------------------------------------------------------------------------------------


def test_the_list_shows_what_can_be_done_and_no_full_number(verified: Client) -> None:
    page = text(verified.get("/mfa/phones/"))
    assert "••42" in page
    assert "••77" in page
    assert page.count("Default") == 1
    assert "You have none." in page
    for number in (NUMBER, OTHER_NUMBER):
        assert number[1:] not in page
    assert page.count("phones/remove/") == 2
    assert page.count("phones/primary/") == 1


def test_sentences_call_a_phone_by_its_name(verified: Client) -> None:
    """Fails when a sentence has the masked number: screen readers read its bullets or skip them."""
    Phone.objects.filter(number=OTHER_NUMBER).update(name="Work")
    called = "the phone “Work” (ending in 77)"
    choice = {"phone": phone().choice}
    for path in ("remove", "primary", "channel"):
        page = text(verified.get(f"/mfa/phones/{path}/", {**choice, "channel": "voice"}))
        assert called in page
        assert "••" not in page
    for path, more in (("channel", {"channel": "voice"}), ("primary", {}), ("remove", {})):
        answer = verified.post(f"/mfa/phones/{path}/", {**choice, **more}, follow=True)
        [message] = answer.context["messages"]
        assert called in str(message).replace("The", "the")


def test_bullets_in_the_list_are_words_for_a_screen_reader(verified: Client) -> None:
    page = text(verified.get("/mfa/phones/"))
    assert re.findall(r"••\d\d", page) == re.findall(
        r'<span aria-hidden="true"><bdi dir="ltr">(••\d\d)</bdi></span>', page
    )
    for digits in ("42", "77"):
        assert f'<span class="mfa-hidden visually-hidden">ending in {digits}</span>' in page
        assert f'Change <span class="mfa-hidden">ending in {digits}</span>' in page


def test_an_unconfirmed_phone_is_not_listed(verified: Client, two: Any) -> None:
    Phone.objects.create(user=two, number="+12025550188")
    assert "••88" not in text(verified.get("/mfa/phones/"))


def test_a_phone_is_named(verified: Client) -> None:
    verified.post("/mfa/phones/", {"phone": phone().choice, "name": "  the <b>red</b> one "})
    assert phone().name == "the <b>red</b> one"
    assert b"<b>red" not in verified.get("/mfa/phones/").content
    verified.post("/mfa/phones/", {"phone": phone().choice, "name": ""})
    assert phone().name == ""


@pytest.mark.parametrize("name", ["x" * 41, "my +12025550177"])
def test_a_refused_name_is_explained_and_stays_in_the_field(verified: Client, name: str) -> None:
    page = text(verified.post("/mfa/phones/", {"phone": phone().choice, "name": name}))
    assert 'role="alert"' in page
    assert name in page
    assert "<title>Error: Your phones" in page
    assert phone().name == ""


def test_ids_on_the_page_are_unique(verified: Client) -> None:
    ids = re.findall(r' id="([^"]+)"', text(verified.get("/mfa/phones/")))
    assert len(ids) == len(set(ids))
    labels = set(re.findall(r' for="([^"]+)"', text(verified.get("/mfa/phones/"))))
    assert labels <= set(ids)


def test_a_user_without_a_phone_is_invited_to_add_one(client: Client, newcomer: Any) -> None:
    client.force_login(newcomer)
    page = text(client.get("/mfa/phones/"))
    assert "You have not added a phone yet" in page
    assert "Add a phone" in page


# Removing, making primary ----------------------------------------------------------------------


def test_a_phone_is_removed_and_this_session_stays(verified: Client, configure: Any) -> None:
    configure(RECHECK_SECONDS=0)
    answer = verified.post("/mfa/phones/remove/", {"phone": phone().choice}, follow=True)
    assert "The phone ending in 77 was removed." in text(answer)
    assert "sign out on all other devices now" in text(answer)
    assert not Phone.objects.filter(number=OTHER_NUMBER).exists()
    assert state(verified) == "verified"


def test_a_session_owes_a_code_once_its_own_phone_is_removed(
    client: Client, two: Any, bandwidth: Any
) -> None:
    """Fails when a code counts although its phone is no longer the user's."""
    sign_in(client, two, bandwidth)
    removed = phone(bandwidth.inbox[0]["to"])
    answer = client.post("/mfa/phones/remove/", {"phone": removed.choice}, follow=True)
    assert answer.request["PATH_INFO"] == "/mfa/verify/"
    assert state(client) == "parked"
    assert [message["to"] for message in bandwidth.inbox] == [OTHER_NUMBER, NUMBER]


@pytest.mark.attack("P15")
@pytest.mark.parametrize("required", ["all", "staff", "tests.views.test_phones.everybody"])
def test_the_last_phone_stays_while_the_policy_requires_a_code(
    client: Client, configure: Any, required: str
) -> None:
    """Fails when the page that removes a phone does not ask the policy."""
    configure(REQUIRED=required)
    login_verified(client, make_user("ada", NUMBER, is_staff=True))
    only = Phone.objects.get()
    # The list shows the button where a function decides: its answer is known only at the removal.
    assert ("phones/remove/" in text(client.get("/mfa/phones/"))) is ("everybody" in required)
    answer = client.post("/mfa/phones/remove/", {"phone": only.choice})
    assert "This is your only phone" in text(answer)
    assert Phone.objects.count() == 1


def everybody(request: Any, user: Any) -> bool:
    return True


def those_with_a_phone(request: Any, user: Any) -> bool:
    return Phone.objects.confirmed().filter(user=user).exists()


@pytest.mark.parametrize("required", ["enrolled", "tests.views.test_phones.those_with_a_phone"])
def test_the_policy_is_called_as_if_the_phone_were_removed(
    client: Client, user: Any, configure: Any, required: str
) -> None:
    """Fails when the policy is called while the phone still exists."""
    configure(REQUIRED=required)
    login_verified(client, user)
    client.post("/mfa/phones/remove/", {"phone": Phone.objects.get().choice})
    assert not Phone.objects.exists()


def test_the_last_phone_can_be_removed_where_no_code_is_required(
    client: Client, user: Any, bandwidth: Any, configure: Any
) -> None:
    configure(RECHECK_SECONDS=0)
    sign_in(client, user, bandwidth)
    client.post("/mfa/phones/remove/", {"phone": Phone.objects.get().choice})
    assert not Phone.objects.exists()
    assert state(client) == "exempt"
    client.post("/accounts/logout/")
    assert give_password(client, user)["Location"] == "/account/"


def test_another_phone_is_used_first(verified: Client, two: Any, bandwidth: Any) -> None:
    verified.post("/mfa/phones/primary/", {"phone": phone().choice})
    verified.post("/accounts/logout/")
    give_password(verified, two)
    verified.get("/mfa/verify/")
    assert bandwidth.inbox[0]["to"] == OTHER_NUMBER


# How codes come --------------------------------------------------------------------------------


CHANNEL_PAGE = "/mfa/phones/channel/"


def test_a_person_who_asks_for_calls_is_called_from_then_on(
    verified: Client, two: Any, bandwidth: Any
) -> None:
    page = text(verified.get("/mfa/phones/"))
    assert page.count("We send codes to this phone by text message.") == 2
    assert page.count(f'action="{CHANNEL_PAGE}"') == 2
    mine = Phone.objects.get(number=NUMBER)
    answer = verified.post(CHANNEL_PAGE, {"phone": mine.choice, "channel": "voice"}, follow=True)
    assert "We now call the phone ending in 42 and read you your codes." in text(answer)
    assert text(answer).count("We call this phone and read you the code.") == 1
    verified.post("/accounts/logout/")
    give_password(verified, two)
    assert "We called your phone" in text(verified.get("/mfa/verify/"))
    assert [(one["to"], one["channel"]) for one in bandwidth.inbox] == [(NUMBER, "voice")]


def test_a_person_who_asks_for_text_messages_again_gets_them(
    verified: Client, two: Any, bandwidth: Any
) -> None:
    Phone.objects.filter(user=two).update(channel="voice")
    mine = Phone.objects.get(number=NUMBER)
    answer = verified.post(CHANNEL_PAGE, {"phone": mine.choice, "channel": "sms"}, follow=True)
    assert "We now text your codes to the phone ending in 42." in text(answer)
    verified.post("/accounts/logout/")
    give_password(verified, two)
    verified.get("/mfa/verify/")
    assert [one["channel"] for one in bandwidth.inbox] == ["sms"]


@pytest.mark.attack("P12")
def test_the_channel_takes_a_code_of_the_last_minutes_and_then_goes_on(
    client: Client, two: Any, bandwidth: Any
) -> None:
    """Fails when ``ChangeView`` is a ``SignedInView``: the channel changes at once."""
    with time_machine.travel(START, tick=False) as clock:
        login_verified(client, two)
        clock.shift(300)
        choice = phone().choice
        answer = client.post(CHANNEL_PAGE, {"phone": choice, "channel": "voice"})
        here = f"{CHANNEL_PAGE}?phone={choice}&channel=voice"
        assert answer["Location"].startswith(f"/mfa/verify/?next={CHANNEL_PAGE}%3Fphone%3D{choice}")
        assert phone().channel == ""
        client.post("/mfa/send/", {"next": here})
        code = bandwidth.inbox[0]["code"]
        assert client.post("/mfa/verify/", {"code": code, "next": here})["Location"] == here
        page = text(client.get(here))
        assert "We will call the phone ending in 77 and read you the code" in page
        assert client.post(CHANNEL_PAGE, {"phone": choice, "channel": "voice"}).status_code == 302
    assert phone().channel == "voice"


def test_an_exempt_session_cannot_change_the_channel(
    client: Client, two: Any, configure: Any
) -> None:
    """The user of this session gave only the password.

    Fails when the view refuses only parked logins, as ``SignedInView`` does.
    """
    configure(REQUIRED="never")
    give_password(client, two)
    assert state(client) == "exempt"
    answer = client.post(CHANNEL_PAGE, {"phone": phone().choice, "channel": "voice"})
    assert answer["Location"].startswith("/mfa/verify/?next=")
    assert phone().channel == ""


@pytest.mark.attack("P36")
def test_the_channel_takes_a_csrf_token_even_without_djangos_middleware(
    two: Any, settings: Any
) -> None:
    """Fails when the view has no CSRF check of its own."""
    settings.MIDDLEWARE = [one for one in settings.MIDDLEWARE if "Csrf" not in one]
    client = Client(enforce_csrf_checks=True)
    login_verified(client, two)
    answer = client.post(CHANNEL_PAGE, {"phone": phone().choice, "channel": "voice"})
    assert answer["Location"].startswith(f"{CHANNEL_PAGE}?")
    assert phone().channel == ""


def test_an_unconfirmed_phone_has_no_channel_to_change(verified: Client, two: Any) -> None:
    """Fails when the view also accepts phones that are not confirmed."""
    new = Phone.objects.create(user=two, number="+12025550188")
    verified.post(CHANNEL_PAGE, {"phone": new.choice, "channel": "voice"})
    new.refresh_from_db()
    assert new.channel == ""


@pytest.mark.standard("V6.3.6")
@pytest.mark.parametrize("channel", ["", "call", "email", "SMS", "\x00"])
def test_an_unknown_channel_changes_nothing(verified: Client, channel: str) -> None:
    for method in (verified.get, verified.post):
        answer = method(CHANNEL_PAGE, {"phone": phone().choice, "channel": channel})
        assert answer["Location"] == "/mfa/phones/"
    assert phone().channel == ""


@pytest.mark.parametrize("missing", ["MESSAGING_APPLICATION_ID", "VOICE_APPLICATION_ID"])
def test_where_the_site_has_one_channel_there_is_nothing_to_choose(
    verified: Client, configure: Any, missing: str
) -> None:
    configure(**{missing: None})
    assert CHANNEL_PAGE not in text(verified.get("/mfa/phones/"))
    for channel in ("sms", "voice"):
        verified.post(CHANNEL_PAGE, {"phone": phone().choice, "channel": channel})
    assert phone().channel == ""


@pytest.mark.parametrize("asked", ["sms", "voice"])
def test_the_channel_of_the_first_code_stays_the_preferred_one(
    client: Client, newcomer: Any, bandwidth: Any, asked: str
) -> None:
    """Fails when the channel is used only once: the next code to a landline would be a text."""
    client.force_login(newcomer)
    client.post("/mfa/phones/add/", {"number": OTHER_NUMBER, "channel": asked})
    client.post("/mfa/phones/confirm/", {"code": bandwidth.inbox[0]["code"]})
    assert phone().channel == asked
    client.post("/accounts/logout/")
    give_password(client, newcomer)
    client.get("/mfa/verify/")
    assert [one["channel"] for one in bandwidth.inbox] == [asked, asked]


def test_a_number_that_is_typed_again_takes_the_channel_that_was_chosen_last(
    client: Client, newcomer: Any, bandwidth: Any
) -> None:
    with time_machine.travel(START, tick=False) as clock:
        client.force_login(newcomer)
        for channel in ("voice", "sms"):
            client.post("/mfa/phones/add/", {"number": OTHER_NUMBER, "channel": channel})
            clock.shift(120)
    assert phone().channel == "sms"
    assert [one["channel"] for one in bandwidth.inbox] == ["sms", "voice"]


# Changing, adding ------------------------------------------------------------------------------


def test_a_number_is_changed(client: Client, user: Any, bandwidth: Any, configure: Any) -> None:
    """Fails when the new phone is added and the old phone stays."""
    configure(RECHECK_SECONDS=0, REQUIRED="all")
    login_verified(client, user)
    old = Phone.objects.get()
    page = text(client.get(f"/mfa/phones/add/?phone={old.choice}"))
    assert "takes the place of the one ending in 42" in page
    client.post("/mfa/phones/add/", {"number": OTHER_NUMBER, "phone": old.choice})
    assert [one.number for one in Phone.objects.confirmed().filter(user=user)] == [NUMBER]
    answer = client.post("/mfa/phones/confirm/", {"code": bandwidth.inbox[0]["code"]})
    assert answer["Location"] == "/account/"
    assert [(one.number, one.is_primary) for one in Phone.objects.all()] == [(OTHER_NUMBER, True)]
    assert state(client) == "verified"


def test_a_number_that_the_account_has_already_is_refused(verified: Client, bandwidth: Any) -> None:
    answer = verified.post("/mfa/phones/add/", {"number": OTHER_NUMBER})
    assert "This phone is on your account already." in text(answer)
    assert bandwidth.inbox == []


def test_the_page_says_how_a_number_without_a_country_code_is_read(
    client: Client, newcomer: Any, configure: Any, bandwidth: Any
) -> None:
    configure(DEFAULT_REGION="GB")
    client.force_login(newcomer)
    page = text(client.get("/mfa/phones/add/"))
    assert "United Kingdom (+44)" in page
    assert "+44 7400 123456" in page
    client.post("/mfa/phones/add/", {"number": "07400 123456"})
    assert bandwidth.inbox[0]["to"] == "+447400123456"


def test_a_number_can_be_pasted_as_contacts_copy_it(
    client: Client, newcomer: Any, bandwidth: Any
) -> None:
    """Fails when ``maxlength`` is so short that browsers cut a number with invisible marks."""
    client.force_login(newcomer)
    field = re.search("<input[^>]*name=.number.[^>]*>", text(client.get("/mfa/phones/add/")))
    assert field
    assert 'maxlength="200"' in field[0]
    assert "pattern" not in field[0]
    pasted = "\u202a" + "\u200e\xa0".join("+44 7400 123456") + "\u202c"
    assert 40 < len(pasted) < 200
    client.post("/mfa/phones/add/", {"number": pasted})
    assert bandwidth.requests[-1]["body"]["to"] == "+447400123456"


# Recovery codes --------------------------------------------------------------------------------


def enrol(client: Client, bandwidth: Any) -> Any:
    client.post("/mfa/phones/add/", {"number": OTHER_NUMBER})
    return client.post(
        "/mfa/phones/confirm/", {"code": bandwidth.inbox[0]["code"], "next": "/transfer/"}
    )


def test_the_first_phone_brings_recovery_codes_shown_once(
    client: Client, newcomer: Any, bandwidth: Any
) -> None:
    client.force_login(newcomer)
    page = enrol(client, bandwidth)["Location"]
    shown = re.findall(r"(?:[0-9A-Z]{4}-){2}[0-9A-Z]{4}", text(client.get(page)))
    assert len(shown) == 10
    assert RecoveryCode.objects.left(newcomer) == 10
    again = text(client.get(page))
    assert not re.search(r"(?:[0-9A-Z]{4}-){2}", again)
    assert RecoveryCode.objects.left(newcomer) == 10
    client.post("/accounts/logout/")
    give_password(client, newcomer)
    client.post("/mfa/recovery-code/", {"recovery_code": shown[0]})
    assert state(client) == "verified"


def test_a_head_request_makes_no_recovery_codes(
    client: Client, newcomer: Any, bandwidth: Any
) -> None:
    """Fails when a HEAD request makes the recovery codes: nobody would see them."""
    client.force_login(newcomer)
    page = enrol(client, bandwidth)["Location"]
    client.head(page)
    assert RecoveryCode.objects.left(newcomer) == 0


def test_the_page_leads_on_to_where_the_visitor_was_going(
    client: Client, newcomer: Any, bandwidth: Any
) -> None:
    client.force_login(newcomer)
    page = text(client.get(enrol(client, bandwidth)["Location"]))
    assert '<input type="hidden" name="next" value="/transfer/">' in page
    saved = {"saved": "on", "next": "/transfer/"}
    assert client.post("/mfa/recovery-codes/saved/", saved)["Location"] == "/transfer/"
    elsewhere = saved | {"next": "//evil.example/"}
    assert client.post("/mfa/recovery-codes/saved/", elsewhere)["Location"] == "/account/"
    page = text(client.get("/mfa/recovery-codes/?next=//evil.example/"))
    assert "evil" not in page


def test_a_second_phone_brings_no_recovery_codes(verified: Client, bandwidth: Any) -> None:
    verified.post("/mfa/phones/add/", {"number": "+12025550188"})
    answer = verified.post("/mfa/phones/confirm/", {"code": bandwidth.inbox[0]["code"]})
    assert answer["Location"] == "/account/"
    assert not RecoveryCode.objects.exists()


def test_without_recovery_codes_on_the_site_the_first_phone_brings_none(
    client: Client, newcomer: Any, bandwidth: Any, configure: Any
) -> None:
    configure(RECOVERY_CODES=0)
    client.force_login(newcomer)
    assert enrol(client, bandwidth)["Location"] == "/transfer/"
    assert "Recovery codes" not in text(client.get("/mfa/phones/"))


def test_a_user_with_few_recovery_codes_is_warned(verified: Client, two: Any) -> None:
    verified.post("/mfa/recovery-codes/")
    assert 'class="mfa-warning"' not in text(verified.get("/mfa/phones/"))
    used = RecoveryCode.objects.filter(user=two).values_list("pk", flat=True)[:7]
    RecoveryCode.objects.filter(pk__in=list(used)).update(used_at=timezone.now())
    for page in ("/mfa/phones/", "/mfa/recovery-codes/"):
        shown = text(verified.get(page))
        assert 'class="mfa-warning"' in shown
        assert "You have 3 codes left." in shown


def test_a_login_with_a_recovery_code_says_how_many_are_left(
    client: Client, user: Any, bandwidth: Any
) -> None:
    code = give_recovery_codes(user)[0]
    give_password(client, user, "/mfa/phones/")
    answer = client.post("/mfa/recovery-code/", {"recovery_code": code}, follow=True)
    assert "You have 9 recovery codes left. Lost your phone? " in text(answer)
    assert '<a href="/mfa/phones/">Change it now</a>' in text(answer)


def test_the_last_recovery_code_leads_to_new_ones(
    client: Client, user: Any, bandwidth: Any
) -> None:
    [code] = give_recovery_codes(user, 1)
    give_password(client, user, "/mfa/phones/")
    answer = client.post("/mfa/recovery-code/", {"recovery_code": code}, follow=True)
    assert "That was your last recovery code." in text(answer)
    assert '<a href="/mfa/recovery-codes/">Make new recovery codes now</a>' in text(answer)


# Signing out everywhere else -------------------------------------------------------------------


@pytest.mark.standard("V7.4.3", "V7.5.2")
@pytest.mark.attack("P18")
def test_all_other_sessions_are_signed_out_and_this_session_stays(
    verified: Client, two: Any
) -> None:
    """Fails when the recheck does not look at ``signed_in_since``, or when the session of the
    request ends as well."""
    with time_machine.travel(START, tick=False) as clock:
        login_verified(verified, two)
        elsewhere = Client()
        login_verified(elsewhere, two)
        clock.shift(1)
        answer = verified.post("/mfa/sign-out-others/", follow=True)
        assert "This takes up to 5 minutes." in text(answer)
        clock.shift(300)
        assert state(elsewhere) == "anonymous"
        assert state(verified) == "verified"
        clock.shift(300)
        assert state(verified) == "verified"


def test_without_a_recheck_delay_the_page_says_that_others_are_signed_out(
    verified: Client, configure: Any
) -> None:
    """Fails when the page says that it takes up to 0 minutes."""
    configure(RECHECK_SECONDS=0)
    answer = verified.post("/mfa/sign-out-others/", follow=True)
    assert "You are signed out on all your other devices." in text(answer)


@pytest.mark.parametrize(
    ("required", "protects"),
    [
        ("enrolled", True),
        ("staff", True),
        ("never", False),
        (policies.groups("editors"), False),
    ],
)
def test_a_page_says_that_a_phone_protects_the_login_only_if_it_does(
    client: Client, newcomer: Any, bandwidth: Any, configure: Any, required: Any, protects: bool
) -> None:
    """Before, these pages said it also where the policy asks this user for no code."""
    configure(REQUIRED=required)
    client.force_login(newcomer)
    for page, sentence in (
        ("/mfa/phones/", "nobody can sign in with your password alone"),
        ("/mfa/suggestion/", "nobody can sign in without a code sent to it"),
        ("/mfa/phones/add/", "You will sign in with your password and a code"),
    ):
        assert (sentence in text(client.get(page))) == protects, page
    client.post("/mfa/phones/add/", {"number": NUMBER})
    client.post("/mfa/phones/confirm/", {"code": bandwidth.inbox[0]["code"]})
    assert Phone.objects.confirmed().exists()
    browser = Client()
    give_password(browser, newcomer)
    assert state(browser) == ("parked" if protects else "exempt")


# A suggestion ----------------------------------------------------------------------------------


def test_a_phone_is_suggested_once_a_session_and_not_after_not_now(
    client: Client, newcomer: Any
) -> None:
    with time_machine.travel(START, tick=False) as clock:
        client.force_login(newcomer)
        here = "/mfa/suggestion/?next=/suggesting/%3Fpage%3D2"
        assert client.get("/suggesting/?page=2")["Location"] == here
        assert "Not now" in text(client.get(here))
        assert client.get("/suggesting/").status_code == 200
        assert client.post(here)["Location"] == "/suggesting/?page=2"
        client.force_login(make_user("other"))
        assert client.get("/suggesting/").status_code == 302
        client.force_login(newcomer)
        assert client.get("/suggesting/").status_code == 200
        clock.shift(31 * 86_400)
        client.logout()
        client.force_login(newcomer)
        assert client.get("/suggesting/").status_code == 302


def test_nothing_is_suggested_to_users_who_have_a_phone_or_cannot_add_one(
    verified: Client, newcomer: Any, configure: Any
) -> None:
    assert verified.get("/suggesting/").status_code == 200
    assert Client().get("/suggesting/").status_code == 200
    client = Client()
    client.force_login(newcomer)
    assert client.post("/suggesting/").status_code == 200
    configure(GET_PHONES="tests.views.test_phones.no_numbers")
    assert client.get("/suggesting/").status_code == 200


def no_numbers(user: Any) -> list[str]:
    return []


def test_async_views_suggest_too(newcomer: Any) -> None:
    client = AsyncClient()
    client.force_login(newcomer)
    get = async_to_sync(client.get)
    assert get("/asuggesting/")["Location"] == "/mfa/suggestion/?next=/asuggesting/"
    assert get("/asuggesting/").status_code == 200


# A site that keeps the numbers itself ----------------------------------------------------------


def numbers(user: Any) -> list[str]:
    return [NUMBER, OTHER_NUMBER]


@pytest.fixture
def kept_elsewhere(configure: Any, bandwidth: Any, newcomer: Any) -> Any:
    configure(GET_PHONES="tests.views.test_phones.numbers", TRUST_DAYS=30, RECHECK_SECONDS=0)
    return newcomer


def test_everything_but_adding_and_removing_works(
    client: Client, kept_elsewhere: Any, bandwidth: Any, mailoutbox: Any
) -> None:
    user = kept_elsewhere
    give_password(client, user)
    client.get("/mfa/verify/")
    assert bandwidth.inbox[0]["to"] == NUMBER
    client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"], "trust": "on"})
    assert state(client) == "verified"
    page = text(client.get("/mfa/phones/"))
    assert "••42" in page
    assert "phones/add" not in page
    assert "phones/remove" not in page
    assert "phones/channel" not in page
    for path in ("add", "confirm", "remove", "primary", "channel"):
        assert client.get(f"/mfa/phones/{path}/").status_code == 403
        assert client.post(f"/mfa/phones/{path}/").status_code == 403
    assert client.post("/mfa/phones/", {"phone": "x", "name": "x"}).status_code == 302
    codes = text(client.post("/mfa/recovery-codes/"))
    code = re.search(r"(?:[0-9A-Z]{4}-){2}[0-9A-Z]{4}", codes)
    assert code
    assert "Unknown browser" in text(client.get("/mfa/browsers/"))
    client.post("/mfa/sign-out-others/")
    assert state(client) == "verified"
    client.post("/accounts/logout/")
    # For two seconds a new login counts as an old one: the clock of its machine may be ahead.
    with time_machine.travel(timezone.now() + timedelta(seconds=3)):
        give_password(client, user)
        client.post("/mfa/recovery-code/", {"recovery_code": code[0]})
        assert state(client) == "verified"
    assert len(mailoutbox) == 4
    assert not Phone.objects.exists()
    assert Challenge.objects.get().phone is None


def test_the_page_shown_instead_of_a_change_fits_the_user(
    client: Client, kept_elsewhere: Any, configure: Any
) -> None:
    """Fails when the page tells a user who has phones that the account has no phone."""
    login_verified(client, kept_elsewhere)
    configure(SUPPORT={"name": "Harbour <support>", "address": "/help/?a=1&b=2"})
    page = client.get("/mfa/phones/remove/").content.decode()
    assert "<h1>You cannot change your phones here</h1>" in page
    assert "Your account has no phone" not in page
    assert 'href="/help/?a=1&amp;b=2">Contact Harbour &lt;support&gt;</a>' in page
    assert '<a class="mfa-second" href="/account/">Go back</a>' in page
    configure(GET_PHONES="tests.views.test_phones.no_numbers", SUPPORT={"name": "Harbour support"})
    page = client.get("/mfa/phones/remove/").content.decode()
    assert "<h1>Your account has no phone</h1>" in page
    assert '<p class="mfa-others">Contact Harbour support.</p>' in page


# Names and addresses ---------------------------------------------------------------------------


def test_no_page_is_kept_in_a_cache_or_framed(verified: Client) -> None:
    for page in PAGES:
        answer = verified.get(f"/mfa/{page}/", {"phone": phone().choice, "channel": "voice"})
        assert answer.status_code == 200, page
        assert "no-store" in answer["Cache-Control"]
        assert answer["X-Frame-Options"] == "DENY"


def test_a_verified_request_needs_no_extra_queries(
    client: Client, user: Any, bandwidth: Any, django_assert_num_queries: Any
) -> None:
    sign_in(client, user, bandwidth)
    with django_assert_num_queries(queries_for_session_and_user()):
        client.get("/account/")


def test_the_page_that_adds_a_phone_has_the_consent_to_text_messages(
    client: Client, newcomer: Any, configure: Any
) -> None:
    """Fails when a site that only calls shows the consent: nobody can reply STOP to a call."""
    consent = "Message and data rates may apply. Reply STOP to opt out."
    client.force_login(newcomer)
    assert consent in text(client.get("/mfa/phones/add/"))
    configure(MESSAGING_APPLICATION_ID=None)
    assert consent not in text(client.get("/mfa/phones/add/"))


# The first phone -----------------------------------------------------------------------------


@pytest.mark.standard("63B-3.1.3.3a")
@pytest.mark.attack("P12")
@pytest.mark.parametrize("data", [{"number": OTHER_NUMBER}, {"resend": "sms"}])
def test_an_old_session_adds_no_first_phone_until_its_user_signs_in_again(
    client: Client, newcomer: Any, bandwidth: Any, data: dict[str, str]
) -> None:
    """Fails when any signed-in user without a phone may add one.

    A thief of an old session would add their own phone, and the owner could not sign in.
    """
    with time_machine.travel(time.time(), tick=False) as clock:
        give_password(client, newcomer)
        clock.shift(899)
        assert client.get("/mfa/phones/add/").status_code == 200
        # This request checks the session in the database again.
        assert state(client) == "exempt"
        clock.shift(1)
        assert client.get("/mfa/phones/add/").status_code == 403
        answer = client.post("/mfa/phones/add/", data)
        assert (answer.status_code, b"Sign in again" in answer.content) == (403, True)
        assert (len(bandwidth.inbox), Phone.objects.count()) == (0, 0)


def test_the_button_signs_out_and_the_login_page_leads_back(client: Client, newcomer: Any) -> None:
    with time_machine.travel(time.time(), tick=False) as clock:
        give_password(client, newcomer)
        clock.shift(1000)
        page = "/mfa/phones/add/?next=/account/"
        assert client.get(f"{page}&sign_in_again=1").status_code == 403
        assert state(client) == "exempt"
        answer = client.post(page, {"sign_in_again": "1"})
        assert answer["Location"].startswith("/accounts/login/?next=")
        assert state(client) == "anonymous"
        form = {"username": "newcomer", "password": PASSWORD}
        answer = client.post(answer["Location"], form)
        assert answer["Location"] == page
        assert client.get(page).status_code == 200


def test_the_button_takes_a_csrf_token(newcomer: Any) -> None:
    strict = Client(enforce_csrf_checks=True)
    with time_machine.travel(time.time(), tick=False) as clock:
        strict.force_login(newcomer)
        clock.shift(1000)
        answer = strict.post("/mfa/phones/add/", {"sign_in_again": "1"})
        assert answer["Location"] == "/mfa/phones/add/"
        assert state(strict) == "exempt"


def test_a_session_without_a_known_start_time_adds_no_first_phone(
    client: Client, newcomer: Any
) -> None:
    """A session that began before the app was installed has no start time."""
    give_password(client, newcomer)
    session = client.session
    del session[MARK]
    session.save()
    assert client.get("/mfa/phones/add/").status_code == 403


def test_a_user_who_stays_without_a_phone_gives_the_password_again_and_goes_on(
    client: Client, newcomer: Any
) -> None:
    """Fails when a second login in the same session does not renew its start time."""
    with time_machine.travel(time.time(), tick=False) as clock:
        give_password(client, newcomer)
        clock.shift(1000)
        give_password(client, newcomer)
        assert client.get("/mfa/phones/add/").status_code == 200


@pytest.mark.parametrize(
    ("page", "target"),
    [
        ("suggestion", "suggestion"),
        ("recovery-codes", "recovery-codes"),
        ("recovery-codes/saved", "recovery-codes"),
    ],
)
def test_a_form_after_the_end_of_the_session_keeps_next(
    client: Client, page: str, target: str
) -> None:
    """Fails when the URL to come back to has only the query of the form's own URL."""
    login_page = client.post(f"/mfa/{page}/", {"next": "/wanted/"})["Location"]
    wanted = parse_qs(urlsplit(login_page).query)["next"]
    assert wanted == [f"/mfa/{target}/?next=/wanted/"]
