"""The code of the documentation, as the tests run it."""

from __future__ import annotations

import re

from .site import ROOT


def code(first_line: str, page: str = "docs/doors.md") -> str:
    """Return the block of Python on ``page`` whose first line is the comment ``first_line``."""
    text = (ROOT / page).read_text()
    blocks: list[str] = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    [found] = [block for block in blocks if block.splitlines()[0].startswith(f"# {first_line}")]
    return found
