"""The pages: what they show, what they send, and what they refuse."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.contrib.auth.signals import user_login_failed
from django.test import AsyncClient, Client
from django.utils import timezone
from django.views.debug import DEBUG_ENGINE

from django_bandwidth_mfa import service
from django_bandwidth_mfa.bandwidth import Unreachable
from django_bandwidth_mfa.internal.codes import provider
from django_bandwidth_mfa.internal.login.parking import PARKED
from django_bandwidth_mfa.models import Challenge, Phone
from django_bandwidth_mfa.testing import login_verified
from tests.browsing import (
    assert_shut,
    give_password,
    post_form,
    shows,
    sign_in,
    state,
    wrong,
)
from tests.conftest import NUMBER, OTHER_NUMBER, PASSWORD, give_recovery_codes, make_user


@pytest.fixture
def parked(client: Client, user: Any, bandwidth: Any) -> Client:
    """A browser on the code page, whose code is in ``bandwidth.inbox``."""
    give_password(client, user, "/account/")
    client.get("/mfa/verify/")
    return client


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


# The code page --------------------------------------------------------------------------------


@pytest.mark.attack("T4")
def test_the_code_page_shows_what_a_person_needs_and_no_full_number(parked: Client) -> None:
    page = text(parked.get("/mfa/verify/"))
    assert "ending in 42" in page
    assert "3 minutes" in page
    assert 'inputmode="numeric"' in page
    assert 'autocomplete="one-time-code"' in page
    assert "Text me a new code" in page
    assert "Call me with a new code" in page
    assert "Use a different account" in page
    assert NUMBER not in page
    assert NUMBER[2:] not in page
    assert re.findall(r"<script[^>]*>[^<]", page) == []  # none inline
    assert "style=" not in page


def test_without_voice_nobody_is_offered_a_call(parked: Client, configure: Any) -> None:
    configure(VOICE_APPLICATION_ID=None)
    assert "Call me" not in text(parked.get("/mfa/verify/"))


@pytest.mark.attack("T16")
def test_the_page_is_cached_nowhere(parked: Client) -> None:
    assert "no-store" in parked.get("/mfa/verify/")["Cache-Control"]


@pytest.mark.standard("63B-5.1a")
@pytest.mark.attack("P36")
def test_a_post_without_a_csrf_token_is_refused(user: Any, bandwidth: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    for page in ("verify", "send", "cancel"):
        # It leads back to the page; tests/views/test_code_pages.py says that nothing was done.
        assert client.post(f"/mfa/{page}/", {"code": "123456"})["Location"] == "/mfa/verify/"
        assert state(client) == "parked"
    assert bandwidth.requests == []


@pytest.mark.attack("S2")
def test_only_the_first_get_after_the_password_sends_a_code(
    client: Client, user: Any, bandwidth: Any
) -> None:
    give_password(client, user)
    assert client.head("/mfa/verify/").status_code == 200
    assert bandwidth.inbox == []
    for _ in range(5):
        client.get("/mfa/verify/")
    assert len(bandwidth.inbox) == 1


def test_a_wrong_code_says_so_stays_out_and_sends_nothing(parked: Client, bandwidth: Any) -> None:
    before = dict(parked.session)
    answer = parked.post("/mfa/verify/", {"code": wrong(bandwidth.inbox[0]["code"])})
    assert answer["Location"] == "/mfa/verify/"
    assert dict(parked.session) == before
    assert "not the code we sent" in text(parked.get("/mfa/verify/"))
    assert len(bandwidth.inbox) == 1
    assert dict(parked.session) == before
    assert_shut(parked)


@pytest.mark.standard("V6.5.1", "63B-2.2.2a", "63B-3.1.3.2b", "63B-3.2.7")
@pytest.mark.attack("G3")
def test_the_same_code_in_a_second_login_stays_out(
    parked: Client, user: Any, bandwidth: Any
) -> None:
    """Fails without SpentCode."""
    code = bandwidth.inbox[0]["code"]
    parked.post("/mfa/verify/", {"code": code})
    second = Client()
    give_password(second, user)
    second.get("/mfa/verify/")
    assert "not the code we sent" in text(post_form(second, "/mfa/verify/", {"code": code}))
    assert state(second) == "parked"


MESSAGES = {
    "wrong": "not the code we sent",
    "malformed": "Enter the 6 digits of the code, like 123456.",
    "two codes": "There are several numbers here that could be the code.",
    "expired": "has expired",
    "used up": "so it no longer works",
    "waiting": "Too many wrong codes.",
    "locked": "switched off for this account",
    "down": "could not check your code",
}


@pytest.mark.slow
@pytest.mark.parametrize("case", MESSAGES)
def test_each_way_to_fail_has_its_own_message(
    parked: Client, bandwidth: Any, configure: Any, case: str
) -> None:
    code = bandwidth.inbox[0]["code"]
    typed, status = wrong(code), 200
    with time_machine.travel(Challenge.objects.get().sent_at, tick=False) as clock:
        if case == "malformed":
            typed = "12a456"
        elif case == "two codes":
            typed = f"{code} or {typed}"
        elif case == "expired":
            clock.shift(200)
        elif case == "used up":
            configure(TRIES_PER_CHALLENGE=1)
            parked.post("/mfa/verify/", {"code": typed})
        elif case == "waiting":
            configure(FAILURES_BEFORE_WAIT=1)
            parked.post("/mfa/verify/", {"code": typed})
            typed, status = code, 429
        elif case == "locked":
            configure(FAILURES_BEFORE_LOCK=1, FAILURES_BEFORE_WAIT=5)
            parked.post("/mfa/verify/", {"code": typed})
        elif case == "down":
            bandwidth.fault(on="verify", status=500)
        answer = post_form(parked, "/mfa/verify/", {"code": typed})
        page = text(answer)
    assert answer.status_code == status
    assert [name for name, message in MESSAGES.items() if message in page] == [case]
    assert ("Retry-After" in answer) == (status == 429)
    assert state(parked) in ("parked", "anonymous")


def test_the_message_can_be_pasted_as_it_came(parked: Client, bandwidth: Any) -> None:
    """Fails with a ``maxlength`` or a ``pattern`` for six digits.

    A browser would then cut or refuse the message before the site gets it.
    """
    field = re.search("<input[^>]*name=.code.[^>]*>", text(parked.get("/mfa/verify/")))
    assert field
    assert "maxlength" not in field[0]
    assert "pattern" not in field[0]
    assert 'type="text"' in field[0]
    message = bandwidth.inbox[0]
    assert message["text"] != message["code"]
    assert parked.post("/mfa/verify/", {"code": message["text"]}).status_code == 302
    assert state(parked) == "verified"


@pytest.mark.attack("N9")
def test_a_login_while_the_provider_is_down_shows_an_error_and_offers_another_try(
    client: Client, user: Any, bandwidth: Any
) -> None:
    bandwidth.fault(on="messaging", status=500)
    give_password(client, user)
    answer = client.get("/mfa/verify/")
    assert answer.status_code == 200
    assert "could not send your code" in text(answer)
    assert "Text me the code" in text(answer)
    bandwidth.clear_faults()
    client.post("/mfa/send/", {"channel": "sms"})
    answer = client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert state(client) == "verified"


def test_a_busy_site_says_so_and_takes_the_same_code_in_a_moment(
    parked: Client, bandwidth: Any, configure: Any
) -> None:
    """Fails when the page reports a full queue as an outage."""
    configure(MAX_CONCURRENT_CALLS=1, MAX_WAITING_CALLS=0)
    code = bandwidth.inbox[0]["code"]
    with provider.breaker().guard():
        answer = post_form(parked, "/mfa/verify/", {"code": code})
    assert (answer.status_code, answer["Retry-After"]) == (429, "1")
    assert "The site is busy" in text(answer)
    assert "could not check" not in text(answer)
    parked.post("/mfa/verify/", {"code": code})
    assert state(parked) == "verified"


@contextmanager
def trouble(kind: str, bandwidth: Any, configure: Any) -> Iterator[None]:
    """Return a context in which no code can be sent."""
    if kind == "busy":
        configure(MAX_CONCURRENT_CALLS=1, MAX_WAITING_CALLS=0)
        with provider.breaker().guard():
            yield
    elif kind == "breaker open":
        configure(BREAKER_FAILURES=1)
        with suppress(Unreachable), provider.breaker().guard():
            raise Unreachable("gone")
        yield
        provider.breakers.close()
    elif kind == "unreachable":
        configure(BASE_URL="http://127.0.0.1:1")
        yield
        configure(BASE_URL=bandwidth.base_url)
    elif kind == "refused":
        bandwidth.fault(on="messaging", status=503)
        yield
        bandwidth.clear_faults()
    else:
        configure(SEND_LIMITS={"site": "1/h"})
        service.send_code(make_user("somebody", OTHER_NUMBER))
        bandwidth.reset()
        yield
        configure(SEND_LIMITS={"site": ""})


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["busy", "breaker open", "unreachable", "refused", "limited"])
def test_a_code_that_was_not_sent_is_sent_once_by_a_reload(
    client: Client, user: Any, bandwidth: Any, configure: Any, kind: str
) -> None:
    """Fails when only the first GET sends the code of the login, even if that GET failed."""
    give_password(client, user)
    with trouble(kind, bandwidth, configure):
        for _ in range(2):
            assert 'role="alert"' in text(client.get("/mfa/verify/"))
        assert bandwidth.inbox == []
    for _ in range(3):
        assert client.get("/mfa/verify/").status_code == 200
    assert [message["to"] for message in bandwidth.inbox] == [NUMBER]
    client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert state(client) == "verified"


@pytest.mark.parametrize("kind", ["busy", "breaker open", "unreachable", "refused", "limited"])
def test_only_the_page_of_a_busy_site_asks_again_for_the_owed_code(
    client: Client, user: Any, bandwidth: Any, configure: Any, kind: str
) -> None:
    """Fails when the page asks again for each code that was not sent.

    A script would then call Bandwidth while it is down, and ask while a limit is reached.
    """
    give_password(client, user)
    with trouble(kind, bandwidth, configure):
        page = client.get("/mfa/verify/").content.decode()
    assert ('data-ask-again="2"' in page, "busy.js" in page) == (kind == "busy", kind == "busy")


def test_a_page_does_not_ask_again_after_a_press(
    client: Client, user: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when the page asks again: a user who asked for a call would get a text message."""
    configure(MAX_CONCURRENT_CALLS=1, MAX_WAITING_CALLS=0)
    give_password(client, user)
    with provider.breaker().guard():
        answer = post_form(client, "/mfa/send/", {"channel": "voice"})
    assert "The site is busy" in text(answer)
    assert "data-ask-again" not in answer.content.decode()


