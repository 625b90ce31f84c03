"""Convert typed and pasted text to plain characters, and put other texts into a sentence.

Devices produce different characters for the same code or number: an Arabic keyboard has its own
digits, a Japanese one has full-width digits, a word processor changes a hyphen to a dash, and a
copied number often begins and ends with an invisible direction mark.
"""

from __future__ import annotations

import unicodedata

from django.utils.translation import get_language_bidi

# A text message has at most 2,048 characters.  Longer texts are not read, to save processor time.
LONGEST = 4096

# The distance between full-width ASCII, U+FF01 to U+FF5E, and ASCII.
_FULL_WIDTH_OFFSET = 0xFEE0

# The minus sign, and two Japanese letters that keyboards produce in place of a hyphen.  In Unicode
# they are not in the category of dashes.
_OTHER_DASHES = "\N{MINUS SIGN}\N{KATAKANA-HIRAGANA PROLONGED SOUND MARK}" + (
    "\N{HALFWIDTH KATAKANA-HIRAGANA PROLONGED SOUND MARK}"
)


def plain(text: str) -> str:
    """Return ``text`` in plain characters.

    Decimal digits of any script become ASCII digits, full-width letters and signs become ASCII
    ones, all dashes become ``-``, and all white space becomes spaces.  Invisible characters are
    removed: zero-width characters, direction marks, soft hyphens.  All other characters are kept.

    >>> plain("４２–١")
    '42-1'

    :returns: the plain text; an empty text if ``text`` is longer than :data:`LONGEST`.
    """
    return "".join(map(_plain_character, text)) if len(text) <= LONGEST else ""


def end_once(sentence: str) -> str:
    """Return ``sentence`` with one full stop where a date or a time ends it.

    >>> end_once("You can try again at 3 p.m..")
    'You can try again at 3 p.m.'
    """
    return sentence.replace("..", ".")


def isolate(text: str) -> str:
    """Return ``text`` for use in a sentence of the active language, in the other direction, too.

    Without the two marks that it adds, a Hebrew name would reorder the English words around it.
    """
    other_way = ("L",) if get_language_bidi() else ("R", "AL")
    if any(unicodedata.bidirectional(character) in other_way for character in text):
        return f"\N{FIRST STRONG ISOLATE}{text}\N{POP DIRECTIONAL ISOLATE}"
    return text


def _plain_character(character: str) -> str:
    if character.isspace():
        return " "
    if character.isascii():
        return character
    category = unicodedata.category(character)
    if category == "Nd":  # a decimal digit
        return str(unicodedata.decimal(character))
    if category == "Pd" or character in _OTHER_DASHES:
        return "-"
    if category == "Cf":  # an invisible format character
        return ""
    if "\uff01" <= character <= "\uff5e":
        return chr(ord(character) - _FULL_WIDTH_OFFSET)
    return character
