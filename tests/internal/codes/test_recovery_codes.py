"""Recovery codes: how they are made, stored, typed, and used up."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import pytest
import time_machine
from django.contrib.auth.signals import user_login_failed
from django.db import transaction
from django.test import Client

from django_bandwidth_mfa import service, signals
from django_bandwidth_mfa.exceptions import Limited, Locked
from django_bandwidth_mfa.internal.codes import recovery_codes
from django_bandwidth_mfa.models import Counter, RecoveryCode
from tests.browsing import assert_shut, give_password, sign_in, state, wrong
from tests.conftest import OTHER_NUMBER, make_user

pytestmark = pytest.mark.django_db


def test_a_set_has_as_many_codes_as_the_settings_say(user: Any, configure: Any) -> None:
    assert len(service.issue_recovery_codes(user)) == 10
    configure(RECOVERY_CODES=3)
    assert len(set(service.issue_recovery_codes(user))) == 3
    assert RecoveryCode.objects.left(user) == 3


def test_a_code_has_as_many_random_bits_as_a_plain_digest_needs(user: Any) -> None:
    """Fails when it is made shorter: NIST SP 800-63B-4, 3.1.2.2, would ask for a slow hash."""
    assert recovery_codes.LENGTH * math.log2(len(set(recovery_codes.ALPHABET))) >= 112
    for code in service.issue_recovery_codes(user):
        letters = code.replace("-", "")
        assert len(letters) == recovery_codes.LENGTH
        assert set(letters) <= set(recovery_codes.ALPHABET)


@pytest.mark.attack("G5")
def test_a_code_works_once(user: Any) -> None:
    """Fails when ``used_at=None`` is not asked for in the UPDATE."""
    code = service.issue_recovery_codes(user)[0]
    verification = service.use_recovery_code(user, code)
    assert verification
    assert verification.method == "recovery_code"
    assert not service.use_recovery_code(user, code)
    assert RecoveryCode.objects.left(user) == 9


@pytest.mark.attack("P38")
def test_another_users_code_is_wrong_and_is_not_used_up(user: Any) -> None:
    """Fails when the digest is looked for among all users."""
    other = make_user("bob", OTHER_NUMBER)
    code = service.issue_recovery_codes(other)[0]
    assert not service.use_recovery_code(user, code)
    assert service.use_recovery_code(other, code)


def test_a_new_set_voids_the_old_one(user: Any, configure: Any) -> None:
    """Fails when a new set does not delete the old one: a lost paper would go on opening the
    account."""
    configure(FAILURES_BEFORE_WAIT=100)
    old = service.issue_recovery_codes(user)
    service.issue_recovery_codes(user)
    assert not any(service.use_recovery_code(user, code) for code in old)


@pytest.mark.parametrize("typed", ["{}", " {} ", "{lower}", "{spaced}", "{plain}", "{misread}"])
def test_a_code_can_be_typed_as_people_type(user: Any, typed: str) -> None:
    code = service.issue_recovery_codes(user)[0]
    ways = {
        "lower": code.lower(),
        "spaced": code.replace("-", " "),
        "plain": code.replace("-", ""),
        "misread": code.replace("0", "O").replace("1", "l"),
    }
    assert service.use_recovery_code(user, typed.format(code, **ways))


def test_wrong_codes_wait_longer_and_longer_and_a_right_one_clears_them(
    user: Any, configure: Any
) -> None:
    """Fails when guesses are not counted."""
    configure(FAILURES_BEFORE_LOCK=6)
    right = service.issue_recovery_codes(user)
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        for wait in (0, 0, 0, 0, 30, 60, 120):
            assert not service.use_recovery_code(user, "wrong")
            if wait:
                with pytest.raises(Limited) as refused:
                    service.use_recovery_code(user, right[0])
                assert refused.value.retry_after == wait
            clock.shift(wait)
        assert service.use_recovery_code(user, right[0])
        assert not service.use_recovery_code(user, "wrong")
        assert service.use_recovery_code(user, right[1])


def test_guesses_at_one_door_do_not_shut_the_other(
    user: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when both share a count: whoever knows the password could shut both at once."""
    configure(FAILURES_BEFORE_WAIT=1)
    for _ in range(2):
        with contextlib.suppress(Limited):
            service.use_recovery_code(user, "wrong")
    challenge = service.send_code(user)
    assert not service.verify_code(challenge, wrong(bandwidth.inbox[0]["code"]))
    with pytest.raises(Limited):
        service.verify_code(challenge, bandwidth.inbox[0]["code"])
    other = make_user("bob", OTHER_NUMBER)
    challenge = service.send_code(other)
    assert not service.verify_code(challenge, wrong(bandwidth.inbox[0]["code"]))
    assert service.use_recovery_code(other, service.issue_recovery_codes(other)[0])