@pytest.mark.attack("S2")
def test_a_code_that_may_have_arrived_is_not_sent_again_by_a_reload(
    client: Client, user: Any, bandwidth: Any
) -> None:
    """Fails when a reload sends another code, which costs money, after a lost answer."""
    bandwidth.fault(on="messaging", drop=True, times=1)
    give_password(client, user)
    client.get("/mfa/verify/")
    with time_machine.travel(timezone.now() + timedelta(seconds=200)):
        assert "Text me a new code" in text(client.get("/mfa/verify/"))
    assert len(bandwidth.inbox) == 1


@pytest.mark.attack("S2")
def test_a_reload_after_a_failed_press_sends_nothing(parked: Client, bandwidth: Any) -> None:
    """Fails when a reload sends a code after a failed press: the login has had its first code."""
    bandwidth.fault(on="messaging", status=503, times=1)
    with time_machine.travel(timezone.now() + timedelta(seconds=200)):
        page = post_form(parked, "/mfa/send/", {"channel": "sms"})
        assert "could not send your code" in text(page)
        assert "Text me a new code" in text(parked.get("/mfa/verify/"))
    assert len(bandwidth.inbox) == 1


@pytest.mark.attack("S2")
def test_a_code_that_the_button_sent_is_not_sent_again_by_a_reload(
    client: Client, user: Any, bandwidth: Any
) -> None:
    """Fails when only a GET counts as the first send: a later reload would send another code."""
    bandwidth.fault(on="messaging", status=503, times=1)
    give_password(client, user)
    assert "could not send your code" in text(client.get("/mfa/verify/"))
    client.post("/mfa/send/", {"channel": "sms"})
    with time_machine.travel(timezone.now() + timedelta(seconds=200)):
        assert "Text me a new code" in text(client.get("/mfa/verify/"))
    assert len(bandwidth.inbox) == 1


