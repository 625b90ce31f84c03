"""The code pages: each state, the page after a form, waiting times, and outdated forms."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone, translation
from django.utils.formats import date_format

from django_bandwidth_mfa import service
from django_bandwidth_mfa.api import base as api
from django_bandwidth_mfa.internal.codes import delivery, provider
from django_bandwidth_mfa.internal.flows.code_page import State
from django_bandwidth_mfa.internal.login.outcomes import COOKIE
from django_bandwidth_mfa.models import Challenge, Phone, SecondFactor
from django_bandwidth_mfa.testing import login_verified
from django_bandwidth_mfa.views import base
from tests.browsing import (
    assert_shut,
    give_password,
    let_in,
    page_state,
    post_form,
    sign_in,
    state,
    wrong,
)
from tests.conftest import (
    NUMBER,
    OTHER_NUMBER,
    WRONG_RECOVERY_CODE,
    give_recovery_codes,
    make_user,
)

pytestmark = pytest.mark.slow

VERIFY, SEND, RECOVER = "/mfa/verify/", "/mfa/send/", "/mfa/recovery-code/"
ADD = "/mfa/phones/add/"


@pytest.fixture
def parked(client: Client, user: Any, bandwidth: Any) -> Client:
    """A browser on the code page, whose code is in ``bandwidth.inbox``."""
    give_password(client, user, "/account/")
    client.get(VERIFY)
    return client


@pytest.fixture
def patient(client: Client, user: Any, bandwidth: Any, configure: Any) -> Client:
    """A browser on the code page of a site where another code can be sent at once."""
    configure(RESEND_COOLDOWN=[0])
    give_password(client, user, "/account/")
    client.get(VERIFY)
    return client


def text(answer: Any) -> str:
    """Return the content of the page with single spaces and without HTML entities."""
    return html.unescape(" ".join(answer.text.split()))


def has_field(answer: Any) -> bool:
    return 'name="code"' in answer.text


def send_form(answer: Any) -> str:
    [form] = re.findall(r'<form class="mfa-send".*?</form>', text(answer))
    return str(form)


def waits(answer: Any) -> list[int]:
    return [int(seconds) for seconds in re.findall(r'data-wait="(\d+)"', answer.text)]


def newest_code(bandwidth: Any) -> str:
    code: str = bandwidth.inbox[0]["code"]
    return code


def type_wrong(client: Client, bandwidth: Any, times: int = 1) -> Any:
    for _ in range(times):
        answer = post_form(client, VERIFY, {"code": wrong(newest_code(bandwidth))})
    return answer


# States ------------------------------------------------------------------------------------------


def test_sent(parked: Client) -> None:
    page = parked.get(VERIFY)
    assert page_state(page) == State.SENT
    assert "We sent a 6-digit code to your phone ending in 42." in text(page)
    assert "It works for 3 minutes after we sent it." in text(page)
    assert has_field(page)


def test_sent_in_spanish(parked: Client) -> None:
    with translation.override("es"):
        page = text(parked.get(VERIFY))
    assert "Hemos enviado un código de 6 dígitos a su teléfono terminado en 42." in page
    assert "Sirve durante 3 minutos desde que lo enviamos." in page
    assert "antes de pedir un código nuevo." in page


def test_called(client: Client, user: Any, bandwidth: Any) -> None:
    Phone.objects.update(channel="voice")
    give_password(client, user)
    page = client.get(VERIFY)
    assert page_state(page) == State.SENT
    assert "We called your phone ending in 42 to read you a 6-digit code." in text(page)


def test_maybe_sent_is_still_shown_after_a_reload(
    client: Client, user: Any, bandwidth: Any
) -> None:
    """Fails when the state is stored only in the first answer, so that a reload loses it."""
    bandwidth.fault(on="messaging", drop=True, times=1)
    give_password(client, user)
    for _ in range(2):
        page = client.get(VERIFY)
        assert page_state(page) == State.MAYBE_SENT
        assert "We are not sure that your code was sent to your phone ending in 42." in text(page)
        assert "We sent" not in text(page)
        assert has_field(page)
        assert page.status_code == 200
    assert len(bandwidth.inbox) == 1


@pytest.mark.parametrize(
    ("outcome", "expected"), [("delivered", State.DELIVERED), ("failed", State.REFUSED_BY_CARRIER)]
)
def test_the_page_shows_what_the_receipt_says(
    parked: Client, configure: Any, outcome: str, expected: State
) -> None:
    configure(RECEIPT_SECRET="0123456789abcdef0123")
    Challenge.objects.update(delivery=outcome)
    page = parked.get(VERIFY)
    assert page_state(page) == expected
    assert has_field(page)
    # The part of the page that the script loads has the same text.
    part = Client().get(delivery.address_of(Challenge.objects.get()))
    [shown] = re.findall(r"<div id=.bandwidth-mfa-delivery.*?</div>", text(page))
    assert shown in text(part)
    if outcome == "failed":
        assert "We sent" not in text(page)
        assert text(page).index("Call me with a new code") < text(page).index('name="code"')
    else:
        assert "Your phone network has the message." in text(page)


TEMPLATE = re.compile(r"<template data-if-refused>\s*(.*?)\s*</template>")


def without_times(page: str) -> str:
    """Return ``page`` without the numbers and the CSRF token, which change between requests."""
    return re.sub(r'(?<=csrfmiddlewaretoken" value=")\w+|\d+', "0", page)


@pytest.mark.parametrize("cooldown", [[0], [30, 60]])
def test_a_page_that_waits_for_a_receipt_holds_the_buttons_of_a_refusal(
    client: Client, user: Any, bandwidth: Any, configure: Any, cooldown: list[int]
) -> None:
    """The script shows these buttons when the network refuses the message.

    Fails when they differ from the buttons that the page shows after a reload.
    """
    configure(RECEIPT_SECRET="0123456789abcdef0123", RESEND_COOLDOWN=cooldown)
    bandwidth.fault(on="receipt", drop=True)
    give_password(client, user, "/account/")
    page = text(client.get(VERIFY))
    [held] = TEMPLATE.findall(page)
    Challenge.objects.update(delivery="failed", delivery_error=4432)
    page = client.get(VERIFY)
    assert without_times(held) == without_times(send_form(page))
    assert held.index("Call me with a new code") < held.index("Text me a new code")
    assert not TEMPLATE.findall(text(page))


def test_the_buttons_of_a_refusal_show_no_error_of_an_earlier_press(
    client: Client, user: Any, bandwidth: Any, configure: Any
) -> None:
    configure(RECEIPT_SECRET="0123456789abcdef0123", RESEND_COOLDOWN=[0])
    bandwidth.fault(on="receipt", drop=True)
    give_password(client, user, "/account/")
    client.get(VERIFY)
    bandwidth.fault(on="messaging", status=503)
    page = text(post_form(client, SEND, {"channel": "sms"}))
    [held] = TEMPLATE.findall(page)
    assert "We could not send your code." in TEMPLATE.sub("", page)
    assert "We could not send your code." not in held


def described_by(answer: Any) -> list[str]:
    """Return the ids in ``aria-describedby`` of the field; each id is on the page once."""
    [attribute] = re.findall(r'<input[^>]*aria-describedby="([^"]+)"', answer.text)
    ids: list[str] = attribute.split()
    for one in ids:
        assert answer.text.count(f'id="{one}"') == 1, one
    return ids


def test_the_field_is_described_by_where_the_code_went(
    parked: Client, bandwidth: Any, configure: Any
) -> None:
    """A screen reader begins at the field, which has the focus.  Fails when it says only "Code"."""
    assert described_by(parked.get(VERIFY)) == ["bandwidth-mfa-delivery"]
    wrong_page = type_wrong(parked, bandwidth)
    assert described_by(wrong_page) == ["id_code_error", "bandwidth-mfa-delivery"]
    configure(FAILURES_BEFORE_WAIT=1)
    waiting = type_wrong(parked, bandwidth)
    assert page_state(waiting) == State.WAITING
    assert described_by(waiting) == ["bandwidth-mfa-introduction"]


def test_the_field_of_a_recovery_code_is_described_by_the_introduction(
    parked: Client, user: Any
) -> None:
    give_recovery_codes(user)
    assert described_by(parked.get(RECOVER)) == ["bandwidth-mfa-introduction"]
    page = post_form(parked, RECOVER, {"recovery_code": WRONG_RECOVERY_CODE})
    assert described_by(page) == ["id_recovery_code_error", "bandwidth-mfa-introduction"]


def test_wrong_says_how_many_tries_are_left_towards_the_end(
    parked: Client, bandwidth: Any, configure: Any
) -> None:
    configure(FAILURES_BEFORE_WAIT=50)
    sentences = []
    for _ in range(4):
        page = type_wrong(parked, bandwidth)
        assert page_state(page) == State.WRONG
        assert "That is not the code we sent. Check it and try again." in text(page)
        sentences += [re.findall(r"You have \d \w+ left for this code", text(page))]
    assert sentences == [
        [],
        [],
        ["You have 2 tries left for this code"],
        ["You have 1 try left for this code"],
    ]


def test_a_used_up_code_has_no_field(parked: Client, bandwidth: Any, configure: Any) -> None:
    """Fails when the answer to the last try says "Check it and try again"."""
    configure(FAILURES_BEFORE_WAIT=50)
    page = type_wrong(parked, bandwidth, 5)
    for answer in (page, parked.get(VERIFY)):
        assert page_state(answer) == State.USED_UP
        assert "This code was tried 5 times, so it no longer works. Get a new one." in text(answer)
        assert "Check it and try again" not in text(answer)
        assert not has_field(answer)
        assert "Text me a new code" in text(answer)


def test_an_expired_code_has_no_field(parked: Client, bandwidth: Any) -> None:
    code = newest_code(bandwidth)
    with time_machine.travel(timezone.now() + timedelta(seconds=200)):
        page = post_form(parked, VERIFY, {"code": code})
        assert page_state(page) == State.EXPIRED
        assert "This code has expired. Get a new one." in text(page)
        assert not has_field(page)
        assert page_state(parked.get(VERIFY)) == State.EXPIRED
    assert len(bandwidth.inbox) == 1


def test_a_wait_longer_than_the_life_of_the_code_removes_the_field(
    parked: Client, bandwidth: Any, configure: Any
) -> None:
    configure(FAILURES_BEFORE_WAIT=1, FAILURE_WAIT_MIN=600)
    type_wrong(parked, bandwidth)
    page = post_form(parked, VERIFY, {"code": newest_code(bandwidth)})
    assert page_state(page) == State.WAITING
    assert page.status_code == 429
    assert 590 < int(page["Retry-After"]) <= 600
    assert "Too many wrong codes." in text(page)
    assert "Wait 11 minutes before you try again.</span> You need a new code then." in text(page)
    assert not has_field(page)
    # A code that is sent now would expire before the wait ends.
    assert min(waits(page)) > 590
    again = parked.get(VERIFY)
    assert page_state(again) == State.WAITING
    assert again.status_code == 200


def test_a_wait_shorter_than_the_life_of_the_code_keeps_the_field(
    parked: Client, bandwidth: Any, configure: Any
) -> None:
    configure(FAILURES_BEFORE_WAIT=1, FAILURE_WAIT_MIN=30)
    page = type_wrong(parked, bandwidth)
    assert page_state(page) == State.WAITING
    assert "You need a new code then." not in text(page)
    assert has_field(page)
    named = waits(page)[0]
    with time_machine.travel(timezone.now() + timedelta(seconds=named)):
        parked.post(VERIFY, {"code": newest_code(bandwidth)})
    assert state(parked) == "verified"


def test_no_more_sends(client: Client, user: Any, bandwidth: Any, configure: Any) -> None:
    configure(SEND_LIMITS={"site": "1/h"})
    service.send_code(make_user("somebody", OTHER_NUMBER))
    give_password(client, user)
    page = client.get(VERIFY)
    assert page_state(page) == State.NO_MORE_SENDS
    assert (page.status_code, int(page["Retry-After"]) > 3000) == (429, True)
    assert "This site cannot send more codes at this moment. It is not your fault." in text(page)
    assert "Wait 61 minutes before you get a new code." in text(page)
    assert not has_field(page)


def test_a_limit_with_a_code_in_hand_says_that_the_code_still_works(
    client: Client, user: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when a user with a valid code reads only that they have to wait for an hour."""
    configure(SEND_LIMITS={"user": "1/h"}, RESEND_COOLDOWN=[0])
    give_password(client, user)
    client.get(VERIFY)
    parked = client
    page = post_form(parked, SEND, {"channel": "sms"})
    assert page.status_code == 429
    assert page_state(page) == State.SENT
    assert "We sent a 6-digit code" in text(page)
    assert "It works for 3 minutes" in text(page)
    assert has_field(page)
    assert "You have asked for too many codes." in send_form(page)
    assert "Wait 61 minutes before you get a new code." in send_form(page)
    parked.post(VERIFY, {"code": newest_code(bandwidth)})
    assert state(parked) == "verified"


