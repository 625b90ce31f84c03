"""Recovery codes: how they are made, stored, typed, and used up."""

from __future__ import annotations

import contextlib
import hashlib
import math
import random
import re
from typing import Any

import pytest
import time_machine
from django.contrib.auth.signals import user_login_failed
from django.db import IntegrityError, connection, transaction
from django.test import Client

from django_bandwidth_mfa import service, signals
from django_bandwidth_mfa.exceptions import Limited, Locked
from django_bandwidth_mfa.internal.codes import recovery_codes
from django_bandwidth_mfa.internal.staff.reset import reset_second_factor
from django_bandwidth_mfa.models import Counter, RecoveryCode, SecondFactor
from tests.browsing import assert_shut, give_password, post_form, sign_in, state, wrong
from tests.conftest import (
    CHEAP,
    OTHER_NUMBER,
    WRONG_RECOVERY_CODE,
    give_old_recovery_code,
    give_recovery_codes,
    make_user,
)

pytestmark = pytest.mark.django_db

CODE = re.compile("[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}")


def letters_of(code: str) -> str:
    return code.replace("-", "")


def give_recovery_code(user: Any) -> str:
    return give_recovery_codes(user)[0]


def with_another_secret(code: str) -> str:
    """Return a wrong code that begins with the selector of ``code``."""
    return code[:-1] + ("1" if code[-1] == "0" else "0")


# How they are made and stored ---------------------------------------------------------------------


def test_a_set_has_as_many_codes_as_the_settings_say(user: Any, configure: Any) -> None:
    assert len(service.issue_recovery_codes(user)) == 10
    configure(RECOVERY_CODES=3)
    assert len(set(service.issue_recovery_codes(user))) == 3
    assert RecoveryCode.objects.left(user) == 3


@pytest.mark.standard("63B-3.1.2.1")
def test_a_code_can_be_written_down_and_has_fifty_secret_bits() -> None:
    """Fails when the secret is shorter: the calculation in docs/counting.md uses 50 bits."""
    secret_letters = recovery_codes.LENGTH - recovery_codes.SELECTOR_LENGTH
    assert secret_letters * math.log2(len(set(recovery_codes.ALPHABET))) == 50
    assert CODE.fullmatch(recovery_codes.EXAMPLE)
    assert recovery_codes.read(recovery_codes.EXAMPLE)
    for code in recovery_codes.draw(100):
        assert len(code) == 12
        assert set(code) <= set(recovery_codes.ALPHABET)


@pytest.mark.standard("V6.5.3", "63B-3.2.12")
def test_codes_do_not_depend_on_pythons_pseudo_random_numbers() -> None:
    """Fails when the module ``random`` draws the codes: a known seed would give them away."""
    sets = []
    for _ in range(2):
        random.seed(1)
        sets.append(set(recovery_codes.draw(10)))
    assert sets[0].isdisjoint(sets[1])


def test_no_two_codes_of_a_set_begin_alike(user: Any) -> None:
    """Fails when each selector is drawn independently: most sets of 100 codes would have two codes
    with the same selector. Only one of the two could be found."""
    for _ in range(20):
        assert len({code[:2] for code in recovery_codes.draw(100)}) == 100
    row = recovery_codes.row_of(user, "7KQ2M9XD4TBN", CHEAP)
    row.save()
    with pytest.raises(IntegrityError), transaction.atomic():
        recovery_codes.row_of(user, "7KWWWWWWWWWW", CHEAP).save()
    recovery_codes.row_of(make_user("bob"), "7KWWWWWWWWWW", CHEAP).save()


@pytest.mark.standard("V6.5.2", "63B-3.1.2.2a", "63B-3.1.2.2b", "63B-4.2.1.1a")
@pytest.mark.slow
@pytest.mark.scrypt
def test_a_code_is_stored_under_scrypt_with_a_salt_of_its_own(user: Any, configure: Any) -> None:
    """Fails when all codes share one salt, and when the parameters are cheaper."""
    configure(RECOVERY_CODES=3)
    codes = service.issue_recovery_codes(user)
    rows = list(RecoveryCode.objects.filter(user=user).order_by("pk"))
    assert len({row.salt for row in rows}) == 3
    for code, row in zip(codes, rows, strict=True):
        letters = letters_of(code)
        assert (row.selector, row.scrypt_n, row.scrypt_r, row.scrypt_p) == (
            letters[:2],
            2**14,
            8,
            1,
        )
        assert len(bytes.fromhex(row.salt)) == 16
        salt, secret = bytes.fromhex(row.salt), letters[2:].encode()
        digest = hashlib.scrypt(secret, salt=salt, n=2**14, r=8, p=1, maxmem=2**26, dklen=32)
        assert row.digest == digest.hex()


