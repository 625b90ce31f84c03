"""Draws ``docs/parking.svg``: what happens to a session from the password to the code.

``python -m docs._diagrams.parking`` writes the file.  ``tests/test_parking_diagram.py`` compares it
with what is drawn here, and each box with the session of a login that it makes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Literal

FILE = Path(__file__).parents[1] / "parking.svg"

# Pixels.  A phone shows a page of 390 pixels without making this smaller.
WIDTH = 350
# The width of the drawing on a larger screen.
LARGE_WIDTH = 480
MARGIN, GAP, PADDING, LINE = 6, 20, 12, 17

TITLE = "What happens to a session from the password to the code"

State = Literal["anonymous", "in memory only", "parked", "deleted", "verified"]
# The names of the two colours of each state in the style below.
COLOURS: dict[State, str] = {
    "anonymous": "nobody",
    "in memory only": "moment",
    "parked": "parked",
    "deleted": "nobody",
    "verified": "verified",
}

DJANGO: dict[str, str] = {"_auth_user_id": "", "_auth_user_backend": "", "_auth_user_hash": ""}
PARKED = "_bandwidth_mfa_parked"
MARK = "_bandwidth_mfa_mark"


@dataclass(frozen=True)
class Box:
    """One step of a login.

    ``text`` is what happens, one item for each line. ``session`` has the keys that the session then
    contains, each with the fields of its value that the drawing shows.
    """

    title: str
    state: State
    text: tuple[str, ...]
    session: dict[str, str] = field(default_factory=dict)


WAITING = {PARKED: "user backend hash at next"}

BOXES = (
    Box(
        "The login page",
        "anonymous",
        ("Nobody has given a password yet.",),
    ),
    Box(
        "The password is right",
        "in memory only",
        (
            "The login view calls Django's login(). It gives",
            "the session a new key, and puts the user into it.",
        ),
        DJANGO,
    ),
    Box(
        "Is a code owed?",
        "in memory only",
        (
            "login() sends user_logged_in. Our receiver asks",
            "the policy. “No”: the login is complete, and",
            "marked as exempt. “Yes”: it goes on below.",
        ),
        DJANGO,
    ),
    Box(
        "The login is parked",
        "parked",
        (
            "The receiver moves Django's three keys into one",
            "key of ours. From now on nobody is signed in.",
        ),
        {PARKED: "user backend hash at"},
    ),
    Box(
        "The redirect leads to the code page",
        "parked",
        (
            "Our middleware changes where the login view's",
            "redirect leads, and keeps its target as next.",
        ),
        WAITING,
    ),
    Box(
        "Every other page finds nobody",
        "parked",
        (
            "login_required, the admin and REST framework",
            "look for Django's keys. They are not there.",
        ),
        WAITING,
    ),
    Box(
        "The code page has a code sent",
        "parked",
        (
            "Bandwidth makes the code and sends it. The time",
            "and the phone go into the database.",
        ),
        WAITING,
    ),
    Box(
        "A wrong code",
        "parked",
        (
            "The try is counted in the database, and then",
            "Bandwidth is asked. The login stays parked.",
        ),
        WAITING,
    ),
    Box(
        "The right code",
        "deleted",
        (
            "Bandwidth answers “valid”: true. The stored",
            "session is deleted. If it was gone already, the",
            "login ends here.",
        ),
    ),
    Box(
        "The login is made again",
        "verified",
        (
            "login() stores a session under a new key, with a",
            "mark of ours. The visitor is led to next.",
        ),
        {**DJANGO, MARK: "user state at method phone"},
    ),
)

# Each colour for a light page, and for a dark one.
STYLE = """
  svg { --page: #ffffff; --box: #f6f8fa; --text: #1f2328; --line: #59636e;
    --nobody: #59636e; --moment: #8a4600; --parked: #0550ae; --verified: #116329; }
  @media (prefers-color-scheme: dark) {
    svg { --page: #131416; --box: #1f2328; --text: #f0f6fc; --line: #9198a1;
      --nobody: #b1bac4; --moment: #ffb25e; --parked: #79c0ff; --verified: #56d364; }
  }
  text { fill: var(--text); font: 12.5px system-ui, "Segoe UI", Roboto, Arial, sans-serif; }
  .title { font-weight: 700; font-size: 14px; }
  .key { font: 11.5px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
  .page { fill: var(--page); }
  .box { fill: var(--box); stroke: var(--line); }
  .arrow { fill: none; stroke: var(--line); stroke-width: 1.5; }
  .state { text-anchor: end; font-weight: 600; }
  .nobody { fill: var(--nobody); }
  .moment { fill: var(--moment); }
  .parked { fill: var(--parked); }
  .verified { fill: var(--verified); }
"""


def session_lines(session: dict[str, str]) -> Iterator[str]:
    """Yield the lines that tell what is in the session, with a label at the first."""
    rest = dict(session)
    keys = []
    if rest.keys() >= DJANGO.keys():
        keys += ["_auth_user_id, _auth_user_backend,", "_auth_user_hash"]
        rest = {key: fields for key, fields in rest.items() if key not in DJANGO}
    for key, fields in rest.items():
        keys += [key, "  " + ", ".join(fields.split())]
    yield from keys or ["nothing"]


def description() -> str:
    """Return the content of the drawing as a text for people who cannot see it."""
    parts = []
    for number, box in enumerate(BOXES, start=1):
        session = ", ".join(
            f"{key} ({', '.join(fields.split())})" if fields else key
            for key, fields in box.session.items()
        )
        state, text = box.state, " ".join(box.text)
        parts.append(f"{number}. {box.title} ({state}). {text} Session: {session or 'nothing'}.")
    return " ".join(parts)


def draw_box(number: int, box: Box, top: int) -> tuple[str, int]:
    """Return the elements of one box, and its height in pixels."""
    left, right = MARGIN, WIDTH - MARGIN
    x, y = left + PADDING + 4, top + 21
    colour = COLOURS[box.state]
    elements = [f'<text class="title" x="{x}" y="{y}">{number}. {escape(box.title)}</text>']
    y += 3
    for line in box.text:
        y += LINE
        elements.append(f'<text x="{x}" y="{y}">{escape(line, quote=False)}</text>')
    y += LINE + 5
    elements.append(f'<text x="{x}" y="{y}">In the session:</text>')
    state = f'<text class="state {colour}" x="{right - PADDING}" y="{y}">{box.state}</text>'
    elements.append(state)
    for line in session_lines(box.session):
        y += LINE - 1
        indent = 14 * line.startswith("  ")
        elements.append(f'<text class="key" x="{x + indent}" y="{y}">{line.strip()}</text>')
    height = y + PADDING - top
    width = right - left
    frame = f'<rect class="box" x="{left}" y="{top}" width="{width}" height="{height}" rx="6"/>'
    stripe = f'<rect class="{colour}" x="{left}" y="{top}" width="6" height="{height}" rx="3"/>'
    return "\n".join([frame, stripe, *elements]), height


def draw() -> str:
    """Return the drawing, as the text of an SVG file."""
    parts, top = [], MARGIN
    for number, box in enumerate(BOXES, start=1):
        part, height = draw_box(number, box, top)
        parts.append(part)
        top += height
        if number < len(BOXES):
            middle, end = WIDTH // 2, top + GAP - 2
            tip = f"M{middle - 5} {end - 6} L{middle} {end} L{middle + 5} {end - 6}"
            parts.append(f'<path class="arrow" d="M{middle} {top + 1} V{end} {tip}"/>')
            top += GAP
    height = top + MARGIN
    large_height = round(height * LARGE_WIDTH / WIDTH)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
            f' width="{LARGE_WIDTH}" height="{large_height}" role="img"'
            ' aria-labelledby="title description">',
            f'<title id="title">{escape(TITLE)}</title>',
            f'<desc id="description">{escape(description(), quote=False)}</desc>',
            f"<style>{STYLE}</style>",
            f'<rect class="page" width="{WIDTH}" height="{height}"/>',
            *parts,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    FILE.write_text(draw(), encoding="utf-8")
