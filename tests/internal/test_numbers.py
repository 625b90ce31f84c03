"""How phone numbers are read, which numbers are refused, and how numbers are shown."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import translation

from django_bandwidth_mfa.exceptions import NumberRefused
from django_bandwidth_mfa.internal import numbers


@pytest.mark.parametrize(
    "typed",
    [
        "+12025550142",
        "+1 202 555 0142",
        "+1 (202) 555-0142",
        " +1.202.555.0142 ",
        "\u202a+1 202-555-0142\u202c",  # as contacts on a phone copy it
        "\u200e\u2066+1\xa0(202)\u202f555\u20110142\u2069",
        "tel:+1-202-555-0142",
        "TEL: +1 202 555 0142",
        "00 1 202 555 0142",
        "(001) 202 555 0142",
        "＋１　（２０２）　５５５－０１４２",
        "+١ ٢٠٢ ٥٥٥ ٠١٤٢",
        "+۱ ۲۰۲ ۵۵۵ ۰۱۴۲",
    ],
)
@pytest.mark.parametrize("region", [None, "US", "GB", "JP"])
def test_the_ways_to_write_a_number_are_one_number(
    configure: Any, typed: str, region: str | None
) -> None:
    """The result is ASCII, and the site's region does not change a number with a country code.
    Fails for copied numbers when direction marks are refused."""
    configure(DEFAULT_REGION=region)
    number = numbers.parse(typed)
    assert number == "+12025550142"
    assert number.isascii()


def test_a_number_that_begins_with_two_zeros_is_of_another_country(configure: Any) -> None:
    """Fails when two zeros are accepted only in regions where people dial them."""
    for region in (None, "GB", "US", "BR"):
        configure(DEFAULT_REGION=region)
        assert numbers.parse("0044 20 7183 8750") == "+442071838750"
    configure(DEFAULT_REGION="US")
    assert numbers.parse("202 500 0042") == "+12025000042"
    assert numbers.parse("+1 202 500 0042") == "+12025000042"
    assert numbers.parse("011 44 20 7183 8750") == "+442071838750"
    for typed in ("00", "001", "00 12", "0044"):
        with pytest.raises(NumberRefused, match="look like"):
            numbers.parse(typed)


def test_a_number_without_country_code_is_the_default_regions(configure: Any) -> None:
    with pytest.raises(NumberRefused, match="country code"):
        numbers.parse("202 555 0142")
    configure(DEFAULT_REGION="US")
    assert numbers.parse("202 555 0142") == "+12025550142"
    configure(DEFAULT_REGION="GB")
    assert numbers.parse("020 7183 8750") == "+442071838750"


@pytest.mark.parametrize(
    "typed",
    ["", "+", "hello", "+1-800-FLOWERS", "+1555", "+\u0661\u0662\u0660\u0662", "tel:", "tel:tel:",
     "+12025550142;ext=9", "tel:+12025550142;phone-context=x", "+12025550142\x00",
     "mobile +12025550142", "+1202555014²", "+" + "1" * 40, "+12025550142" + " " * 9000],
)  # fmt: skip
def test_what_is_no_number_is_refused(typed: str) -> None:
    with pytest.raises(NumberRefused):
        numbers.parse(typed)


@pytest.mark.attack("S5")
@pytest.mark.parametrize("number", ["+18005550199", "+19002345678", "+449012345678"])
def test_numbers_that_cost_somebody_money_are_refused(number: str) -> None:
    """Fails when no type of number is refused: owners of premium-rate numbers earn money with each
    call."""
    with pytest.raises(NumberRefused, match="kind of number"):
        numbers.check(number)


@pytest.mark.attack("S5")
@pytest.mark.parametrize(
    "number",
    [
        "+447012345678",  # a British personal number, which looks like a mobile phone's
        "+881612345678",  # Iridium
        "+870773111632",  # Inmarsat
        "+883510012345",  # an international network
        "+878101234567890",  # a universal personal number
    ],
)
def test_personal_numbers_and_numbers_of_no_country_are_refused(number: str) -> None:
    """Fails when only premium-rate and similar types are refused, or when the region 001 counts as
    a country."""
    with pytest.raises(NumberRefused, match="kind of number"):
        numbers.check(number)
    with pytest.raises(NumberRefused):
        numbers.parse(number)


@pytest.mark.attack("S5")
def test_numbers_of_no_country_are_allowed_by_name_only(configure: Any) -> None:
    configure(ALLOWED_REGIONS=["US"])
    with pytest.raises(NumberRefused, match="kind of number"):
        numbers.check("+881612345678")
    configure(ALLOWED_REGIONS=["001", "US"])
    assert numbers.parse("+881612345678") == "+881612345678"
    numbers.check("+12025550142")
    assert numbers.example().startswith("+1 ")
    for refused in ("+442071838750", "+979123456789"):  # another country; premium rate
        with pytest.raises(NumberRefused):
            numbers.check(refused)


@pytest.mark.attack("S5")
def test_a_region_is_more_than_its_country_code(configure: Any) -> None:
    """Fails when ``+1`` counts as one country."""
    configure(ALLOWED_REGIONS=["US"])
    numbers.check("+12025550142")
    for elsewhere in ("+14165550123", "+18765550123", "+442071838750"):
        with pytest.raises(NumberRefused, match="country"):
            numbers.check(elsewhere)


def test_a_masked_number_shows_two_digits_and_no_length() -> None:
    assert numbers.mask("+12025550142") == "••42"
    assert numbers.mask("+4912345678") == "••78"


def test_a_sentence_names_a_phone_by_its_name_and_two_digits() -> None:
    assert numbers.label("+12025550142") == "ending in 42"
    assert numbers.label("+12025550142", "Work") == "“Work” (ending in 42)"
    with translation.override("es"):
        assert numbers.label("+12025550142", "Work") == "«Work» (terminado en 42)"


def test_a_name_that_runs_the_other_way_does_not_turn_the_sentence() -> None:
    """Fails when the sentence has no direction marks around the name."""
    assert numbers.label("+12025550142", "עבודה") == "“\u2068עבודה\u2069” (ending in 42)"
    with translation.override("he"):
        assert "\u2068Work\u2069" in numbers.label("+12025550142", "Work")
        assert "\u2068" not in numbers.label("+12025550142", "עבודה")


def test_the_example_is_one_of_the_sites_region(configure: Any) -> None:
    assert numbers.example().startswith("+1 ")
    configure(DEFAULT_REGION="DE")
    assert numbers.example().startswith("+49 ")
