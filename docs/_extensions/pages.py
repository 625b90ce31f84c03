"""Adapts pages that are written for GitHub to Sphinx.

- A relative link that leaves the folder ``docs`` becomes a link to the repository. If the file is
  missing, Sphinx warns.
- A mark such as ``<!-- generated: settings -->`` becomes a part of the reference.
- The front page lists the pages under headings. The navigation is made from those lists. A page
  that is in none of them is added to the how-to guides, so that no page is lost.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

from . import generated

REPOSITORY = "https://github.com/django-bandwidth-mfa/django-bandwidth-mfa"
FRONT_PAGE = "index"
# The heading on the front page under which a page is put that is not in its lists.
DEFAULT_HEADING = "How-to guides"

logger = logging.getLogger(__name__)

# The address in `[text](../address)`, without its anchor.
_upward_link = re.compile(r"(?<=\]\()(?P<path>\.\./[^)#\s]*)")
_list_item = re.compile(r"^- \[[^]]*\]\(([\w/-]+)\.md\)", re.MULTILINE)


def prepare(app: Sphinx, page: str, source: list[str]) -> None:
    """Change the text of one page before Sphinx parses it: a receiver of ``source-read``."""
    text = generated.fill_in(source[0])
    text = link_to_repository(text, Path(app.srcdir), page)
    if page == FRONT_PAGE:
        text = add_navigation(text, app.env.found_docs)
    source[0] = text


def link_to_repository(text: str, docs: Path, page: str) -> str:
    """Return ``text`` with links to files outside of ``docs`` made absolute."""

    def replace(match: re.Match[str]) -> str:
        file = Path(os.path.normpath((docs / page).parent / match["path"]))
        if file.is_relative_to(docs):
            return match["path"]
        if not file.exists():
            logger.warning("there is no file %s", match["path"], location=page)
        kind = "tree" if file.is_dir() else "blob"
        return f"{REPOSITORY}/{kind}/main/{file.relative_to(docs.parent).as_posix()}"

    return _upward_link.sub(replace, text)


def add_navigation(text: str, pages: set[str]) -> str:
    """Return the front page with a table of contents after each of its lists.

    :param pages: the names of all pages, without ``.md``.
    """
    others = sorted(pages - set(_list_item.findall(text)) - {FRONT_PAGE})
    sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    return "".join(_with_navigation(section, others) for section in sections)


def _with_navigation(section: str, others: list[str]) -> str:
    heading = section.partition("\n")[0].removeprefix("## ")
    if heading == DEFAULT_HEADING:
        section = "\n".join([section.rstrip(), *(f"- [](/{page}.md)" for page in others), ""])
    pages = [page.removeprefix("/") for page in _list_item.findall(section)]
    return section + _table_of_contents(heading, pages) if pages else section


def _table_of_contents(caption: str, pages: list[str]) -> str:
    entries = "\n".join(pages)
    return f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{entries}\n```\n\n"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension; Sphinx calls this."""
    app.connect("source-read", prepare)
    # The front page depends on the names of all pages.
    app.connect("env-before-read-docs", _read_the_front_page_again)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _read_the_front_page_again(app: Sphinx, _env: object, pages: list[str]) -> None:
    if FRONT_PAGE not in pages:
        pages.append(FRONT_PAGE)
