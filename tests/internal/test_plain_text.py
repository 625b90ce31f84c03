"""The characters that people type and paste."""

from __future__ import annotations

import unicodedata

import pytest

from django_bandwidth_mfa.internal.plain_text import LONGEST, plain


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("１２３４５６", "123456"),  # full width
        ("٠١٢٣٤٥", "012345"),  # Arabic-Indic
        ("۰۱۲۳۴۵", "012345"),  # Persian
        ("०१२३४५", "012345"),  # Devanagari
        ("\U0001d7ce\U0001d7cf", "01"),  # bold, as some people decorate texts
        ("123\N{EN DASH}456", "123-456"),
        ("123\N{EM DASH}456", "123-456"),
        ("123\N{NON-BREAKING HYPHEN}456", "123-456"),
        ("123\N{MINUS SIGN}456", "123-456"),
        ("０９０ー１２３４", "090-1234"),
        ("123\N{NO-BREAK SPACE}456\N{NARROW NO-BREAK SPACE}7\N{IDEOGRAPHIC SPACE}8", "123 456 7 8"),
        ("123\t456\n", "123 456 "),
        ("12\N{ZERO WIDTH SPACE}34\N{ZERO WIDTH NO-BREAK SPACE}56", "123456"),
        ("12\N{SOFT HYPHEN}34\N{WORD JOINER}", "1234"),
        ("\N{LEFT-TO-RIGHT MARK}12\N{RIGHT-TO-LEFT MARK}\N{ARABIC LETTER MARK}", "12"),
        ("\u202a+1 202\u202c\u2066 555\u2069", "+1 202 555"),
        ("（＋４４）　ｔｅｌ：／．", "(+44) tel:/."),
        ("Größe ½ ² ① 六", "Größe ½ ² ① 六"),  # no decimal digits
        ("a\x00b_c", "a\x00b_c"),
        ("", ""),
    ],
)
def test_a_text_is_read_in_plain_characters(typed: str, read: str) -> None:
    assert plain(typed) == read


def test_every_decimal_digit_of_unicode_is_one_of_ours() -> None:
    """Fails when the digits of only some scripts are read."""
    digits = [c for c in map(chr, range(0x110000)) if unicodedata.category(c) == "Nd"]
    assert len(digits) > 600
    assert all(plain(c) == str(unicodedata.decimal(c)) for c in digits)


def test_plain_ascii_stays_as_it_is_but_for_white_space() -> None:
    text = "".join(map(chr, range(0x80)))
    assert plain(text) == "".join(" " if c.isspace() else c for c in text)


def test_a_text_that_is_too_long_is_not_read() -> None:
    """Fails when a text of several megabytes is read to its end."""
    assert plain("1" * LONGEST) == "1" * LONGEST
    assert plain("1" * (LONGEST + 1)) == ""