@pytest.mark.parametrize("what", ["try", "send"])
def test_busy(patient: Client, bandwidth: Any, configure: Any, what: str) -> None:
    parked = patient
    configure(MAX_CONCURRENT_CALLS=1, MAX_WAITING_CALLS=0)
    with provider.breaker().guard():
        if what == "try":
            page = post_form(parked, VERIFY, {"code": newest_code(bandwidth)})
        else:
            page = post_form(parked, SEND, {"channel": "sms"})
    assert page_state(page) == State.BUSY
    assert (page.status_code, page["Retry-After"]) == (429, "1")
    assert ("so your code was not checked" in text(page)) == (what == "try")
    assert ("so no code was sent" in send_form(page)) == (what == "send")
    assert has_field(page)


@pytest.mark.parametrize("what", ["try", "send"])
def test_provider_down(patient: Client, bandwidth: Any, what: str) -> None:
    parked = patient
    bandwidth.fault(on="all", status=503)
    if what == "try":
        page = post_form(parked, VERIFY, {"code": newest_code(bandwidth)})
        assert "We could not check your code. Enter the same code again." in text(page)
    else:
        page = post_form(parked, SEND, {"channel": "sms"})
        assert "We could not send your code." in send_form(page)
    assert page_state(page) == State.PROVIDER_DOWN
    assert has_field(page)
    bandwidth.clear_faults()
    parked.post(VERIFY, {"code": newest_code(bandwidth)})
    assert state(parked) == "verified"