def test_a_phone_that_was_typed_while_the_site_is_busy_can_be_typed_again(
    client: Client, newcomer: Any, bandwidth: Any, configure: Any
) -> None:
    """The form accepts the number again after the site was too busy to send its code.

    Fails when the app keeps the row of a phone that got no code.
    """
    configure(MAX_CONCURRENT_CALLS=1, MAX_WAITING_CALLS=0, REQUIRED="all")
    give_password(client, newcomer)
    with provider.breaker().guard():
        answer = client.post("/mfa/phones/add/", {"number": NUMBER})
    assert answer.status_code == 429
    assert "The site is busy" in text(answer)
    assert not Phone.objects.exists()
    assert client.post("/mfa/phones/add/", {"number": NUMBER}).status_code == 302
    assert len(bandwidth.inbox) == 1


def test_a_code_can_be_typed_when_bandwidths_answer_to_its_send_is_lost(
    client: Client, user: Any, bandwidth: Any
) -> None:
    bandwidth.fault(on="messaging", drop=True, times=1)
    give_password(client, user)
    page = text(client.get("/mfa/verify/"))
    assert 'name="code"' in page
    client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert state(client) == "verified"


# The channel that is preferred -----------------------------------------------------------------


def prefer(channel: str, number: str = NUMBER) -> None:
    Phone.objects.filter(number=number).update(channel=channel)


def buttons(answer: Any) -> list[str]:
    return re.findall(r'<button class="[^"]+" name="channel" value="(\w+)"', text(answer))


def test_the_code_of_a_login_comes_as_its_owner_prefers(
    client: Client, user: Any, bandwidth: Any
) -> None:
    """Fails when the app uses the first channel of the site."""
    prefer("voice")
    give_password(client, user)
    page = client.get("/mfa/verify/")
    assert [one["channel"] for one in bandwidth.inbox] == ["voice"]
    assert "We called your phone" in text(page)
    assert "We sent" not in text(page)
    assert buttons(page) == ["voice", "sms"]


def test_the_code_of_a_step_up_comes_as_its_owner_prefers_and_the_page_says_so_before(
    client: Client, user: Any, bandwidth: Any
) -> None:
    prefer("voice")
    login_verified(client, user)
    page = client.get("/mfa/verify/?next=/account/")
    assert "Call me with the code" in text(page)
    assert buttons(page) == ["voice", "sms"]
    client.post("/mfa/send/", {"next": "/account/"})
    assert [one["channel"] for one in bandwidth.inbox] == ["voice"]