@pytest.mark.parametrize("junk", ["", " ", "0", "\x00", "\ud800", "é" * 16, "A" * 10_000, "%s"])
def test_junk_is_wrong(user: Any, junk: str) -> None:
    service.issue_recovery_codes(user)
    assert not service.use_recovery_code(user, junk)


@pytest.mark.attack("T14")
def test_codes_survive_a_new_secret_key_and_are_not_stored(user: Any, settings: Any) -> None:
    """Fails when the digest is keyed with SECRET_KEY, or the code itself is kept."""
    codes = service.issue_recovery_codes(user)
    stored = str(list(RecoveryCode.objects.values()))
    assert not [code for code in codes if code in stored or code.replace("-", "") in stored]
    settings.SECRET_KEY = "another"
    assert service.use_recovery_code(user, codes[0])


@pytest.mark.attack("G12")
def test_a_code_opens_a_locked_phone_factor_and_clears_nobody_elses(
    user: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when a lock refuses recovery codes too, or when more than this user's counts is
    cleared."""
    configure(FAILURES_BEFORE_LOCK=1, RESEND_COOLDOWN=[0])
    other = make_user("bob", OTHER_NUMBER)
    for someone in (user, other):
        challenge = service.send_code(someone)
        assert not service.verify_code(challenge, wrong(bandwidth.inbox[0]["code"]))
        with pytest.raises(Locked):
            service.verify_code(challenge, bandwidth.inbox[0]["code"])
    sends = list(Counter.objects.filter(key__startswith="send:").order_by("key").values())
    assert service.use_recovery_code(user, service.issue_recovery_codes(user)[0])
    assert service.verify_code(service.send_code(user), bandwidth.inbox[0]["code"])
    with pytest.raises(Locked):
        service.verify_code(challenge, bandwidth.inbox[1]["code"])
    assert [row["key"] for row in sends] == [
        row["key"]
        for row in Counter.objects.filter(key__startswith="send:").order_by("key").values()
    ]


@pytest.mark.django_db(transaction=True)
def test_inside_a_transaction_no_code_is_used(user: Any) -> None:
    """Fails when it is not durable: a rollback would let the code pass again."""
    user = make_user("eve")
    code = service.issue_recovery_codes(user)[0]
    with transaction.atomic(), pytest.raises(RuntimeError):
        service.use_recovery_code(user, code)
    assert service.use_recovery_code(user, code)


def test_use_is_told_without_the_code(user: Any, caplog: Any) -> None:
    heard: list[Any] = []

    def hear(**kwargs: Any) -> None:
        heard.append(kwargs["user"])

    code = service.issue_recovery_codes(user)[0]
    caplog.clear()
    signals.recovery_code_used.connect(hear)
    try:
        with caplog.at_level("INFO"):
            service.use_recovery_code(user, code)
            service.use_recovery_code(user, code)
    finally:
        signals.recovery_code_used.disconnect(hear)
    assert heard == [user]
    assert [record.event for record in caplog.records] == [
        "recovery_code_used",
        "recovery_code_rejected",
    ]
    assert caplog.records[0].left == 9
    assert code not in caplog.text
    assert code.replace("-", "") not in caplog.text


# The pages --------------------------------------------------------------------------------------


def test_the_code_page_offers_a_recovery_code_to_someone_who_has_one(
    client: Client, user: Any, bandwidth: Any
) -> None:
    give_password(client, user)
    assert b"recovery code" not in client.get("/mfa/verify/").content
    service.issue_recovery_codes(user)
    assert b"Use a recovery code" in client.get("/mfa/verify/").content


@pytest.mark.attack("N9")
def test_a_recovery_code_signs_in_while_bandwidth_is_down(
    client: Client, user: Any, bandwidth: Any
) -> None:
    bandwidth.fault(on="all", status=503)
    codes = service.issue_recovery_codes(user)
    give_password(client, user, "/secret/")
    page = client.get("/mfa/verify/")
    assert b"does not answer" in page.content
    assert b"Use a recovery code" in page.content
    before = client.session.session_key
    answer = client.post("/mfa/recovery-code/", {"recovery_code": codes[0]})
    assert answer["Location"] == "/secret/"
    assert client.session.session_key != before
    assert client.get("/whoami/").json()["method"] == "recovery_code"
    assert client.get("/secret/").content == b"secret"


@pytest.mark.attack("S13")
def test_a_locked_user_gets_in_with_one(
    client: Client, user: Any, bandwidth: Any, configure: Any
) -> None:
    configure(FAILURES_BEFORE_LOCK=1)
    codes = service.issue_recovery_codes(user)
    give_password(client, user)
    client.get("/mfa/verify/")
    code = bandwidth.inbox[0]["code"]
    client.post("/mfa/verify/", {"code": wrong(code)})
    assert b"Use a recovery code" in client.post("/mfa/verify/", {"code": code}).content
    client.post("/mfa/recovery-code/", {"recovery_code": codes[0]})
    assert state(client) == "verified"


def test_a_wrong_recovery_code_stays_out_and_is_told_to_lockout_apps(
    client: Client, user: Any, bandwidth: Any
) -> None:
    """Fails when the answer to a recovery code is not looked at, and a wrong one lets in."""
    codes = service.issue_recovery_codes(user)
    service.use_recovery_code(user, codes[0])
    heard: list[Any] = []

    def hear(credentials: Any, **kwargs: Any) -> None:
        heard.append(credentials)

    give_password(client, user)
    user_login_failed.connect(hear)
    try:
        page = client.post("/mfa/recovery-code/", {"recovery_code": codes[0]})
    finally:
        user_login_failed.disconnect(hear)
    assert page.status_code == 200
    assert b"not one of your unused recovery codes" in page.content
    assert codes[0].encode() not in page.content
    assert heard == [{"username": "ada", "token": "********"}]
    assert_shut(client)


def test_an_empty_recovery_code_is_told(client: Client, user: Any, bandwidth: Any) -> None:
    give_password(client, user)
    page = client.post("/mfa/recovery-code/", {})
    assert b"Type one of your recovery codes." in page.content
    assert b'name="recovery_code"' in client.get("/mfa/recovery-code/").content


@pytest.mark.attack("P38")
def test_nobody_uses_one_without_the_password(client: Client, user: Any) -> None:
    code = service.issue_recovery_codes(user)[0]
    answer = client.post("/mfa/recovery-code/", {"recovery_code": code})
    assert answer["Location"].startswith("/accounts/login/")
    assert service.use_recovery_code(user, code)


@pytest.mark.attack("P31")
def test_a_password_changed_while_parked_makes_the_code_useless(
    client: Client, user: Any, bandwidth: Any
) -> None:
    code = service.issue_recovery_codes(user)[0]
    give_password(client, user)
    user.set_password("another")
    user.save()
    client.post("/mfa/recovery-code/", {"recovery_code": code})
    assert state(client) == "anonymous"
    assert service.use_recovery_code(user, code)


def test_a_recovery_code_steps_up(client: Client, user: Any, bandwidth: Any) -> None:
    code = service.issue_recovery_codes(user)[0]
    sign_in(client, user, bandwidth)
    with time_machine.travel(2_000_000_000, tick=False):
        sign_in(client, user, bandwidth)
    with time_machine.travel(2_000_000_100, tick=False):
        assert client.get("/transfer/").status_code == 302
        answer = client.post("/mfa/recovery-code/", {"recovery_code": code, "next": "/transfer/"})
        assert answer["Location"] == "/transfer/"
        assert client.get("/transfer/").content == b"transfer"


@pytest.mark.attack("P12")
def test_new_codes_are_shown_once_and_take_a_fresh_second_factor(
    client: Client, user: Any, bandwidth: Any
) -> None:
    """Fails when the page takes no fresh code: a stolen session could give itself a way back in."""
    with time_machine.travel(2_000_000_000, tick=False) as clock:
        give_password(client, user)
        assert client.post("/mfa/recovery-codes/").status_code == 302
        assert RecoveryCode.objects.left(user) == 0
        client.get("/mfa/verify/")
        client.post("/mfa/verify/", {"code": bandwidth.inbox[0]["code"]})
        assert b"You have none." in client.get("/mfa/recovery-codes/").content
        page = client.post("/mfa/recovery-codes/")
        assert page.content.count(b"<li>") == 10
        assert "no-store" in page["Cache-Control"]
        shown = page.content.decode().split('<bdi dir="ltr">')[1][:29]
        assert shown not in client.get("/mfa/recovery-codes/").content.decode()
        assert "10 left" in client.get("/mfa/recovery-codes/").content.decode()
        assert str(dict(client.session.items())).count(shown) == 0
        clock.shift(300)
        assert client.post("/mfa/recovery-codes/").status_code == 302
        assert service.use_recovery_code(user, shown)


def test_a_site_may_have_none(client: Client, user: Any, bandwidth: Any, configure: Any) -> None:
    configure(RECOVERY_CODES=0)
    sign_in(client, user, bandwidth)
    assert b"Make new codes" not in client.get("/mfa/recovery-codes/").content
    client.post("/mfa/recovery-codes/")
    assert RecoveryCode.objects.left(user) == 0
