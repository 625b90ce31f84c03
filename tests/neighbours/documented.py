"""The code of docs/security.md that closes a door, as the tests run it."""

from __future__ import annotations

import re

from .site import ROOT


def code(first_line: str) -> str:
    """The block of Python whose first line is the comment ``first_line``."""
    page = (ROOT / "docs/security.md").read_text()
    blocks: list[str] = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    [found] = [block for block in blocks if block.splitlines()[0].startswith(f"# {first_line}")]
    return found