def test_a_channel_that_is_chosen_on_the_page_goes_before_the_preferred_one(
    client: Client, user: Any, bandwidth: Any
) -> None:
    prefer("voice")
    login_verified(client, user)
    client.post("/mfa/send/", {"next": "/account/", "channel": "sms"})
    assert [one["channel"] for one in bandwidth.inbox] == ["sms"]


@pytest.mark.parametrize(
    ("preferred", "missing", "comes", "label"),
    [
        ("voice", "VOICE_APPLICATION_ID", "sms", "Text me the code"),
        ("sms", "MESSAGING_APPLICATION_ID", "voice", "Call me with the code"),
        ("", "MESSAGING_APPLICATION_ID", "voice", "Call me with the code"),
    ],
)
def test_a_preferred_channel_that_the_site_has_not_set_up_is_passed_over(
    client: Client,
    user: Any,
    bandwidth: Any,
    configure: Any,
    preferred: str,
    missing: str,
    comes: str,
    label: str,
) -> None:
    """Fails when the app uses the column unchecked: the user gets an error, and no code."""
    prefer(preferred)
    configure(**{missing: None})
    login_verified(client, user)
    page = client.get("/mfa/verify/?next=/account/")
    assert label in text(page)
    assert buttons(page) == [comes]
    client.post("/mfa/send/", {"next": "/account/"})
    assert [one["channel"] for one in bandwidth.inbox] == [comes]


@pytest.mark.django_db
def test_another_phone_gets_the_code_by_its_own_preferred_channel(
    client: Client, bandwidth: Any, configure: Any
) -> None:
    """Fails when the button names the channel of the last code."""
    configure(RESEND_COOLDOWN=[1])
    user = make_user("eve", NUMBER, OTHER_NUMBER)
    prefer("voice", OTHER_NUMBER)
    give_password(client, user)
    page = text(client.get("/mfa/verify/"))
    assert "Call my phone ending in 77" in page
    other = Phone.objects.get(number=OTHER_NUMBER).choice
    with time_machine.travel(timezone.now() + timedelta(seconds=5)):
        page = text(client.post("/mfa/send/", {"phone": other}, follow=True))
    assert "We called your phone ending in 77" in page
    assert "Text a code to my phone ending in 42" in page
    assert [(one["to"], one["channel"]) for one in bandwidth.inbox] == [
        (OTHER_NUMBER, "voice"),
        (NUMBER, "sms"),
    ]


def test_the_page_shows_the_wait_for_a_call_where_calls_are_preferred(
    client: Client, user: Any, bandwidth: Any, configure: Any
) -> None:
    """A call counts as two text messages.  Fails when the page shows the wait for a text."""
    configure(SEND_LIMITS={"user": "2/h"}, RESEND_COOLDOWN=[1])
    with time_machine.travel(timezone.now(), tick=False) as clock:
        service.send_code(user, channel="sms")
        clock.shift(300)
        login_verified(client, user)
        assert "before you get a new code" not in text(client.get("/mfa/verify/?next=/account/"))
        prefer("voice")
        page = text(client.get("/mfa/verify/?next=/account/"))
        assert "Wait 26 minutes before you get a new code." in page


# Another code ---------------------------------------------------------------------------------


@pytest.mark.attack("S1")
def test_another_code_waits_for_the_cooldown_and_says_how_long(
    parked: Client, bandwidth: Any
) -> None:
    answer = post_form(parked, "/mfa/send/", {"channel": "sms"})
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 30
    assert re.search(r"Wait \d\d seconds before you get a new code\.", text(answer))
    assert text(answer).count('role="alert"') == 1
    assert parked.get("/mfa/send/")["Location"] == "/mfa/verify/"
    assert 'name="code"' in text(answer)
    assert len(bandwidth.inbox) == 1


def test_another_code_a_call_and_another_phone(
    parked: Client, user: Any, bandwidth: Any, configure: Any
) -> None:
    configure(RESEND_COOLDOWN=[0])
    other = Phone.objects.create(
        user=user, number=OTHER_NUMBER, confirmed_at="2026-01-01T00:00:00Z"
    )
    assert "ending in 77" in text(parked.get("/mfa/verify/"))
    with time_machine.travel(Phone.objects.get(pk=other.pk).created_at, tick=True) as clock:
        clock.shift(60)
        for choice in ({"channel": "sms"}, {"channel": "voice"}, {"phone": other.pk}):
            answer = parked.post("/mfa/send/", choice)
            assert answer["Location"] == "/mfa/verify/"
        sent = [(message["channel"], message["to"]) for message in bandwidth.inbox[:3]]
        assert sent == [("sms", OTHER_NUMBER), ("voice", NUMBER), ("sms", NUMBER)]
        parked.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
    assert state(parked) == "verified"


@pytest.mark.standard("V6.6.1")
@pytest.mark.attack("P27")
@pytest.mark.parametrize("choice", ["{other}", "+12025550188", "999999", "'", "../1"])
def test_no_other_number_can_be_chosen(parked: Client, bandwidth: Any, choice: str) -> None:
    """Fails when the phone is looked up among all phones, or taken from the form."""
    others = make_user("bob", "+12025550188").bandwidth_mfa_phones.get()
    answer = post_form(parked, "/mfa/send/", {"phone": choice.format(other=others.pk)})
    assert answer.status_code == 200
    assert "no such phone" in text(answer)
    assert len(bandwidth.inbox) == 1


