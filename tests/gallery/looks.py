"""The looks in which the gallery visits a state, its pictures, and its checks of each page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, Page

from tests.pseudo_language import LEFT_TO_RIGHT, RIGHT_TO_LEFT, ROOT, untranslated

NARROW, PHONE, DESK = 320, 390, 1280
HEIGHT = 800


@dataclass(frozen=True)
class Shot:
    """One picture: its width, and the colour settings of the browser."""

    width: int
    media: Mapping[str, str] = field(default_factory=dict)
    name: str = "light"


LIGHT = {"color_scheme": "light", "forced_colors": "none"}
DARK = {"color_scheme": "dark", "forced_colors": "none"}
FORCED = {"color_scheme": "light", "forced_colors": "active"}

ALL_SHOTS = (
    *(Shot(width, LIGHT, "light") for width in (NARROW, PHONE, DESK)),
    *(Shot(width, DARK, "dark") for width in (NARROW, PHONE, DESK)),
    Shot(PHONE, FORCED, "forced colours"),
)
ALL_WIDTHS = tuple(Shot(width, LIGHT, "light") for width in (NARROW, PHONE, DESK))


@dataclass(frozen=True)
class Look:
    """One way to visit a state."""

    name: str
    language: str
    shots: tuple[Shot, ...]
    javascript: bool = True
    is_pseudo: bool = False

    @property
    def page_language(self) -> str:
        """The language that the site chooses in this look."""
        return "en" if self.language == "en-US" else self.language


QUICK = Look("English", "en-US", (Shot(PHONE, LIGHT),))


def looks() -> Iterator[Look]:
    """Yield each way in which a state is visited."""
    yield Look("English", "en-US", ALL_SHOTS)
    yield Look("English, no JavaScript", "en-US", (Shot(NARROW, LIGHT), Shot(PHONE, LIGHT)), False)
    # Arabic, once it is there; before, the pseudo-language that is written like it.
    arabic = ROOT / "django_bandwidth_mfa/locale/ar/LC_MESSAGES/django.mo"
    language = "ar" if arabic.exists() else RIGHT_TO_LEFT
    yield Look("right to left", language, ALL_WIDTHS, is_pseudo=language == RIGHT_TO_LEFT)
    both = (Shot(NARROW, LIGHT), Shot(PHONE, LIGHT))
    yield Look("pseudo-language", LEFT_TO_RIGHT, both, is_pseudo=True)


@dataclass
class Picture:
    file: str
    look: str
    width: int
    media: str


@dataclass
class Result:
    """The pictures and the problems of one state."""

    name: str
    how: str
    rows_changed: str = ""
    pictures: list[Picture] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Examiner:
    """Takes pictures of pages, and finds their problems.

    :param folder: where the pictures go.
    :param axe: the source of axe-core.
    """

    def __init__(self, folder: Path, axe: str) -> None:
        self.folder = folder
        self.axe = axe
        self.axe_runs = 0

    def examine(
        self,
        page: Page,
        look: Look,
        result: Result,
        *,
        ours: bool = True,
        data: tuple[str, ...] = (),
    ) -> None:
        """Take the pictures of ``page``, and record its problems.

        :param ours: whether the whole page is the app's or the example's, and so must be right.
        :param data: texts on the page that no language has: names.
        """
        for shot in look.shots:
            page.set_viewport_size({"width": shot.width, "height": HEIGHT})
            page.emulate_media(**shot.media)  # type: ignore[arg-type]
            name = f"{result.name}-{look.name}-{shot.width}-{shot.name}"
            file = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") + ".png"
            page.screenshot(path=self.folder / file, full_page=True)
            result.pictures.append(Picture(file, look.name, shot.width, shot.name))
            if not ours:
                continue
            where = f"{look.name}, {shot.width} px, {shot.name}"
            if shot.width == NARROW:
                result.problems += [f"{where}: {one}" for one in overflow(page)]
            if look.javascript and shot.width == PHONE and shot.media is not FORCED:
                result.problems += [f"{where}: {one}" for one in self.violations(page)]
        if look.is_pseudo and ours:
            texts = untranslated(words_of(page), data=data)
            result.problems += [f"{look.name}: not translated: {text!r}" for text in texts]

    def violations(self, page: Page, *rules: str) -> Iterator[str]:
        """Yield what axe-core finds, by its usual rules or only by those that ``rules`` names."""
        self.axe_runs += 1
        page.evaluate(self.axe)
        options = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
        violations: list[dict[str, Any]] = page.evaluate(
            "async options => (await axe.run(document, options)).violations", options
        )
        for violation in violations:
            for node in violation["nodes"]:
                yield f"axe {violation['id']}: {violation['help']}: {node['html'][:160]}"


def overflow(page: Page, screen: int = NARROW) -> Iterator[str]:
    """Yield a problem if the page is wider than ``screen``, with the elements that are too wide."""
    width: int = page.evaluate("document.documentElement.scrollWidth")
    if width > screen:
        wide: list[str] = page.evaluate(
            """width => [...document.body.querySelectorAll('*')].filter(one => {
                const box = one.getBoundingClientRect();
                return box.right > width + 1 || box.left < -1;
            }).slice(0, 3).map(one => one.outerHTML.slice(0, 120))""",
            screen,
        )
        yield f"is {width} px wide: {wide}"


def words_of(page: Page) -> str:
    """Return the parts of the page that are the app's: its section with its title, its messages."""
    words: str = page.evaluate(
        """() => [...document.querySelectorAll('.bandwidth-mfa, .message, .bandwidth-mfa-message')]
            .map(one => one.outerHTML).join('\\n')"""
    )
    is_ours = page.locator(".bandwidth-mfa").count()
    return f"<p>{page.title()}</p>\n{words}" if is_ours else words


def complaint_of(message: ConsoleMessage) -> str | None:
    """Return what ``message`` says of the page; None if it is expected.

    Pages that refuse answer with a status that says so, as does the one without a database, and
    browsers look for an icon.
    """
    if message.type not in ("error", "warning"):
        return None
    if re.search(r"the server responded with a status of (4\d\d|503) ", message.text):
        return None
    return f"console: {message.text}"
