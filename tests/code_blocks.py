"""The code blocks of the documents."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).resolve().parents[1]
PAGES = ["README.md", *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))]

FENCE = re.compile(r"^( *)```([\w-]*)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
# A line of a dict that a page shows without the dict.
ITEM = re.compile(r'^"\w+": ')


@dataclass(frozen=True)
class Block:
    """A code block, and the place where it begins."""

    page: str
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def label(self) -> str:
        """The comment in the first line, such as "settings.py, knox"; empty if there is none."""
        first = self.text.splitlines()[0]
        return first.removeprefix("# ") if first.startswith("# ") else ""

    def tree(self) -> ast.Module:
        """Return the syntax tree of a block of Python.

        A page may show only one setting: a line such as ``"MESSAGE": "…"`` is read as a dict.

        :raises SyntaxError: it is not Python.
        """
        try:
            return ast.parse(self.text, self.where)
        except SyntaxError:
            lines = self.text.splitlines()
            return ast.parse(
                "\n".join(f"{{{line}\n}}" if ITEM.match(line) else line for line in lines),
                self.where,
            )


def blocks(*languages: str, pages: list[str] = PAGES) -> Iterator[Block]:
    """Yield the blocks of ``pages`` in these languages; without a language, all blocks."""
    for page in pages:
        text = (ROOT / page).read_text()
        for match in FENCE.finditer(text):
            language = match[2]
            if not languages or language in languages:
                line = text[: match.start()].count("\n") + 1
                yield Block(page, line, language, dedent(match[3]))


def code(first_line: str, page: str = "docs/doors.md") -> str:
    """Return the block of Python on ``page`` whose first line is the comment ``first_line``."""
    [text] = [
        block.text for block in blocks("python", pages=[page]) if block.label.startswith(first_line)
    ]
    return text