@pytest.mark.attack("S11")
def test_nobody_is_sent_anything_before_the_password(
    client: Client, bandwidth: Any, user: Any
) -> None:
    for page in ("verify", "send", "cancel", "phones/add", "phones/confirm"):
        answer = client.post(f"/mfa/{page}/", {"phone": "1", "number": NUMBER, "code": "123456"})
        assert answer["Location"].startswith("/accounts/login/")
        client.get(f"/mfa/{page}/")
    assert bandwidth.inbox == []


# Where it leads -------------------------------------------------------------------------------


@pytest.mark.attack("T17")
@pytest.mark.parametrize(
    "evil",
    ["//evil.example", "https://evil.example", "https:evil.example", "/\\evil.example",
     "javascript:alert(1)", "http:///evil.example", "/\t/evil.example"],
)  # fmt: skip
def test_next_never_leaves_the_site(client: Client, user: Any, bandwidth: Any, evil: str) -> None:
    """Fails when ``next`` is not checked where it is used."""
    sign_in(client, user, bandwidth)
    client.post("/mfa/send/", {"channel": "sms", "next": evil})
    data = {"code": bandwidth.inbox[0]["code"], "next": evil}
    assert client.post("/mfa/verify/", data)["Location"] == "/account/"


@pytest.mark.attack("T17")
def test_an_evil_next_of_the_login_page_is_ignored(
    client: Client, user: Any, bandwidth: Any
) -> None:
    give_password(client, user, "//evil.example")
    client.get("/accounts/login/?next=//evil.example")
    client.get("/mfa/verify/?next=//evil.example")
    answer = client.post("/mfa/verify/?next=//evil.example", {"code": bandwidth.inbox[0]["code"]})
    assert answer["Location"] == "/account/"


def test_a_verified_visitor_of_the_code_page_is_sent_on(
    client: Client, user: Any, bandwidth: Any
) -> None:
    sign_in(client, user, bandwidth)
    assert client.get("/mfa/verify/")["Location"] == "/account/"


# Step-up ---------------------------------------------------------------------------------------

STEP_UPS = ["/transfer/", "/class-transfer/"]


@pytest.mark.standard("V7.2.4", "V7.3.2", "V7.5.3")
@pytest.mark.attack("P35")
@pytest.mark.parametrize("page", STEP_UPS)
def test_step_up_asks_again_after_max_age_and_sends_only_when_asked(
    client: Client, user: Any, bandwidth: Any, page: str
) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        sign_in(client, user, bandwidth)
        assert client.get(page).status_code == 200
        clock.shift(60)
        answer = client.get(page)
        assert answer["Location"] == f"/mfa/verify/?next={page}"
        key = client.session.session_key
        shown = text(client.get(answer["Location"]))
        assert "Confirm it’s you" in shown
        assert 'name="code"' not in shown
        assert len(bandwidth.inbox) == 1
        answer = client.post("/mfa/send/", {"channel": "sms", "next": page})
        assert answer["Location"] == f"/mfa/verify/?next={page}"
        assert "confirmation" in bandwidth.inbox[0]["text"]
        answer = client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"], "next": page})
        assert answer["Location"] == page
        assert client.session.session_key != key
        assert client.get(page).status_code == 200


@pytest.mark.parametrize("page", ["/atransfer/", "/async-class-transfer/"])
def test_step_up_guards_async_views_too(user: Any, bandwidth: Any, page: str) -> None:
    from asgiref.sync import async_to_sync

    client = Client()
    sign_in(client, user, bandwidth)

    async def visit() -> tuple[int, int]:
        fresh, known = AsyncClient(), AsyncClient()
        known.cookies["sessionid"] = client.cookies["sessionid"].value
        return (await fresh.get(page)).status_code, (await known.get(page)).status_code

    assert async_to_sync(visit)() == (302, 200)


@pytest.mark.attack("P33")
def test_a_login_code_passes_no_step_up(client: Client, user: Any, bandwidth: Any) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        give_password(client, user)
        client.get("/mfa/verify/")
        old = bandwidth.inbox[0]["code"]
        clock.shift(31)
        client.post("/mfa/send/", {"channel": "sms"})
        client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
        client.post("/mfa/send/", {"channel": "sms", "next": "/transfer/"})
        answer = post_form(client, "/mfa/verify/", {"code": old, "next": "/transfer/"})
        assert answer.status_code == 200
        assert "not the code we sent" in text(answer)


def test_mfa_required_leads_each_visitor_the_right_way(
    user: Any, newcomer: Any, bandwidth: Any
) -> None:
    anonymous, parked, plain = Client(), Client(), Client()
    parked.force_login(user)
    plain.force_login(newcomer)
    assert anonymous.get("/verified/")["Location"] == "/accounts/login/?next=/verified/"
    assert parked.get("/verified/")["Location"] == "/mfa/verify/?next=/verified/"
    assert plain.get("/verified/")["Location"] == "/mfa/phones/add/?next=/verified/"


