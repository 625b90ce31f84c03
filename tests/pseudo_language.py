"""Pseudo-languages: all texts of the app, longer and between brackets.  A text without brackets
cannot be translated, and is easy to see.

``en-xa`` is written from left to right, ``ar-xb`` from right to left.  They are made from the
messages of the Spanish catalogue, which is complete, and exist only while a test runs.  A site
loads them from ``LOCALE_PATHS``::

    I expect "Send me a code" to be shown as "⟦Śéénd méé áá çóódéé⟧".
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SPANISH = ROOT / "django_bandwidth_mfa/locale/es/LC_MESSAGES/django.mo"

LEFT_TO_RIGHT, RIGHT_TO_LEFT = "en-xa", "ar-xb"
FOLDERS = {LEFT_TO_RIGHT: "en_XA", RIGHT_TO_LEFT: "ar_XB"}

# Parts that a translation keeps: "%(name)s", "%s", "%%", "{NAME}", and the tags of HTML.
PLACEHOLDER = re.compile(r"%\([^)]*\)[-+ #0]*\d*(?:\.\d+)?[a-z]|%[a-z%]|\{[A-Za-z_]+\}")
TAG = re.compile(r"</?[a-zA-Z][^>]*>")
KEPT = re.compile(f"({PLACEHOLDER.pattern}|{TAG.pattern})")

OPEN, CLOSE = "⟦", "⟧"
ACCENTS = str.maketrans("aceinosuyzACEINOSUYZ", "áçéíñóśúýžÁÇÉÍÑÓŚÚÝŽ")
VOWEL = re.compile("[aeiouAEIOU]")

# Parts of a text that are not the app's: recovery codes, addresses, numbers with the characters
# between their digits, names of browsers and files, and texts that Django itself writes.
NO_LANGUAGE = re.compile(
    r"\b[0-9A-Z]{4}(?:-[0-9A-Z]{4})+\b|Ensure this value has at most \d+ characters \([^)]*\)\."
    r"|"
    r"[\w.+-]+@[\w.-]+|https?://\S+|127\.0\.0\.1(?::\d+)?|\+?\d[\d ()./:,+-]*"
    r"|\b(?:Chrome|Linux|UTC|txt)\b|\b[ap]\.m\.|\b(?:noon|midnight)\b"
    r"|\b(?:Jan|Feb|Mar|Apr|May|June|July|Aug|Sept|Oct|Nov|Dec)[a-z]*\b"
)
WORD = re.compile(r"[^\W\d_]{2,}")


def pseudo(text: str) -> str:
    """Return ``text`` in the pseudo-language: vowels are doubled, so it is about 40 % longer."""
    core = text.strip()
    parts = KEPT.split(core)
    changed = "".join(
        part if place % 2 else VOWEL.sub(r"\g<0>\g<0>", part).translate(ACCENTS)
        for place, part in enumerate(parts)
    )
    return text.replace(core, f"{OPEN}{changed}{CLOSE}", 1) if core else text


def write_catalogues(folder: Path) -> None:
    """Write the compiled catalogues of both pseudo-languages below ``folder``."""
    originals = [original for original, _ in read_compiled(SPANISH.read_bytes()) if original]
    for code, name in FOLDERS.items():
        header = (
            f"Language: {name}\nContent-Type: text/plain; charset=UTF-8\n"
            "Plural-Forms: nplurals=2; plural=(n != 1);\n"
        )
        pairs = [("", header)]
        for original in originals:
            context, _, text = original.rpartition("\4")
            forms = [pseudo(form) for form in text.split("\0")]
            if context == "code of this language":
                forms = [code]
            pairs.append((original, "\0".join(forms)))
        path = folder / name / "LC_MESSAGES/django.mo"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(compile_pairs(pairs))


def read_compiled(data: bytes) -> list[tuple[str, str]]:
    """Return the pairs of a compiled catalogue.

    ``\\4`` separates a context from its message, ``\\0`` separates plural forms.
    """
    order = "<" if data[:4] == b"\xde\x12\x04\x95" else ">"
    count, originals, translations = struct.unpack(f"{order}3I", data[8:20])

    def text(table: int, place: int) -> str:
        length, start = struct.unpack_from(f"{order}2I", data, table + 8 * place)
        return data[start : start + length].decode()

    return [(text(originals, place), text(translations, place)) for place in range(count)]


def compile_pairs(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Return a compiled catalogue. https://www.gnu.org/software/gettext/manual/ has the format."""
    encoded = sorted((original.encode(), translation.encode()) for original, translation in pairs)
    count = len(encoded)
    start = 28 + 16 * count
    tables: list[int] = []
    strings = b""
    for column in (0, 1):
        for pair in encoded:
            tables += [len(pair[column]), start + len(strings)]
            strings += pair[column] + b"\0"
    header = struct.pack("<7I", 0x950412DE, 0, count, 28, 28 + 8 * count, 0, start)
    return header + struct.pack(f"<{len(tables)}I", *tables) + strings


# Finding texts that are not translated --------------------------------------------------------


class _Texts(HTMLParser):
    """Collects the texts of a page that people read, and those for screen readers."""

    SILENT = frozenset({"script", "style"})
    READ = frozenset(
        {"alt", "aria-label", "placeholder", "title"}
        # Sentences for the scripts of the app.
        | {"data-busy", "data-clock", "data-copied", "data-countdown", "data-file", "data-over"}
    )
    # Elements inside a sentence.
    INLINE = frozenset({"a", "b", "bdi", "br", "em", "i", "small", "span", "strong"})

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = [""]
        self._silent = 0

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._silent += tag in self.SILENT
        self._break(tag)
        values = dict(attributes)
        read = [value for name, value in attributes if name in self.READ]
        if tag == "input" and values.get("type") in ("submit", "button"):
            read.append(values.get("value"))
        for text in read:
            self.texts += [text or "", ""]

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in self.SILENT
        self._break(tag)

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.texts[-1] += data

    def _break(self, tag: str) -> None:
        if tag not in self.INLINE:
            self.texts.append("")


def untranslated(html: str, *, data: Iterable[str] = ()) -> list[str]:
    """Return the texts of ``html`` that have words and are not in brackets.

    :param data: texts that are not the app's, such as names of people and of the site.
    """
    parser = _Texts()
    parser.feed(html)
    parser.close()
    texts = []
    for text in parser.texts:
        outside = outside_brackets(text)
        for name in data:
            outside = outside.replace(name, " ")
        if WORD.search(NO_LANGUAGE.sub(" ", outside)):
            texts.append(" ".join(text.split()))
    return texts


def outside_brackets(text: str) -> str:
    """Return the parts of ``text`` outside of brackets.  Brackets can be nested."""
    depth, outside = 0, ""
    for character in text:
        if character == OPEN:
            depth += 1
        elif character == CLOSE:
            depth -= 1
        elif not depth:
            outside += character
    return outside
