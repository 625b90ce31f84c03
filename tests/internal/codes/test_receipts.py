"""Delivery receipts: who may post them, what they may change, and what the code page shows."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
import time_machine
from django.forms.models import model_to_dict
from django.http import HttpRequest
from django.test import Client
from django.utils import translation
from django.views.debug import ExceptionReporter

from django_bandwidth_mfa import service
from django_bandwidth_mfa.exceptions import ProviderUnavailable
from django_bandwidth_mfa.internal.codes import delivery as delivery_page
from django_bandwidth_mfa.internal.codes import receipts
from django_bandwidth_mfa.internal.notify import delivery_errors
from django_bandwidth_mfa.models import Challenge, Counter
from tests.browsing import give_password, state
from tests.conftest import NUMBER, OTHER_NUMBER, make_user

pytestmark = pytest.mark.django_db

SECRET = "a-long-random-secret.of_ours~"
URL = f"/mfa/receipts/{SECRET}/"


@pytest.fixture(autouse=True)
def receipts_are_on(bandwidth: Any, configure: Any) -> None:
    configure(RECEIPT_SECRET=SECRET)
    bandwidth.fault(on="receipt", drop=True)  # These tests post the receipts themselves.


@pytest.fixture
def challenge(user: Any, bandwidth: Any) -> Challenge:
    return service.send_code(user)


@pytest.fixture
def two_phones(db: None) -> Any:
    return make_user("ada", NUMBER, OTHER_NUMBER)


def receipt(challenge: Challenge | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "type": "message-failed",
        "time": "2026-09-14T18:20:16Z",
        "description": "forbidden to country",
        "platform": "NorthAmericaSMS",
        "message": {"id": challenge.provider_id if challenge else "unknown"},
        "errorCode": 4432,
        **changes,
    }


def post(body: Any, url: str = URL) -> int:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    client = Client(enforce_csrf_checks=True)
    return int(client.post(url, raw, content_type="application/json").status_code)


def delivery(challenge: Challenge) -> tuple[str, int | None]:
    challenge.refresh_from_db()
    return challenge.delivery, challenge.delivery_error


@pytest.mark.parametrize("platform", ["NorthAmericaSMS", "GlobalSMS"])
def test_a_receipt_says_what_became_of_the_message(challenge: Challenge, platform: str) -> None:
    assert post(receipt(challenge, platform=platform)) == 204
    assert delivery(challenge) == ("failed", 4432)


def test_delivered_is_never_taken_back_and_repeats_change_nothing(challenge: Challenge) -> None:
    """Fails when the last receipt wins: Bandwidth may repeat receipts, and send them in any
    order."""
    delivered = receipt(challenge, type="message-delivered", description="ok")
    for body in (receipt(challenge), delivered, delivered, receipt(challenge)):
        assert post(body) == 204
    assert delivery(challenge) == ("delivered", None)


@pytest.mark.attack("N13")
def test_a_receipt_changes_nothing_but_the_delivery(challenge: Challenge, user: Any) -> None:
    """Fails when a receipt writes more than two fields: a forged receipt must let nobody in and
    lock nobody out."""
    before = model_to_dict(challenge)
    counters = list(Counter.objects.order_by("key").values())
    post(receipt(challenge))
    challenge.refresh_from_db()
    after = model_to_dict(challenge)
    assert {key for key in after if after[key] != before[key]} == {"delivery", "delivery_error"}
    assert list(Counter.objects.order_by("key").values()) == counters


@pytest.mark.attack("N13")
@pytest.mark.parametrize("secret", ["", "a", SECRET[:-1], SECRET + "x", SECRET.upper(), "%00", "é"])
def test_without_the_secret_there_is_no_such_page(challenge: Challenge, secret: str) -> None:
    """Fails when the secret is not compared, or only its beginning."""
    assert post(receipt(challenge), f"/mfa/receipts/{secret}/") == 404
    assert delivery(challenge) == ("", None)


def test_without_a_setting_there_is_no_such_page(challenge: Challenge, configure: Any) -> None:
    """Fails when an unset secret is compared as a text: "None" would open it."""
    configure(RECEIPT_SECRET=None)
    for secret in (SECRET, "None"):
        assert post(receipt(challenge), f"/mfa/receipts/{secret}/") == 404
    assert delivery(challenge) == ("", None)


@pytest.mark.attack("N13")
def test_the_secret_is_compared_in_constant_time() -> None:
    """Fails when ``==`` compares the secret. A measurement of time could not show the difference in
    a test."""
    import inspect

    assert "constant_time_compare(text, expected)" in inspect.getsource(receipts.is_secret)


def test_only_a_post_is_taken(client: Client) -> None:
    assert client.get(URL).status_code == 405


JUNK: list[bytes] = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"\xff\xfe",
    b"[" * 10_000,
    b"{}",
    *(
        json.dumps(receipt(**changes)).encode()
        for changes in (
            {"platform": "Elsewhere"},
            {"platform": ["GlobalSMS"]},
            {"type": "message-read"},
            {"type": ["message-failed"]},
            {"type": None},
            {"message": None},
            {"message": "m-1"},
            {"message": {}},
            {"message": {"id": ""}},
            {"message": {"id": 5}},
            {"message": {"id": {"$ne": ""}}},
            {"message": {"id": "x" * 201}},
            {"message": {"id": "nul\x00"}},
        )
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("body", JUNK)
def test_junk_is_refused(challenge: Challenge, body: bytes) -> None:
    assert post(body) == 400
    assert delivery(challenge) == ("", None)


def test_an_unanswered_send_has_no_id_for_a_receipt_to_name(user: Any, bandwidth: Any) -> None:
    bandwidth.fault(on="messaging", drop=True, times=1)
    with pytest.raises(ProviderUnavailable):
        service.send_code(user)
    assert post(receipt(message={"id": ""})) == 400
    # Bandwidth did not answer the send, and no receipt has arrived.
    assert Challenge.objects.get().delivery == "unknown"


@pytest.mark.parametrize("code", [True, "4432", -1, 2**31, 1.5, None, [1]])
def test_an_odd_error_code_is_left_out(challenge: Challenge, code: Any) -> None:
    assert post(receipt(challenge, errorCode=code)) == 204
    assert delivery(challenge) == ("failed", None)


def test_an_unknown_id_is_asked_for_again_and_changes_nothing(challenge: Challenge) -> None:
    assert post(receipt()) == 404
    assert delivery(challenge) == ("", None)


def test_a_call_has_no_receipts(user: Any) -> None:
    challenge = service.send_code(user, channel="voice")
    assert post(receipt(challenge)) == 404


@pytest.mark.attack("N13")
def test_what_is_too_long_is_not_read(challenge: Challenge) -> None:
    body = json.dumps(receipt(challenge)).encode()
    assert post(body.ljust(receipts.MAX_BODY)) == 204
    assert post(body.ljust(receipts.MAX_BODY + 1)) == 413


def test_bandwidth_is_told_the_address_only_where_receipts_are_on(
    user: Any, bandwidth: Any, configure: Any, rf: Any
) -> None:
    configure(RESEND_COOLDOWN=[0])
    service.send_code(user, request=rf.get("/", headers={"host": "testserver"}))
    service.send_code(user)
    configure(RECEIPT_SECRET=None)
    service.send_code(user, request=rf.get("/"))
    sent = [one["body"] for one in bandwidth.requests if one["path"].endswith("/messaging")]
    assert [body.get("callbackUrl") for body in sent] == [f"http://testserver{URL}", None, None]


def test_a_refused_message_is_logged_once_and_without_the_number(
    challenge: Challenge, caplog: Any
) -> None:
    for _ in range(2):
        post(receipt(challenge, description="to +12025550142\nforged line"))
    ours = [record for record in caplog.records if record.name == "django_bandwidth_mfa"]
    assert [(record.event, record.error_code, record.to) for record in ours] == [
        ("message_failed", 4432, "••42")
    ]
    assert "forged" not in caplog.text


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (4432, [("message_failed", "WARNING")]),
        (4721, [("message_failed", "WARNING")]),
        (4476, [("message_failed", "WARNING"), ("sender_refused", "CRITICAL")]),
        (4795, [("message_failed", "WARNING"), ("sender_refused", "CRITICAL")]),
        (None, [("message_failed", "WARNING")]),
        (4999, [("message_failed", "WARNING")]),
    ],
)
def test_a_fault_of_the_sender_is_critical_and_a_fault_of_a_phone_is_not(
    challenge: Challenge, caplog: Any, code: int | None, expected: list[tuple[str, str]]
) -> None:
    """Fails when each failure is logged as critical: anybody can enter a number that is not in
    use."""
    post(receipt(challenge, errorCode=code))
    ours = [record for record in caplog.records if record.name == "django_bandwidth_mfa"]
    assert [(record.event, record.levelname) for record in ours] == expected
    assert {record.means for record in ours} == {delivery_errors.explain(code).means}


# What the user sees -----------------------------------------------------------------------------


def test_the_code_page_says_that_the_message_was_refused(client: Client, user: Any) -> None:
    give_password(client, user)
    page = client.get("/mfa/verify/").content.decode()
    assert 'data-follow="/mfa/delivery/' in page
    assert "bandwidth_mfa/delivery.js" in page
    assert "cannot send" not in page
    post(receipt(Challenge.objects.get()))
    page = client.get("/mfa/verify/").content.decode()
    assert "the country of this number. Get the code by phone call instead." in page
    assert "data-follow" not in page
    assert "forbidden to country" not in page


def follow_address(page: str) -> str:
    [address] = re.findall(r'data-follow="([^"]+)"', page)
    return html.unescape(address)


@pytest.mark.attack("T18")
def test_what_the_page_asks_needs_no_session_and_sets_no_cookie(client: Client, user: Any) -> None:
    """Fails when the page requests its own address: an answer that comes after a right code would
    set the cookie of the old session again, and sign the user out."""
    give_password(client, user)
    address = follow_address(client.get("/mfa/verify/").content.decode())
    stranger = Client()
    answer = stranger.get(address)
    assert answer.status_code == 200
    assert not answer.cookies
    assert not answer.has_header("Vary") or "Cookie" not in answer["Vary"]
    assert follow_address(answer.content.decode()) == address
    post(receipt(Challenge.objects.get()))
    page = stranger.get(address).content.decode()
    assert "We cannot send text messages to the country of this number." in page
    assert "data-follow" not in page
    assert NUMBER not in page
    assert "ada" not in page


def test_what_the_page_asks_answers_in_the_language_of_the_page(user: Any) -> None:
    """Fails when the answer uses the browser's language: a cookie may have chosen the page's
    language."""
    challenge = service.send_code(user)
    with translation.override("es"):
        address = delivery_page.address_of(challenge)
    post(receipt(challenge))
    page = Client().get(address, headers={"accept-language": "en"}).content.decode()
    assert "No podemos enviar SMS al país de este número. Reciba el código por lla" in page


@pytest.mark.attack("T18")
@pytest.mark.parametrize("change", ["forged", "late"])
def test_a_forged_or_old_address_tells_nothing(client: Client, user: Any, change: str) -> None:
    """Fails when the address names the challenge without a signature, or without an end of its
    validity."""
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        give_password(client, user)
        address = follow_address(client.get("/mfa/verify/").content.decode())
        assert Client().get(address).status_code == 200
        if change == "late":
            clock.shift(901)
        else:
            address = address[:-2] + ("a" if address[-2] != "a" else "b") + "/"
        assert Client().get(address).status_code == 404


def test_without_calls_another_way_is_named(
    client: Client, two_phones: Any, configure: Any
) -> None:
    configure(VOICE_APPLICATION_ID=None)
    give_password(client, two_phones)
    client.get("/mfa/verify/")
    post(receipt(Challenge.objects.get(), errorCode=4750))
    page = client.get("/mfa/verify/").content.decode()
    assert "Ask for another one, or use another phone." in page


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (4750, "Your phone network did not deliver our text message. Please try again later."),
        (4721, "this number is not in use any more. Contact support."),
    ],
)
def test_a_user_with_one_phone_is_not_sent_to_another(
    client: Client, user: Any, configure: Any, code: int, sentence: str
) -> None:
    """Before, the page said "Use another phone" to users who cannot get the code on another one."""
    configure(VOICE_APPLICATION_ID=None)
    give_password(client, user)
    address = follow_address(client.get("/mfa/verify/").content.decode())
    post(receipt(Challenge.objects.get(), errorCode=code))
    for page in (client.get("/mfa/verify/"), Client().get(address)):
        assert sentence in page.content.decode()
        assert "another phone" not in page.content.decode()


def test_a_user_who_adds_a_phone_can_use_another_number(
    client: Client, newcomer: Any, configure: Any
) -> None:
    """Fails when only confirmed phones count as another phone."""
    client.force_login(newcomer)
    client.post("/mfa/phones/add/", {"number": NUMBER})
    post(receipt(Challenge.objects.get(), errorCode=4721))
    page = client.get("/mfa/phones/confirm/").content.decode()
    assert "this number is not in use any more. Use another phone." in page


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (4721, "this number is not in use any more. Use another phone."),
        (4775, "with the reply STOP. Get the code by phone call instead, or reply START"),
        (4702, "cannot be reached at this moment. Check that it is on"),
        (4795, "It is not your fault. Get the code by phone call instead."),
        (9902, "We do not know whether our text message has arrived. If it does not come, get"),
        (4750, "Your phone network did not deliver our text message. Get the code by phone call"),
        (None, "Your phone network did not deliver our text message. Get the code by phone call"),
        (4999, "Your phone network did not deliver our text message. Get the code by phone call"),
    ],
)
def test_each_reason_has_its_sentence_and_its_next_step(
    client: Client, two_phones: Any, code: int | None, sentence: str
) -> None:
    """Fails when all reasons get the same sentence: a call cannot reach a number that is not in
    use."""
    give_password(client, two_phones)
    address = follow_address(client.get("/mfa/verify/").content.decode())
    post(receipt(Challenge.objects.get(), errorCode=code))
    assert sentence in client.get("/mfa/verify/").content.decode()
    assert sentence in Client().get(address).content.decode()


def test_where_receipts_are_off_or_a_call_was_made_the_page_asks_nothing(
    client: Client, user: Any, configure: Any
) -> None:
    configure(RECEIPT_SECRET=None)
    give_password(client, user)
    assert "delivery.js" not in client.get("/mfa/verify/").content.decode()
    configure(RECEIPT_SECRET=SECRET)
    other = make_user("bob", "+12025550188")
    other_client = Client()
    give_password(other_client, other)
    other_client.post("/mfa/send/", {"channel": "voice"})
    assert "delivery.js" not in other_client.get("/mfa/verify/").content.decode()


def test_asking_again_sends_nothing_and_keeps_the_login_parked(
    client: Client, user: Any, bandwidth: Any
) -> None:
    give_password(client, user)
    for _ in range(5):
        client.get("/mfa/verify/")
    assert len(bandwidth.inbox) == 1
    assert state(client) == "parked"


# Effects of the address on other code ------------------------------------------------------------


@pytest.mark.attack("S5")
@pytest.mark.django_db(transaction=True)
def test_a_report_of_an_error_in_a_sites_own_view_shows_no_secret(
    user: Any, bandwidth: Any, rf: Any
) -> None:
    """Fails when the address for receipts is a local variable of a function of this app."""
    bandwidth.fault(on="messaging", status=500, times=1)
    request = rf.get("/")
    with pytest.raises(ProviderUnavailable) as caught:
        service.send_code(user, request=request)
    frames = ExceptionReporter(request, caught.type, caught.value, caught.tb).get_traceback_frames()
    shown = [
        (frame["function"], name)
        for frame in frames
        if "/tests/" not in frame["filename"]
        for name, value in frame["vars"]
        if SECRET in repr(value)
    ]
    assert shown == []


def test_a_call_needs_no_address_for_receipts(user: Any, bandwidth: Any) -> None:
    """Fails when the address is also made for a call: the request of this test has no host."""
    service.send_code(user, channel="voice", request=HttpRequest())
    assert len(bandwidth.inbox) == 1