# Enrolling ------------------------------------------------------------------------------------


def enrol(
    client: Client, bandwidth: Any, number: str = "+1 (202) 555-0177", next_: str = ""
) -> Any:
    answer = client.post("/mfa/phones/add/", {"number": number, "next": next_, "channel": "sms"})
    assert answer.status_code == 302, text(answer)
    return client.post("/mfa/phones/confirm/", {"code": bandwidth.inbox[0]["code"], "next": next_})


@pytest.mark.standard("V6.3.3")
def test_a_user_who_must_have_a_phone_enrols_one_and_is_signed_in(
    client: Client, newcomer: Any, bandwidth: Any, configure: Any
) -> None:
    configure(REQUIRED="all")
    give_password(client, newcomer, "/account/")
    assert_shut(client)
    assert client.get("/mfa/verify/")["Location"] == "/mfa/phones/add/"
    assert "Add your phone" in text(client.get("/mfa/phones/add/"))
    key = client.session.session_key
    # Past the recovery codes, which come with the first phone.
    assert enrol(client, bandwidth)["Location"] == "/mfa/recovery-codes/?next=/account/"
    assert client.session.session_key != key
    assert state(client) == "verified"
    assert Phone.objects.get().is_primary


def test_a_user_without_a_phone_enrols_one_on_the_way_to_a_guarded_view(
    client: Client, newcomer: Any, bandwidth: Any
) -> None:
    give_password(client, newcomer)
    answer = enrol(client, bandwidth, next_="/transfer/")
    assert answer["Location"] == "/mfa/recovery-codes/?next=/transfer/"
    assert client.get("/transfer/").status_code == 200


@pytest.mark.attack("P11")
def test_a_parked_user_with_a_phone_cannot_enrol_another(parked: Client, bandwidth: Any) -> None:
    """Fails when the page that adds a phone does not look for confirmed phones: the password alone
    would be enough."""
    for page in ("add", "confirm"):
        for method in (parked.get, parked.post):
            answer = method(f"/mfa/phones/{page}/", {"number": OTHER_NUMBER, "code": "123456"})
            assert answer["Location"] == "/mfa/verify/"
    assert Phone.objects.count() == 1
    assert len(bandwidth.inbox) == 1


@pytest.mark.standard("V7.5.1", "63B-3.1.3.3a", "63B-4.1.2.1a")
@pytest.mark.attack("P12")
def test_adding_a_second_phone_takes_a_fresh_code(
    client: Client, user: Any, bandwidth: Any
) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        sign_in(client, user, bandwidth)
        clock.shift(301)
        answer = client.post("/mfa/phones/add/", {"number": OTHER_NUMBER})
        assert answer["Location"].startswith("/mfa/verify/?next=")
        assert Phone.objects.count() == 1


@pytest.mark.attack("P26")
def test_a_stranger_cannot_finish_an_enrolment_after_the_owner_has_enrolled(
    newcomer: Any, bandwidth: Any, configure: Any
) -> None:
    configure(REQUIRED="all", RESEND_COOLDOWN=[0])
    stranger, owner = Client(), Client()
    give_password(stranger, newcomer)
    give_password(owner, newcomer)
    stranger.post("/mfa/phones/add/", {"number": OTHER_NUMBER})
    strangers_code = bandwidth.inbox[0]["code"]
    enrol(owner, bandwidth, NUMBER)
    answer = stranger.post("/mfa/phones/confirm/", {"code": strangers_code})
    assert answer["Location"] == "/mfa/verify/"
    assert state(stranger) == "parked"
    assert [phone.number for phone in Phone.objects.all()] == [NUMBER]


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("202 555 0177", "country code"),
        ("+1 900 555 0123", "number"),
        ("+٤٤٢٠٧١٢٣٤", "number"),
        ("+1555", "number"),
        ("", "Enter your phone number"),
    ],
)
def test_a_number_that_cannot_be_used_is_refused_and_stays_in_the_field(
    client: Client, newcomer: Any, bandwidth: Any, number: str, message: str
) -> None:
    give_password(client, newcomer)
    answer = client.post("/mfa/phones/add/", {"number": number})
    assert answer.status_code == 200
    assert message in text(answer)
    assert f'value="{number}"' in text(answer) or not number
    assert bandwidth.inbox == []
    assert not Phone.objects.exists()


def test_the_confirm_page_sends_another_code_and_keeps_to_the_limits(
    client: Client, newcomer: Any, bandwidth: Any
) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        give_password(client, newcomer)
        assert client.get("/mfa/phones/confirm/")["Location"] == "/mfa/phones/add/"
        client.post("/mfa/phones/add/", {"number": OTHER_NUMBER})
        page = text(client.get("/mfa/phones/confirm/"))
        assert "ending in 77" in page
        assert len(bandwidth.inbox) == 1
        refused = post_form(client, "/mfa/phones/add/", {"resend": "voice"})
        assert refused.status_code == 429
        assert len(bandwidth.inbox) == 1
        clock.shift(30)
        answer = client.post("/mfa/phones/add/", {"resend": "voice"})
        assert answer["Location"] == "/mfa/phones/confirm/"
        assert bandwidth.inbox[0]["channel"] == "voice"
        client.post("/mfa/phones/confirm/", {"code": bandwidth.inbox[0]["code"]})
    assert Phone.objects.get().confirmed_at is not None