def test_a_code_of_other_parameters_still_passes(user: Any) -> None:
    """Fails when the parameters are read from the source code and not from the row: a change of the
    parameters would make all stored codes useless."""
    for cost in (CHEAP, recovery_codes.Cost(n=2**10, r=4, p=2)):
        [code] = recovery_codes.draw(1)
        recovery_codes.row_of(user, code, cost).save()
        assert service.use_recovery_code(user, code)
        RecoveryCode.objects.all().delete()


@pytest.mark.attack("T14")
def test_codes_survive_a_new_secret_key_and_are_not_stored(
    user: Any, settings: Any, configure: Any
) -> None:
    """Fails when the digest is keyed with SECRET_KEY, when PASSWORD_HASHERS make it, or when the
    code itself is stored."""
    configure(RECOVERY_CODES=2)
    codes = [letters_of(code) for code in service.issue_recovery_codes(user)]
    stored = str(list(RecoveryCode.objects.values()))
    assert not [code for code in codes if code[2:] in stored]
    settings.SECRET_KEY = "another"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    assert service.use_recovery_code(user, codes[0])


class Hashes:
    """Records the parameters of each scrypt call, and whether a transaction was open. The real
    scrypt runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.costs: list[tuple[int, int, int]] = []
        self.inside: list[bool] = []
        scrypt = hashlib.scrypt

        def watch(secret: bytes, **parameters: Any) -> bytes:
            self.costs.append((parameters["n"], parameters["r"], parameters["p"]))
            self.inside.append(connection.in_atomic_block)
            return scrypt(secret, **parameters)

        monkeypatch.setattr(hashlib, "scrypt", watch)


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> Hashes:
    return Hashes(monkeypatch)


@pytest.mark.django_db(transaction=True)
def test_hashes_are_made_outside_of_every_transaction(hashes: Any, configure: Any) -> None:
    """Fails when a set is hashed in the transaction that saves it. Fails when a typed code is
    hashed in the transaction that counts it or marks it as used. Locks would be held during the
    hash."""
    configure(RECOVERY_CODES=2)
    user = make_user("eve")
    codes = service.issue_recovery_codes(user)
    assert service.use_recovery_code(user, codes[0])
    assert not service.use_recovery_code(user, with_another_secret(codes[1]))
    assert hashes.inside == [False] * 4


@pytest.mark.attack("S15")
def test_a_user_makes_five_sets_in_an_hour(user: Any, hashes: Any, configure: Any) -> None:
    """Fails when a set is not counted, or when it is hashed before it is counted."""
    configure(RECOVERY_CODES=1)
    other = make_user("bob")
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        sets = [service.issue_recovery_codes(user) for _ in range(5)]
        with pytest.raises(Limited) as refused:
            service.issue_recovery_codes(user)
        assert 0 < refused.value.retry_after <= 3600
        assert len(hashes.costs) == 5
        assert service.issue_recovery_codes(other)
        assert service.use_recovery_code(user, sets[4][0])  # the old set stays
        clock.shift(refused.value.retry_after)
        assert service.issue_recovery_codes(user)


def test_a_reset_by_staff_ends_the_wait_for_a_new_set(user: Any, configure: Any) -> None:
    configure(RECOVERY_CODES=0)
    for _ in range(2):
        for _ in range(5):
            service.issue_recovery_codes(user)
        with pytest.raises(Limited):
            service.issue_recovery_codes(user)
        reset_second_factor(user)


@pytest.mark.django_db(transaction=True)
def test_inside_a_transaction_no_set_is_made(configure: Any) -> None:
    """Fails when the count is not durable: a rollback would undo the count and remove the set."""
    configure(RECOVERY_CODES=1)
    user = make_user("eve")
    [code] = service.issue_recovery_codes(user)
    with transaction.atomic(), pytest.raises(RuntimeError):
        service.issue_recovery_codes(user)
    assert service.use_recovery_code(user, code)


# How they are used --------------------------------------------------------------------------------


@pytest.mark.standard("V6.5.1", "63B-3.1.2.2a")
@pytest.mark.attack("G5")
@pytest.mark.parametrize(
    "make", [lambda user: give_recovery_codes(user)[0], give_old_recovery_code]
)
def test_a_code_works_once(user: Any, make: Any) -> None:
    """Fails when neither the lookup of the code nor the UPDATE has the condition
    ``used_at=None``."""
    code = make(user)
    left = RecoveryCode.objects.left(user)
    verification = service.use_recovery_code(user, code)
    assert verification
    assert verification.method == "recovery_code"
    assert not service.use_recovery_code(user, code)
    assert RecoveryCode.objects.left(user) == left - 1


@pytest.mark.attack("G5")
def test_a_code_that_is_used_while_it_is_hashed_does_not_pass(
    user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails when the UPDATE lacks the condition ``used_at=None``. The failure must stay counted."""
    code = give_recovery_codes(user)[0]
    scrypt = hashlib.scrypt

    def meanwhile(secret: bytes, **parameters: Any) -> bytes:
        RecoveryCode.objects.filter(selector=code[:2]).update(used_at="2026-01-01T00:00:00Z")
        return scrypt(secret, **parameters)

    monkeypatch.setattr(hashlib, "scrypt", meanwhile)
    assert not service.use_recovery_code(user, code)
    assert SecondFactor.objects.get().recovery_failures == 1