def test_an_error_names_another_way_only_if_there_is_a_button_for_it(
    client: Client, user: Any, bandwidth: Any, configure: Any
) -> None:
    """Before, the page said "get it in another way" also when the button for a call was left out,
    because a call would have to wait longer."""
    configure(SEND_LIMITS={"user": "3/h"}, RESEND_COOLDOWN=[0], CALL_WEIGHT=3)
    give_password(client, user)
    client.get(VERIFY)
    bandwidth.fault(on="messaging", status=503)
    form = send_form(post_form(client, SEND, {"channel": "sms"}))
    assert 'value="voice"' not in form
    assert "We could not send your code. Try again in a moment." in form
    configure(SEND_LIMITS={"user": "9/h"})
    form = send_form(post_form(client, SEND, {"channel": "sms"}))
    assert 'value="voice"' in form
    assert "We could not send your code. Try again, or get it in another way." in form


def test_a_refused_message_leads_to_a_button_for_a_call(
    client: Client, user: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when the button for a call is left out because of its longer wait: the page says to get
    the code by phone call."""
    configure(SEND_LIMITS={"user": "3/h"}, RESEND_COOLDOWN=[0], CALL_WEIGHT=3)
    give_password(client, user)
    client.get(VERIFY)
    Challenge.objects.update(delivery="failed", delivery_error=4750)
    page = client.get(VERIFY)
    assert "Get the code by phone call instead." in text(page)
    assert 'value="voice"' in send_form(page)


def test_provider_down_before_the_first_code(client: Client, user: Any, bandwidth: Any) -> None:
    bandwidth.fault(on="messaging", status=503)
    give_password(client, user)
    page = client.get(VERIFY)
    assert page_state(page) == State.PROVIDER_DOWN
    assert "We could not send your code. Try again, or get it in another way." in send_form(page)
    assert not has_field(page)
    assert "We sent" not in text(page)


def test_a_failed_press_sends_one_request_to_bandwidth(
    client: Client, user: Any, bandwidth: Any
) -> None:
    """A press of the button sends one request to Bandwidth, also when that request fails.

    Fails when the page after the redirect sends the code that the login has not got yet: the user
    would wait twice while Bandwidth does not answer.
    """
    bandwidth.fault(on="messaging", status=503)
    give_password(client, user)
    client.get(VERIFY)
    before = len(bandwidth.requests)
    post_form(client, SEND, {"channel": "sms"})
    assert len(bandwidth.requests) == before + 1


@pytest.mark.parametrize("has_codes", [True, False])
def test_a_locked_user_reads_so_at_once_and_gets_no_code(
    client: Client, user: Any, bandwidth: Any, configure: Any, has_codes: bool
) -> None:
    configure(SUPPORT={"name": "Harbour help desk", "address": "mailto:help@bank.example"})
    SecondFactor.objects.create(user=user, failures=100)
    if has_codes:
        give_recovery_codes(user)
    give_password(client, user)
    page = client.get(VERIFY)
    assert page_state(page) == State.LOCKED
    assert bandwidth.requests == []
    assert "Codes by phone are switched off for this account" in text(page)
    assert not has_field(page)
    assert "mfa-send" not in text(page)
    assert ("Use a recovery code" in text(page)) == has_codes
    assert 'href="mailto:help@bank.example">Contact Harbour help desk</a>' in text(page)


def test_locked_while_a_code_is_in_hand(parked: Client, bandwidth: Any, configure: Any) -> None:
    configure(FAILURES_BEFORE_LOCK=1)
    page = type_wrong(parked, bandwidth)
    for answer in (page, parked.get(VERIFY)):
        assert page_state(answer) == State.LOCKED
        assert "Contact support" in text(answer)
        assert "mailto:" not in text(answer)
        assert not has_field(answer)


@pytest.mark.parametrize("has_codes", [True, False])
def test_a_locked_user_is_told_before_a_number_is_typed(
    client: Client, newcomer: Any, bandwidth: Any, has_codes: bool
) -> None:
    """Fails when the page asks for a number that no code will be sent to."""
    SecondFactor.objects.create(user=newcomer, failures=100)
    codes = give_recovery_codes(newcomer) if has_codes else []
    give_password(client, newcomer)
    page = client.get(ADD)
    assert page_state(page) == State.LOCKED
    assert "Codes by phone are switched off for this account" in text(page)
    assert 'name="number"' not in text(page)
    assert "mfa-send" not in text(page)
    assert ("Use a recovery code" in text(page)) == has_codes
    assert "Contact support" in text(page)
    if has_codes:
        client.post(RECOVER, {"recovery_code": codes[0]})
        assert 'name="number"' in text(client.get(ADD))


def test_a_user_who_is_locked_meanwhile_is_told_so_and_leaves_no_phone(
    client: Client, newcomer: Any, bandwidth: Any
) -> None:
    """Fails when the app keeps a phone to which it sent no code."""
    give_password(client, newcomer)
    assert 'name="number"' in text(client.get(ADD))
    SecondFactor.objects.create(user=newcomer, failures=100)
    page = post_form(client, ADD, {"number": OTHER_NUMBER, "channel": "sms"})
    assert page_state(page) == State.LOCKED
    assert bandwidth.requests == []
    assert not Phone.objects.exists()


def test_nothing_sent(client: Client, user: Any, bandwidth: Any) -> None:
    login_verified(client, user)
    page = client.get(f"{VERIFY}?next=/account/")
    assert page_state(page) == State.NOTHING_SENT
    assert "To continue, get a code on your phone ending in 42." in text(page)
    assert "Confirm it’s you" in text(page)
    assert not has_field(page)


def test_an_old_code_is_not_shown_as_expired(client: Client, user: Any, bandwidth: Any) -> None:
    service.send_code(user, purpose="step-up")
    login_verified(client, user)
    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        let_in(client, user)
        assert page_state(client.get(f"{VERIFY}?next=/account/")) == State.NOTHING_SENT


def test_an_error_of_an_earlier_login_is_not_shown_after_the_next_login(
    patient: Client, user: Any, bandwidth: Any
) -> None:
    """Fails when the cookie names only the user, and not the login.

    The first page of the next login would then show the error of the earlier login, and would not
    send the first code.
    """
    Challenge.objects.all().delete()
    bandwidth.fault(on="messaging", status=503)
    patient.post(SEND, {"channel": "sms"})
    bandwidth.clear_faults()
    post_form(patient, "/mfa/cancel/", {})
    give_password(patient, user, "/account/")
    page = patient.get(VERIFY)
    assert page_state(page) == State.SENT
    assert "We could not send your code." not in text(page)
    assert len(bandwidth.inbox) == 2


# A wait that is over ---------------------------------------------------------------------------


def test_a_refused_try_is_shown_also_when_its_wait_is_over(
    parked: Client, bandwidth: Any, configure: Any
) -> None:
    """Fails when the page says nothing, as if no code had been typed."""
    configure(FAILURES_BEFORE_WAIT=1, FAILURE_WAIT_MIN=30)
    type_wrong(parked, bandwidth)
    parked.post(VERIFY, {"code": newest_code(bandwidth)})
    with time_machine.travel(timezone.now() + timedelta(seconds=31)):
        page = parked.get(VERIFY)
    assert has_field(page)
    assert "Too many wrong codes. You can try again now." in text(page)
    assert "<title>Error: " in text(page)


def test_a_refused_send_is_shown_also_when_its_wait_is_over(parked: Client) -> None:
    """Fails when the page says nothing, as if a code had been sent."""
    parked.post(SEND, {"channel": "sms"})
    with time_machine.travel(timezone.now() + timedelta(seconds=31)):
        page = parked.get(VERIFY)
    assert 'role="alert">You can get a new code now.<' in send_form(page)
    assert "<title>Error: " in text(page)
    assert "<title>Error: " not in text(parked.get(VERIFY))


def test_a_refused_call_is_explained_when_a_text_can_still_be_sent(
    patient: Client, bandwidth: Any, configure: Any
) -> None:
    """Fails when the page removes the button for a call and does not say why."""
    configure(SEND_LIMITS={"user": "2/h"}, RESEND_COOLDOWN=[0])
    page = post_form(patient, SEND, {"channel": "voice"})
    assert len(bandwidth.inbox) == 1
    message = "You have asked for too many codes. You can get a new code now."
    assert message in send_form(page)
    assert "Call me" not in send_form(page)


def test_a_refused_recovery_code_is_shown_also_when_its_wait_is_over(
    parked: Client, user: Any, configure: Any
) -> None:
    """Fails when the page says nothing, as if no code had been typed."""
    configure(FAILURES_BEFORE_WAIT=1, FAILURE_WAIT_MIN=30)
    codes = give_recovery_codes(user)
    parked.post(RECOVER, {"recovery_code": WRONG_RECOVERY_CODE})
    parked.post(RECOVER, {"recovery_code": codes[0]})
    with time_machine.travel(timezone.now() + timedelta(seconds=31)):
        page = parked.get(RECOVER)
    assert page_state(page) == "wrong"
    assert "Too many wrong recovery codes. You can try again now." in text(page)


# The recovery code page --------------------------------------------------------------------------


def test_a_wrong_recovery_code(parked: Client, user: Any) -> None:
    give_recovery_codes(user)
    assert page_state(parked.get(RECOVER)) == "ready"
    page = post_form(parked, RECOVER, {"recovery_code": WRONG_RECOVERY_CODE})
    assert page_state(page) == "wrong"
    assert "That recovery code is wrong or already used." in text(page)
    assert "That recovery code" not in text(parked.get(RECOVER))
    page = post_form(parked, RECOVER, {"recovery_code": "12"})
    assert "A recovery code has 12 letters and digits" in text(page)
    assert_shut(parked)


def test_too_many_wrong_recovery_codes(parked: Client, user: Any, configure: Any) -> None:
    configure(FAILURES_BEFORE_WAIT=1)
    codes = give_recovery_codes(user)
    post_form(parked, RECOVER, {"recovery_code": WRONG_RECOVERY_CODE})
    page = post_form(parked, RECOVER, {"recovery_code": codes[0]})
    assert page_state(page) == "waiting"
    assert (page.status_code, 0 < int(page["Retry-After"]) <= 30) == (429, True)
    assert "Too many wrong recovery codes." in text(page)
    with time_machine.travel(timezone.now() + timedelta(seconds=max(waits(page)))):
        parked.post(RECOVER, {"recovery_code": codes[0]})
    assert state(parked) == "verified"


def test_a_user_without_recovery_codes_is_told_whom_to_ask(parked: Client) -> None:
    page = parked.get(RECOVER)
    assert page_state(page) == "none-left"
    assert 'name="recovery_code"' not in text(page)
    assert "Contact support" in text(page)


# After a form ------------------------------------------------------------------------------------


@pytest.mark.attack("S2")
def test_a_wrong_code_leaves_the_session_as_it_was_and_its_error_is_shown_once(
    parked: Client, bandwidth: Any
) -> None:
    """Fails when the error is stored in the session, or is shown on every later page."""
    before = dict(parked.session)
    answer = parked.post(VERIFY, {"code": wrong(newest_code(bandwidth))})
    assert (answer.status_code, answer["Location"]) == (302, VERIFY)
    assert dict(parked.session) == before
    assert_shut(parked)
    assert "That is not the code we sent." in text(parked.get(VERIFY))
    # These requests stand for a reload or the back button.
    for _ in range(3):
        assert "That is not the code we sent." not in text(parked.get(VERIFY))
    assert dict(parked.session) == before
    assert Challenge.objects.get().tries == 1
    assert len(bandwidth.inbox) == 1


def test_the_error_of_a_refused_send_is_at_the_buttons(parked: Client) -> None:
    page = post_form(parked, SEND, {"channel": "sms"})
    assert page.status_code == 429
    assert 'role="alert"' in send_form(page)
    assert "errorlist" not in text(page)
    assert 'aria-invalid="true"' not in text(page)
    assert "<title>Error: " in text(page)


@pytest.mark.attack("T5")
def test_what_is_kept_for_the_next_page_holds_no_code_no_number_and_no_name(
    parked: Client, bandwidth: Any
) -> None:
    import base64
    import zlib

    parked.post(VERIFY, {"code": wrong(newest_code(bandwidth))})
    cookie = parked.cookies[COOKIE]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    payload = cookie.value.split(":")[0]
    raw = base64.urlsafe_b64decode(payload.lstrip(".") + "==")
    held = (zlib.decompress(raw) if payload.startswith(".") else raw).decode()
    assert '"wrong"' in held
    for secret in (newest_code(bandwidth), wrong(newest_code(bandwidth)), NUMBER[2:], "ada"):
        assert secret not in held


def test_the_result_of_a_form_is_shown_only_to_its_own_user(parked: Client, bandwidth: Any) -> None:
    """Fails when the cookie does not name its user."""
    parked.post(VERIFY, {"code": wrong(newest_code(bandwidth))})
    other = Client()
    give_password(other, make_user("bob", OTHER_NUMBER))
    other.get(VERIFY)
    other.cookies[COOKIE] = parked.cookies[COOKIE].value
    assert page_state(other.get(VERIFY)) == State.SENT
    other.cookies[COOKIE] = "forged"
    assert page_state(other.get(VERIFY)) == State.SENT


def test_a_head_request_does_not_use_up_the_message(parked: Client, bandwidth: Any) -> None:
    parked.post(VERIFY, {"code": wrong(newest_code(bandwidth))})
    parked.head(VERIFY)
    assert page_state(parked.get(VERIFY)) == State.WRONG


def test_a_refused_enrolment_keeps_what_was_typed_and_a_reload_sends_nothing(
    client: Client, newcomer: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when a reload, which posts the form again, sends a code without a new press."""
    configure(MAX_CONCURRENT_CALLS=1, MAX_WAITING_CALLS=0, REQUIRED="all")
    give_password(client, newcomer)
    [form_id] = re.findall(r'name="form_id" value="([^"]+)"', text(client.get("/mfa/phones/add/")))
    form = {"number": NUMBER, "form_id": form_id, "channel": "sms"}
    with provider.breaker().guard():
        answer = client.post("/mfa/phones/add/", form)
    assert (answer.status_code, answer["Retry-After"]) == (429, "1")
    assert "so no code was sent" in text(answer)
    assert "errorlist" not in text(answer)
    assert f'value="{NUMBER}"' in text(answer)
    for _ in range(2):
        reloaded = client.post("/mfa/phones/add/", form)
        assert reloaded.status_code == 200
        assert "Nothing was sent again." in text(reloaded)
        assert f'value="{NUMBER}"' in text(reloaded)
    assert bandwidth.inbox == []
    assert NUMBER not in str(dict(client.session))
    [fresh] = re.findall(r'name="form_id" value="([^"]+)"', text(reloaded))
    assert client.post("/mfa/phones/add/", {**form, "form_id": fresh}).status_code == 302
    assert len(bandwidth.inbox) == 1


@pytest.fixture
def refused(client: Client, newcomer: Any, bandwidth: Any, configure: Any) -> dict[str, str]:
    """A form with a number, which was posted while Bandwidth was down."""
    configure(REQUIRED="all", LOGIN_SECONDS=7200)
    give_password(client, newcomer)
    bandwidth.fault(on="all", status=503)
    form = {"number": NUMBER, "form_id": form_id_of(client.get(ADD)), "channel": "sms"}
    client.post(ADD, form)
    bandwidth.clear_faults()
    return form


def form_id_of(answer: Any) -> str:
    [form_id] = re.findall(r'name="form_id" value="([^"]+)"', answer.text)
    return str(form_id)


@pytest.mark.parametrize(
    ("minutes", "expected"), [(3, "Nothing was sent again."), (61, "This page was out of date")]
)
def test_a_reload_long_after_sends_nothing(
    client: Client, bandwidth: Any, refused: Any, minutes: int, expected: str
) -> None:
    """Fails when the id of a form is forgotten after two minutes, or is valid for ever."""
    with time_machine.travel(timezone.now() + timedelta(minutes=minutes)):
        page = client.post(ADD, refused)
        assert expected in text(page)
        assert f'value="{NUMBER}"' in text(page)
        assert bandwidth.inbox == []
        answer = client.post(ADD, {**refused, "form_id": form_id_of(page)})
    assert answer.status_code == 302
    assert len(bandwidth.inbox) == 1


def test_a_reload_after_another_form_was_refused_sends_nothing(
    client: Client, bandwidth: Any, refused: Any
) -> None:
    """Fails when the browser remembers only the last form, or another page deletes its id."""
    bandwidth.fault(on="all", status=503)
    for _ in range(3):
        client.post(ADD, {**refused, "form_id": form_id_of(client.get(ADD))})
    bandwidth.clear_faults()
    client.post("/mfa/phones/confirm/", {"code": "123456"}, follow=True)
    assert "Nothing was sent again." in text(client.post(ADD, refused))
    assert bandwidth.inbox == []


def test_a_form_with_an_invented_id_is_out_of_date(
    client: Client, bandwidth: Any, refused: Any
) -> None:
    page = client.post(ADD, {**refused, "form_id": "an-id"})
    assert "This page was out of date" in text(page)
    assert bandwidth.inbox == []


def test_an_enrolment_whose_code_may_have_been_sent_goes_on(
    client: Client, newcomer: Any, bandwidth: Any
) -> None:
    give_password(client, newcomer)
    bandwidth.fault(on="messaging", drop=True, times=1)
    page = post_form(client, "/mfa/phones/add/", {"number": OTHER_NUMBER, "channel": "sms"})
    assert page_state(page) == State.MAYBE_SENT
    client.post("/mfa/phones/confirm/", {"code": newest_code(bandwidth)})
    assert Phone.objects.get().confirmed_at is not None


# Waiting -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("early", [0, 2])
def test_nobody_is_refused_after_the_time_on_the_page(
    parked: Client, bandwidth: Any, early: int
) -> None:
    """A new code can be sent at the time on the page, also where the clock is two seconds slow.

    Fails when the page does not round the time up.
    """
    page = parked.get(VERIFY)
    named = max(waits(page))
    assert 30 <= named <= 33
    with time_machine.travel(timezone.now() + timedelta(seconds=named - early)):
        page = post_form(parked, SEND, {"channel": "sms"})
    assert page.status_code == 200
    assert len(bandwidth.inbox) == 2


def test_a_call_that_would_have_to_wait_for_longer_is_not_offered(
    parked: Client, configure: Any
) -> None:
    """A call counts as two text messages.  Fails when the page shows one time for both."""
    configure(SEND_LIMITS={"user": "2/h"}, RESEND_COOLDOWN=[0])
    page = parked.get(VERIFY)
    assert "Text me a new code" in text(page)
    assert "Call me" not in text(page)
    configure(SEND_LIMITS={"user": "3/h"})
    assert "Call me with a new code" in text(parked.get(VERIFY))


def test_clock_times_are_shown_only_in_the_users_own_time_zone(
    parked: Client, settings: Any, configure: Any
) -> None:
    """Fails when the page shows clock times in the server's time zone to a visitor elsewhere."""
    settings.TIME_ZONE = "America/Chicago"
    configure(SEND_LIMITS={"user": "1/h"}, RESEND_COOLDOWN=[0])
    expires = Challenge.objects.get().expires_at - timedelta(seconds=2)
    assert "until" not in text(parked.get(VERIFY)).replace(
        'data-clock="It works until {time}."', ""
    )
    with timezone.override("Asia/Tokyo"):
        page = text(parked.get(VERIFY))
        at = timezone.localtime(expires)
        shown = {date_format(at - timedelta(seconds=late), "TIME_FORMAT") for late in (0, 1)}
    assert any(f"It works until {one.rstrip('.')}." in page for one in shown), page
    assert "You can get a new code at " in page
    assert "data-clock" not in page


def test_names_of_phones_are_for_those_who_have_given_a_code(
    client: Client, bandwidth: Any, db: None
) -> None:
    """Fails when a person who has given only the password can read the names."""
    user = make_user("eve", NUMBER, OTHER_NUMBER)
    Phone.objects.filter(number=OTHER_NUMBER).update(name="Harbour office")
    give_password(client, user)
    page = text(client.get(VERIFY))
    assert "Text a code to my phone ending in 77" in page
    assert "Harbour office" not in page
    login_verified(client, user)
    page = text(client.get(f"{VERIFY}?next=/account/"))
    assert "Text a code to \u2068Harbour office\u2069 (ending in 77)" in page


# Forms that are out of date ----------------------------------------------------------------------


def token_of(answer: Any) -> str:
    match = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', answer.text)
    assert match
    return match[1]


@pytest.mark.attack("P36")
@pytest.mark.parametrize(
    "url", [VERIFY, SEND, "/mfa/cancel/", "/mfa/phones/", "/mfa/sign-out-others/"]
)
def test_a_form_of_another_site_begins_no_session(db: None, settings: Any, url: str) -> None:
    """Fails when the app stores the message of a refused form without checking the cookies.

    Browsers send no Lax cookie with a form of another site.  A new session would replace that of
    the visitor, who would be signed out.
    """
    settings.MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
    answer = Client(enforce_csrf_checks=True).post(url, {"code": "123456"})
    assert answer.status_code == 302
    assert settings.SESSION_COOKIE_NAME not in answer.cookies


def test_a_form_from_before_another_login_leads_back_and_changes_nothing(
    user: Any, bandwidth: Any
) -> None:
    """Fails when the answer has the status 403, or when the code of the old form is tried."""
    client = Client(enforce_csrf_checks=True)
    login = client.get("/accounts/login/")
    form = {"username": "ada", "password": "correct horse"}
    client.post("/accounts/login/", {**form, "csrfmiddlewaretoken": token_of(login)})
    first = client.get(VERIFY)
    # A login in a second tab gives the cookie another secret.
    client.cookies["csrftoken"] = "a" * 32
    stale = {"csrfmiddlewaretoken": token_of(first)}
    code = newest_code(bandwidth)
    for url, data in ((VERIFY, {"code": code}), (SEND, {"channel": "sms"}), ("/mfa/cancel/", {})):
        page = post_form(client, url, {**data, **stale})
        assert page.status_code == 200
        assert "This page was out of date, so nothing was done." in text(page)
        assert state(client) == "parked"
    assert Challenge.objects.get().tries == 0
    assert len(bandwidth.inbox) == 1
    fresh = token_of(client.get(VERIFY))
    client.post(VERIFY, {"code": code, "csrfmiddlewaretoken": fresh})
    assert state(client) == "verified"


@pytest.mark.attack("P36")
def test_a_form_of_another_site_changes_nothing(user: Any, bandwidth: Any) -> None:
    """Fails when the views are exempt from Django's CSRF check and make no check of their own."""
    client = Client(enforce_csrf_checks=True)
    login_verified(client, user)
    key, phone = client.session.session_key, Phone.objects.get()
    forms = {
        "phones": {"phone": phone.pk, "name": "mine"},
        "phones/add": {"number": OTHER_NUMBER},
        "phones/remove": {"phone": phone.pk},
        "recovery-codes": {},
        "sign-out-others": {},
        "suggestion": {},
        "verify": {"code": "123456"},
        "send": {"channel": "sms"},
        "recovery-code": {"recovery_code": WRONG_RECOVERY_CODE},
    }
    for page, form in forms.items():
        answer = client.post(f"/mfa/{page}/", form, headers={"origin": "https://evil.example"})
        assert answer.status_code == 302, page
        assert answer["Location"].startswith("/mfa/"), page
    assert client.session.session_key == key
    assert [(one.number, one.name) for one in Phone.objects.all()] == [(NUMBER, "")]
    assert not user.bandwidth_mfa_recovery_codes.exists()
    assert bandwidth.requests == []
    assert state(client) == "verified"


REFERER = "If you have configured your browser to disable “Referer” headers, please re-enable them"


@pytest.mark.parametrize("url", [VERIFY, ADD, RECOVER, "/mfa/sign-out-others/"])
@pytest.mark.parametrize("headers", [{}, {"origin": "https://evil.example"}])
def test_a_form_that_is_refused_for_another_cause_does_not_ask_for_cookies(
    user: Any, url: str, headers: dict[str, str]
) -> None:
    """Fails when each cause has the same sentence, since this browser does send its cookies.

    The words come from Django, in each of its languages.
    """
    client = Client(enforce_csrf_checks=True)
    login_verified(client, user)
    give_recovery_codes(user)
    token = client.get(VERIFY, {"next": "/account/"}, secure=True, follow=True)
    data = {"csrfmiddlewaretoken": token_of(token), "code": "123456", "next": "/account/"}
    for language, sentence in (
        ("en", "CSRF verification failed. Request aborted."),
        ("de", "CSRF-Verifizierung fehlgeschlagen. Anfrage abgebrochen."),
    ):
        with translation.override(language):
            answer = client.post(url, data, secure=True, headers=headers)
            page = text(client.get(answer["Location"], secure=True, follow=True))
            assert sentence in page
    assert "allow cookies" not in page
    with translation.override("en"):
        answer = client.post(url, data, secure=True, headers=headers)
        page = text(client.get(answer["Location"], secure=True, follow=True))
    assert (REFERER in page) == (not headers)
    assert "This page was out of date" not in page


@pytest.mark.parametrize("url", ["/mfa/verify/", "/mfa/api/verify/"])
def test_a_refused_form_writes_one_line_into_the_log(
    caplog: pytest.LogCaptureFixture, rf: Any, url: str
) -> None:
    """Fails when the path is logged unescaped: the text after a line break looks like a record."""
    check = base.CsrfCheck(base.unused) if "api" not in url else api.CsrfCheck(base.unused)
    request = rf.post(f"/bank%0AINFO all is well{url}")
    assert "\n" in request.path
    request._dont_enforce_csrf_checks = False
    check.process_request(request)
    assert check.process_view(request, base.unused, (), {}) is not None
    [line] = [one.getMessage() for one in caplog.records if one.name == "django.security.csrf"]
    assert line == f"Forbidden (CSRF cookie not set.): /bank\\nINFO all is well{url}"


def test_a_form_whose_cookies_are_gone_leads_to_the_login_page(user: Any, bandwidth: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.post(VERIFY, {"code": "123456"}, follow=True)
    assert [where for where, _status in answer.redirect_chain] == [VERIFY, "/accounts/login/"]
    assert bandwidth.requests == []


def test_other_pages_say_that_a_form_is_out_of_date(user: Any, bandwidth: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    login_verified(client, user)
    page = client.post("/mfa/sign-out-others/", {}, follow=True)
    assert "This page was out of date, so nothing was done." in text(page)


def test_a_right_code_after_a_wrong_one_leaves_no_error_on_the_next_page(
    client: Client, user: Any, bandwidth: Any
) -> None:
    sign_in(client, user, bandwidth)
    assert "Error" not in text(client.get("/account/"))