# With transactions around every view -------------------------------------------------------------


@pytest.mark.attack("G11")
@pytest.mark.django_db(transaction=True)
def test_atomic_requests_rolls_no_count_back(bandwidth: Any, settings: Any) -> None:
    """Fails when the views are not non_atomic_requests: counting raises instead of counting."""
    from django.db import connection

    user = make_user("ada", NUMBER)
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    try:
        client = Client()
        give_password(client, user)
        assert_shut(client)
        client.get("/mfa/verify/")
        client.post("/mfa/verify/", {"code": wrong(bandwidth.inbox[0]["code"])})
        assert user.bandwidth_mfa_challenges.get().tries == 1
        client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
        assert state(client) == "verified"
        assert PARKED not in client.session
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = False


def test_a_wrong_code_is_told_to_lockout_apps_without_the_code(
    parked: Client, bandwidth: Any
) -> None:
    from django.contrib.auth.signals import user_login_failed

    heard: list[dict[str, str]] = []

    def hear(credentials: dict[str, str], **kwargs: Any) -> None:
        heard.append(credentials)

    user_login_failed.connect(hear)
    try:
        parked.post("/mfa/verify/", {"code": wrong(bandwidth.inbox[0]["code"])})
    finally:
        user_login_failed.disconnect(hear)
    assert heard == [{"username": "ada", "token": "********"}]
    assert PASSWORD not in repr(heard)


# What a page never tells --------------------------------------------------------------------------


@pytest.mark.attack("P37", "T15")
def test_no_page_can_be_framed_and_none_tells_other_sites_where_it_was(parked: Client) -> None:
    answer = parked.get("/mfa/verify/")
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "same-origin"


@pytest.fixture
def reports_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile the templates of error reports once: Django compiles them for each report."""
    monkeypatch.setattr(DEBUG_ENGINE, "from_string", cache(DEBUG_ENGINE.from_string))


@pytest.mark.slow
@pytest.mark.attack("T9")
@pytest.mark.usefixtures("reports_compiled_once")
@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("page", ["verify", "recovery-code", "phones/add"])
def test_an_error_report_shows_no_code_no_number_and_no_credential(
    db: None, bandwidth: Any, settings: Any, debug: bool, page: str
) -> None:
    """Fails when error reports show variables.

    With ``DEBUG`` Django masks nothing, and its own frames hold the parameters of each query.
    """
    settings.DEBUG = debug
    user = make_user("ada", *([NUMBER] if page != "phones/add" else []))
    if page == "phones/add":
        settings.BANDWIDTH_MFA = {**settings.BANDWIDTH_MFA, "REQUIRED": "all"}
    client = Client(raise_request_exception=False)
    give_password(client, user)
    client.get("/mfa/verify/")
    code = bandwidth.inbox[0]["code"] if bandwidth.inbox else "918273"
    form = {"code": code, "recovery_code": "7KQ2-M9XD-4TBN", "number": NUMBER}
    reports = 0
    for fail_at in range(1, 60):
        report = fail_at_query(fail_at, lambda: client.post(f"/mfa/{page}/", form))
        if report is None:
            break
        reports += 1
        assert not shows(report, code)
        for secret in ("7KQ2-M9XD-4TBN", "M9XD4TBN", NUMBER, NUMBER[2:], "sim-secret", "Bearer "):
            assert secret not in report, secret
    assert reports > 3


def fail_at_query(number: int, work: Any) -> str | None:
    """Return the error reports, in HTML and in plain text, of a request whose query fails.

    :param number: the index of the query that fails.
    :return: None if the request has fewer queries.
    """
    from django.core.signals import got_request_exception
    from django.db import connection
    from django.views.debug import ExceptionReporter

    texts: list[str] = []
    queries = 0

    def fail(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        nonlocal queries
        queries += 1
        if queries == number:
            raise LookupError("a bug")
        return execute(sql, params, many, context)

    def report(request: Any, **kwargs: Any) -> None:
        import sys

        reporter = ExceptionReporter(request, *sys.exc_info())
        # Both reports show the same frames.
        reporter.get_traceback_data = cache(reporter.get_traceback_data)
        texts.append(reporter.get_traceback_text())
        if not settings.DEBUG:
            texts.append(reporter.get_traceback_html())

    got_request_exception.connect(report)
    try:
        with connection.execute_wrapper(fail):
            answer = work()
    finally:
        got_request_exception.disconnect(report)
    if not texts:
        return None
    if settings.DEBUG:  # the answer is the report in HTML
        texts.append(answer.content.decode())
    assert all("LookupError" in one for one in texts)
    assert '<pre class="exception_value">a bug</pre>' in texts[1]
    return "\n".join(texts)


@pytest.mark.attack("T3")
def test_enrolling_the_number_of_another_user_gets_the_usual_answer(
    newcomer: Any, user: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when a number must be unique among all users: the page would say who is a customer."""
    configure(REQUIRED="all", RESEND_COOLDOWN=[0])
    client = Client()
    give_password(client, newcomer)
    answers = []
    for number in (NUMBER, OTHER_NUMBER):
        answer = client.post("/mfa/phones/add/", {"number": number})
        shown = text(client.get("/mfa/phones/confirm/")).replace(number[-2:], "NN")
        answers.append((answer.status_code, answer["Location"], len(shown)))
    assert answers[0] == answers[1]


