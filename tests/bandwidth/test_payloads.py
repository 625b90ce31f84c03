from __future__ import annotations

import json
from decimal import Decimal

import pytest

from django_bandwidth_mfa.bandwidth import E164, is_e164
from django_bandwidth_mfa.bandwidth.payloads import Payload

GOOD: dict[str, object] = {
    "to": "+19195551234",
    "from_": "+19195554321",
    "application_id": "1234-asdf",
    "scope": "sign-in",
    "message": "Your code is {CODE}",
    "digits": 6,
    "code": "735190",
    "expiration_minutes": 3,
    "callback_url": "https://example.com/receipts/hush-hush",
}
BAD: dict[str, list[object]] = {
    "to": [
        "", None, 14155550123, "14155550123", "+09195551234", "+1", "+1234567890123456",
        "+1919555123x", "+1 9195551234", "+19195551234\n", b"+19195551234",
        "+1919555\u0661\u0662\u0663\u0664",
    ],
    "from_": ["", "+", "9195554321", "+0", "+" + "1" * 33],
    "application_id": ["", None, 5, "x" * 51],
    "scope": ["", None, "x" * 26],
    "message": ["", None, "no code", "{code}", "{CODE}" + "x" * 2043],
    "digits": [1, 9, 0, -6, True, "6", 6.0, None],
    "code": ["", "1", "12345", "1234567", "123456789", "73519o", "735190\n", 735190,
             "\uff17\uff13\uff15\uff11\uff19\uff10"],
    "expiration_minutes": [0, -1, 15.5, 16, True, "3", None, float("nan"), Decimal(3)],
    "callback_url": [
        "", "ftp://example.com", "//example.com", "https://", "https://[1", "javascript:x", 5,
        "https://example.com/a b", "https://example.com:x/", "https://example.com/\n",
    ],
}  # fmt: skip


@pytest.mark.parametrize("number", BAD["to"])
def test_what_is_no_e164_number_is_told_from_one(number: object) -> None:
    assert is_e164(number) is False
    if isinstance(number, str):
        assert E164.fullmatch(number) is None


@pytest.mark.parametrize("number", ["+19195551234", "+12", "+123456789012345"])
def test_an_e164_number_is_known(number: str) -> None:
    assert is_e164(number) is True
    assert E164.fullmatch(number) is not None


def test_good_fields_pass() -> None:
    Payload(**GOOD).validate()


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values]
)
def test_a_bad_field_is_named_and_its_value_is_not_repeated(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must ") as caught:
        Payload(**{**GOOD, name: value}).validate()
    if isinstance(value, str) and len(value) > 3:
        assert value not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("to", "+123456789012345"),
        ("to", "+12"),
        ("scope", "x" * 25),
        ("application_id", "x" * 50),
        ("message", "{CODE}" + "x" * 2042),
        ("expiration_minutes", 0.5),
        ("expiration_minutes", 15),
        ("callback_url", "http://127.0.0.1:8000/receipts/"),
    ],
)
def test_the_edges_of_the_rules_pass(name: str, value: object) -> None:
    Payload(**{**GOOD, name: value}).validate()


@pytest.mark.parametrize("digits", range(2, 9))
def test_codes_of_2_to_8_digits_pass_where_digits_says_so(digits: int) -> None:
    Payload(code="0" * digits, digits=digits).validate()
    with pytest.raises(ValueError, match=r"^code must have exactly as many digits"):
        Payload(code="0" * digits, digits=digits - 1 if digits > 2 else 3).validate()


def test_the_json_has_bandwidths_names_and_keeps_integers() -> None:
    assert json.loads(Payload(**GOOD).encode().reveal()) == {
        "to": "+19195551234",
        "from": "+19195554321",
        "applicationId": "1234-asdf",
        "scope": "sign-in",
        "message": "Your code is {CODE}",
        "digits": 6,
        "code": "735190",
        "expirationTimeInMinutes": 3,
        "callbackUrl": "https://example.com/receipts/hush-hush",
    }
    assert b'"expirationTimeInMinutes": 3,' in Payload(**GOOD).encode().reveal()


def test_neither_a_payload_nor_its_encoding_shows_a_value() -> None:
    """Fails if `Payload` becomes a dict or dataclass, or `encode` returns bytes."""
    payload = Payload(**GOOD)
    shown = repr(payload) + str(payload) + repr(payload.encode()) + str(payload.encode())
    for value in ("+19195551234", "+19195554321", "735190", "hush-hush"):
        assert value not in shown
