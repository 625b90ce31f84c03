"""Typed and pasted text, in the plain characters that the rest of the app reads; and people's own
words within a sentence (:func:`isolate`).

Keyboards and contacts differ: an Arabic keyboard types digits of its own, a Japanese one full-width
digits, a word processor turns a hyphen into a dash, and a copied number often begins and ends with
an invisible mark of its direction.  The codes and numbers behind such texts are the same.
"""

from __future__ import annotations

import unicodedata

from django.utils.translation import get_language_bidi

# A text message has 2,048 characters at most.  Longer texts are not read: that would only cost
# processor time.
LONGEST = 4096

# Full-width ASCII, U+FF01 to U+FF5E, lies this far behind ASCII.
_FULL_WIDTH_OFFSET = 0xFEE0

# The minus sign, and the two Japanese letters that a keyboard types in place of a hyphen.  Unicode
# does not count them among the dashes.
_OTHER_DASHES = "\N{MINUS SIGN}\N{KATAKANA-HIRAGANA PROLONGED SOUND MARK}" + (
    "\N{HALFWIDTH KATAKANA-HIRAGANA PROLONGED SOUND MARK}"
)


def plain(text: str) -> str:
    """Return ``text`` in plain characters.

    Decimal digits of any script become ASCII digits, full-width letters and signs become ASCII
    ones, all dashes become ``-``, and all white space becomes spaces.  Characters that nobody sees
    go: zero-width ones, marks of direction, soft hyphens.  All other characters stay.

    :returns: an empty text if ``text`` is longer than :data:`LONGEST`.
    """
    return "".join(map(_plain_character, text)) if len(text) <= LONGEST else ""


def isolate(text: str) -> str:
    """Return ``text`` for a sentence in the active language, which may run the other way.

    Without the two marks that are added, a Hebrew name would turn an English sentence around it.
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
    if category == "Cf":  # a format character: without width, or for the direction
        return ""
    if "\uff01" <= character <= "\uff5e":
        return chr(ord(character) - _FULL_WIDTH_OFFSET)
    return character