@pytest.mark.standard("V6.3.8")
@pytest.mark.attack("T1")
def test_a_wrong_password_gets_the_same_answer_with_and_without_a_phone(
    user: Any, newcomer: Any, bandwidth: Any
) -> None:
    """Fails when the app uses the user's phones before the password is right."""
    pages = set()
    for username in ("ada", "newcomer", "nobody"):
        answer = Client().post("/accounts/login/", {"username": username, "password": "wrong"})
        page = re.sub('value="[^"]*"', "", text(answer))  # the name, and the CSRF token
        pages.add((answer.status_code, page))
    assert len(pages) == 1
    assert bandwidth.requests == []


@pytest.mark.attack("T2")
def test_the_password_is_answered_before_bandwidth_is_asked(
    client: Client, user: Any, bandwidth: Any
) -> None:
    """Fails when the receiver of Django's login signal sends the code.

    The response time would show who has a phone, and the login page would wait while Bandwidth does
    not answer.
    """
    give_password(client, user)
    assert bandwidth.requests == []


@pytest.mark.slow
@pytest.mark.attack("S11")
def test_a_visitor_without_the_password_changes_no_counter(
    client: Client, user: Any, bandwidth: Any
) -> None:
    """Fails when an anonymous visitor can lock a user out by sending forms to the app's pages."""
    from django_bandwidth_mfa.models import Counter

    for _ in range(30):
        client.post("/accounts/login/", {"username": "ada", "password": "wrong"})
        client.post("/mfa/verify/", {"code": "123456"})
        client.post("/mfa/send/", {"channel": "sms"})
        client.post("/mfa/recovery-code/", {"recovery_code": "7KQ2-M9XD-4TBN"})
        client.post("/mfa/phones/add/", {"number": OTHER_NUMBER})
    assert not Counter.objects.exists()
    assert bandwidth.requests == []


@pytest.mark.attack("P28")
def test_another_users_code_lets_nobody_in(parked: Client, bandwidth: Any) -> None:
    """Fails when the browser can choose whose challenge it answers."""
    other = make_user("bob", OTHER_NUMBER)
    theirs = Client()
    give_password(theirs, other)
    theirs.get("/mfa/verify/")
    code = bandwidth.inbox[0]["code"]
    challenge = str(Challenge.objects.get(user=other).pk)
    for extra in ({}, {"challenge": challenge}, {"user": str(other.pk)}, {"phone": OTHER_NUMBER}):
        parked.post("/mfa/verify/", {"code": code, **extra})
        assert_shut(parked)
    theirs.post("/mfa/verify/", {"code": code})
    assert state(theirs) == "verified"


@pytest.mark.attack("T5")
def test_no_answer_holds_a_code(parked: Client, bandwidth: Any) -> None:
    """Fails when the field shows the typed code again."""
    right, typed = bandwidth.inbox[0]["code"], wrong(bandwidth.inbox[0]["code"])
    answers = [parked.get("/mfa/verify/"), parked.post("/mfa/verify/", {"code": typed})]
    answers.append(parked.get("/mfa/verify/"))
    bandwidth.fault(on="verify", status=500, body=f'{{"error": "{right}"}}')
    answers.append(parked.post("/mfa/verify/", {"code": right}))
    answers.append(parked.get("/mfa/verify/"))
    for answer in answers:
        held = answer.content.decode() + str(answer.headers) + str(answer.cookies)
        assert right not in held
        assert typed not in held


@pytest.mark.attack("S8")
def test_recovery_codes_work_when_the_send_limit_of_the_site_is_reached(
    client: Client, user: Any, bandwidth: Any, configure: Any
) -> None:
    configure(SEND_LIMITS={"site": "1/h"})
    service.send_code(make_user("bob", OTHER_NUMBER))
    codes = give_recovery_codes(user)
    give_password(client, user)
    answer = client.get("/mfa/verify/")
    assert answer.status_code == 429
    assert "Use a recovery code" in text(answer)
    client.post("/mfa/recovery-code/", {"recovery_code": codes[0]})
    assert state(client) == "verified"


def test_lockout_apps_get_a_stable_sender_name_with_a_wrong_code(
    client: Client, user: Any, bandwidth: Any
) -> None:
    """Fails when the sender is the name of an internal module: audit apps store it."""
    senders = []

    def hear(sender: Any, **kwargs: Any) -> None:
        senders.append(sender)

    give_password(client, user)
    client.get("/mfa/verify/")
    user_login_failed.connect(hear)
    try:
        client.post("/mfa/verify/", {"code": wrong(bandwidth.inbox[0]["code"])})
    finally:
        user_login_failed.disconnect(hear)
    assert senders == ["django_bandwidth_mfa.flows"]