def test_a_right_selector_with_another_secret_is_wrong(user: Any) -> None:
    """Fails when the secret is not compared with the digest of the row."""
    code = give_recovery_codes(user)[0]
    assert not service.use_recovery_code(user, with_another_secret(code))
    assert service.use_recovery_code(user, code)


@pytest.mark.slow
@pytest.mark.attack("G15")
@pytest.mark.scrypt
def test_an_unknown_selector_takes_as_much_work_as_a_known_one(
    user: Any, hashes: Any, configure: Any
) -> None:
    """Fails when no hash is made for an unknown selector: the response time would show which
    selectors exist, and so whether a user has codes."""
    configure(RECOVERY_CODES=1)
    [code] = service.issue_recovery_codes(user)
    unknown = next(a + code[1:] for a in "AB" if a != code[0])
    for who, typed in (
        (user, with_another_secret(code)),
        (user, unknown),
        (make_user("bob"), code),
        (user, code),
        (user, code),  # this code is used now
    ):
        hashes.costs.clear()
        service.use_recovery_code(who, typed)
        assert hashes.costs == [(2**14, 8, 1)]


def test_a_guess_that_has_to_wait_costs_no_hash(user: Any, hashes: Any, configure: Any) -> None:
    """Fails when the code is hashed before the wait is checked: endless guesses would keep the
    processors busy."""
    configure(FAILURES_BEFORE_WAIT=1)
    assert not service.use_recovery_code(user, recovery_codes.EXAMPLE)
    assert len(hashes.costs) == 1
    with pytest.raises(Limited):
        service.use_recovery_code(user, recovery_codes.EXAMPLE)
    assert len(hashes.costs) == 1


@pytest.mark.attack("P38")
def test_another_users_code_is_wrong_and_is_not_used_up(user: Any) -> None:
    """Fails when the code is looked up among the codes of all users."""
    other = make_user("bob", OTHER_NUMBER)
    for code in (give_recovery_codes(other)[0], give_old_recovery_code(other)):
        assert not service.use_recovery_code(user, code)
        assert service.use_recovery_code(other, code)


@pytest.mark.standard("V6.5.6")
def test_a_new_set_voids_the_old_one(user: Any, configure: Any) -> None:
    """Fails when a new set does not delete the old one: a lost copy of the old codes would still
    open the account."""
    configure(FAILURES_BEFORE_WAIT=100, RECOVERY_CODES=1)
    old = [*give_recovery_codes(user, 3), give_old_recovery_code(user)]
    [new] = service.issue_recovery_codes(user)
    assert not any(service.use_recovery_code(user, code) for code in old)
    assert service.use_recovery_code(user, new)


WAYS = {
    "as it is": lambda code: code,
    "spaces around": lambda code: f"  {code} ",
    "small letters": str.lower,
    "spaces": lambda code: code.replace("-", " "),
    "no hyphens": letters_of,
    "letters for digits": lambda code: code.replace("0", "O").replace("1", "l"),
    "en dashes": lambda code: code.replace("-", " \N{EN DASH} "),
    "full width": lambda code: code.translate({c: c + 0xFEE0 for c in range(0x21, 0x7F)}),
    "Persian digits": lambda code: code.translate({0x30 + n: 0x6F0 + n for n in range(10)}),
    "invisible marks": lambda code: "\u202a" + "\u200b".join(code) + "\u202c",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "make", [lambda user: give_recovery_codes(user)[0], give_old_recovery_code]
)
def test_a_code_can_be_typed_as_people_type(user: Any, make: Any, way: str) -> None:
    assert service.use_recovery_code(user, WAYS[way](make(user)))


@pytest.mark.standard("63B-3.1.2.2c", "63B-4.2.1.1a")
def test_wrong_codes_wait_longer_and_longer_and_a_right_one_clears_them(
    user: Any, configure: Any
) -> None:
    """Fails when guesses are not counted."""
    configure(FAILURES_BEFORE_LOCK=6)
    right = give_recovery_codes(user)
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        for wait in (0, 0, 0, 0, 30, 60, 120):
            assert not service.use_recovery_code(user, WRONG_RECOVERY_CODE)
            if wait:
                with pytest.raises(Limited) as refused:
                    service.use_recovery_code(user, right[0])
                assert refused.value.retry_after == wait
            clock.shift(wait)
        assert service.use_recovery_code(user, right[0])
        assert not service.use_recovery_code(user, WRONG_RECOVERY_CODE)
        assert service.use_recovery_code(user, right[1])


def test_guesses_at_one_door_do_not_shut_the_other(
    user: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when codes by phone and recovery codes share a count: somebody who knows the password
    could block both at once."""
    configure(FAILURES_BEFORE_WAIT=1)
    for _ in range(2):
        with contextlib.suppress(Limited):
            service.use_recovery_code(user, WRONG_RECOVERY_CODE)
    challenge = service.send_code(user)
    assert not service.verify_code(challenge, wrong(bandwidth.inbox[0]["code"]))
    with pytest.raises(Limited):
        service.verify_code(challenge, bandwidth.inbox[0]["code"])
    other = make_user("bob", OTHER_NUMBER)
    challenge = service.send_code(other)
    assert not service.verify_code(challenge, wrong(bandwidth.inbox[0]["code"]))
    assert service.use_recovery_code(other, give_recovery_codes(other)[0])


JUNK = [
    "",
    " ",
    "0",
    "wrong",
    "\x00" * 12,
    "\ud800" * 12,
    "é" * 12,
    "U" * 12,  # a letter that no code contains
    "A" * 11,
    "A" * 13,
    "A" * 10_000,
    "%s",
]


@pytest.mark.parametrize("junk", JUNK)
def test_what_cannot_be_a_recovery_code_is_wrong_and_is_not_counted(user: Any, junk: str) -> None:
    give_recovery_codes(user)
    assert not service.use_recovery_code(user, junk)
    assert not SecondFactor.objects.exists()


@pytest.mark.attack("G12")
def test_a_code_opens_a_locked_phone_factor_and_clears_nobody_elses(
    user: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when a lock also refuses recovery codes, or when the counts of other users are
    cleared."""
    configure(FAILURES_BEFORE_LOCK=1, RESEND_COOLDOWN=[0])
    other = make_user("bob", OTHER_NUMBER)
    for someone in (user, other):
        challenge = service.send_code(someone)
        assert not service.verify_code(challenge, wrong(bandwidth.inbox[0]["code"]))
        with pytest.raises(Locked):
            service.verify_code(challenge, bandwidth.inbox[0]["code"])
    sends = list(Counter.objects.order_by("key").values())
    assert service.use_recovery_code(user, give_recovery_codes(user)[0])
    assert service.verify_code(service.send_code(user), bandwidth.inbox[0]["code"])
    with pytest.raises(Locked):
        service.verify_code(challenge, bandwidth.inbox[1]["code"])
    assert [row["key"] for row in sends] == [
        row["key"] for row in Counter.objects.order_by("key").values()
    ]


@pytest.mark.django_db(transaction=True)
def test_inside_a_transaction_no_code_is_used(user: Any) -> None:
    """Fails when the use of a code is not durable: after a rollback the code would pass again."""
    user = make_user("eve")
    code = give_recovery_codes(user)[0]
    with transaction.atomic(), pytest.raises(RuntimeError):
        service.use_recovery_code(user, code)
    assert service.use_recovery_code(user, code)


def test_a_use_is_signalled_and_logged_without_the_code(user: Any, caplog: Any) -> None:
    heard: list[Any] = []

    def hear(**kwargs: Any) -> None:
        heard.append(kwargs["user"])

    code = give_recovery_codes(user)[0]
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
    give_recovery_codes(user)
    assert b"Use a recovery code" in client.get("/mfa/verify/").content


@pytest.mark.attack("N9")
def test_a_recovery_code_signs_in_while_bandwidth_is_down(
    client: Client, user: Any, bandwidth: Any
) -> None:
    bandwidth.fault(on="all", status=503)
    codes = give_recovery_codes(user)
    give_password(client, user, "/secret/")
    page = client.get("/mfa/verify/")
    assert b"could not send your code" in page.content
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
    codes = give_recovery_codes(user)
    give_password(client, user)
    client.get("/mfa/verify/")
    code = bandwidth.inbox[0]["code"]
    client.post("/mfa/verify/", {"code": wrong(code)})
    assert b"Use a recovery code" in post_form(client, "/mfa/verify/", {"code": code}).content
    client.post("/mfa/recovery-code/", {"recovery_code": codes[0]})
    assert state(client) == "verified"


def test_a_wrong_recovery_code_stays_out_and_is_reported_to_lockout_apps(
    client: Client, user: Any, bandwidth: Any
) -> None:
    """Fails when the result of the check is ignored: a wrong recovery code would sign the user
    in."""
    codes = give_recovery_codes(user)
    service.use_recovery_code(user, codes[0])
    heard: list[Any] = []

    def hear(credentials: Any, **kwargs: Any) -> None:
        heard.append(credentials)

    give_password(client, user)
    user_login_failed.connect(hear)
    try:
        page = post_form(client, "/mfa/recovery-code/", {"recovery_code": codes[0]})
    finally:
        user_login_failed.disconnect(hear)
    assert page.status_code == 200
    assert b"That recovery code is wrong or already used." in page.content
    assert codes[0].encode() not in page.content
    assert heard == [{"username": "ada", "token": "********"}]
    assert_shut(client)


def test_an_empty_recovery_code_is_an_error_of_the_form(
    client: Client, user: Any, bandwidth: Any
) -> None:
    give_recovery_codes(user)
    give_password(client, user)
    page = post_form(client, "/mfa/recovery-code/")
    assert b"Enter one of your recovery codes." in page.content
    assert b'name="recovery_code"' in client.get("/mfa/recovery-code/").content


@pytest.mark.parametrize("typed", ["7KQ2-M9XD-4TB", "7KQ2-M9XD-4TBN-", "my code", "U" * 12])
def test_a_text_that_cannot_be_a_recovery_code_has_another_message_than_a_wrong_code(
    client: Client, user: Any, bandwidth: Any, typed: str
) -> None:
    """A code with one character too few is the most likely typing mistake. It does not count as a
    guess."""
    give_recovery_codes(user)
    give_password(client, user)
    page = post_form(client, "/mfa/recovery-code/", {"recovery_code": typed}).text
    is_whole = typed.endswith("TBN-")
    assert ("12 letters and digits, like 7KQ2-M9XD-4TBN" in page) == (not is_whole)
    assert ("That recovery code is wrong or already used." in page) == is_whole
    counted = SecondFactor.objects.filter(recovery_failures=1)
    assert counted.exists() == is_whole


@pytest.mark.standard("V6.4.4", "63B-4.2.2.2")
@pytest.mark.attack("P38")
def test_nobody_uses_one_without_the_password(client: Client, user: Any) -> None:
    code = give_recovery_codes(user)[0]
    answer = client.post("/mfa/recovery-code/", {"recovery_code": code})
    assert answer["Location"].startswith("/accounts/login/")
    assert service.use_recovery_code(user, code)


@pytest.mark.attack("P31")
def test_a_password_changed_while_parked_makes_the_code_useless(
    client: Client, user: Any, bandwidth: Any
) -> None:
    code = give_recovery_codes(user)[0]
    give_password(client, user)
    user.set_password("another")
    user.save()
    client.post("/mfa/recovery-code/", {"recovery_code": code})
    assert state(client) == "anonymous"
    assert service.use_recovery_code(user, code)


def test_a_recovery_code_steps_up(client: Client, user: Any, bandwidth: Any) -> None:
    code = give_recovery_codes(user)[0]
    sign_in(client, user, bandwidth)
    with time_machine.travel(2_000_000_000, tick=False):
        sign_in(client, user, bandwidth)
    with time_machine.travel(2_000_000_100, tick=False):
        assert client.get("/transfer/").status_code == 302
        answer = client.post("/mfa/recovery-code/", {"recovery_code": code, "next": "/transfer/"})
        assert answer["Location"] == "/transfer/"
        assert client.get("/transfer/").content == b"transfer"


@pytest.mark.standard("63B-3.1.2.1")
@pytest.mark.attack("P12")
def test_new_codes_are_shown_once_and_take_a_fresh_second_factor(
    client: Client, user: Any, bandwidth: Any
) -> None:
    """Fails when the page requires no fresh code: somebody with a stolen session could make
    recovery codes and use them later."""
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
        shown = page.content.decode().split('<bdi dir="ltr">')[1][:14]
        assert shown not in client.get("/mfa/recovery-codes/").content.decode()
        assert "10 codes left" in client.get("/mfa/recovery-codes/").content.decode()
        assert str(dict(client.session.items())).count(shown) == 0
        clock.shift(300)
        assert client.post("/mfa/recovery-codes/").status_code == 302
        assert service.use_recovery_code(user, shown)


def test_each_copy_says_which_account_its_codes_open_and_where(
    client: Client, bandwidth: Any, configure: Any
) -> None:
    """Fails when the title is outside the text that the script copies, or when markup in a name is
    shown."""
    configure(RECOVERY_CODES=1)
    user = make_user("ada", OTHER_NUMBER)
    user.username = "<b>ada"
    user.save()
    with time_machine.travel(1_800_000_000, tick=False):
        sign_in(client, user, bandwidth)
        page = client.post("/mfa/recovery-codes/").content.decode()
    title = "Recovery codes for the account &lt;b&gt;ada at testserver, made on Jan. 15, 2027"
    assert f'<p id="bandwidth-mfa-codes-title">{title}</p>' in page


def test_the_page_leads_on_once_the_codes_are_said_to_be_saved(
    client: Client, user: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when a POST without the tick continues, makes a new set, or shows the codes again.
    Fails when the tick requires a fresh code: writing down the codes can take longer than a code is
    fresh."""
    configure(RECOVERY_CODES=2)
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        sign_in(client, user, bandwidth)
        page = client.post("/mfa/recovery-codes/", {"next": "/transfer/"}).content.decode()
        codes = CODE.findall(page)
        assert len(codes) == 2
        # Because of `required`, browsers do not send the form, even without a script.
        assert '<input type="checkbox" name="saved" required>' in page
        assert 'href="/transfer/"' not in page
        clock.shift(3000)
        untold = client.post("/mfa/recovery-codes/saved/", {"next": "/transfer/"})
        assert untold.status_code == 200
        assert b"Tick the box if you have saved your codes." in untold.content
        assert b'name="saved" required' in untold.content
        assert b"You have 2 codes left." in untold.content
        assert not CODE.search(untold.content.decode())
        saved = {"saved": "on", "next": "/transfer/"}
        assert client.post("/mfa/recovery-codes/saved/", saved)["Location"] == "/transfer/"
        back = client.get("/mfa/recovery-codes/saved/?next=/transfer/")
        assert back["Location"] == "/mfa/recovery-codes/?next=/transfer/"
    assert all(service.use_recovery_code(user, code) for code in codes)


def test_a_parked_login_cannot_say_that_codes_are_saved(client: Client, user: Any) -> None:
    give_password(client, user)
    answer = client.post("/mfa/recovery-codes/saved/", {"saved": "on"})
    assert answer["Location"].startswith("/mfa/verify/")


def test_the_page_says_how_long_to_wait_for_a_new_set(
    client: Client, user: Any, bandwidth: Any, configure: Any
) -> None:
    """Fails when the refusal is an error page."""
    configure(RECOVERY_CODES=1)
    with time_machine.travel(1_800_000_000, tick=False):
        sign_in(client, user, bandwidth)
        for _ in range(5):
            assert client.post("/mfa/recovery-codes/").status_code == 200
        answer = client.post("/mfa/recovery-codes/")
    page = answer.content.decode()
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 3600
    assert re.search(r"made new codes too often\. You can make more in \d+ minutes\.", page)
    assert "You have 1 code left." in page
    assert not CODE.search(page)


def test_a_site_may_have_none(client: Client, user: Any, bandwidth: Any, configure: Any) -> None:
    configure(RECOVERY_CODES=0)
    sign_in(client, user, bandwidth)
    assert b"Make recovery codes" not in client.get("/mfa/recovery-codes/").content
    client.post("/mfa/recovery-codes/")
    assert RecoveryCode.objects.left(user) == 0
