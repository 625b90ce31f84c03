"""Correct the accessibility errors of the pages that Sphinx and its theme furo make.

- Code and tables that are wider than the screen can be reached, and scrolled, by keyboard.
- The captions of the navigation are headings with a level.
- The two sidebars, and the links to the page's source, are landmarks with names.
- An empty cell in the head of a table is no heading.
- The page with the results of a search has a heading.
"""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx

CHANGES = {
    "<pre>": '<pre tabindex="0">',
    '<div class="table-wrapper': '<div tabindex="0" class="table-wrapper',
    'class="caption" role="heading">': 'class="caption" role="heading" aria-level="2">',
    '<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="All pages">',
    '<aside class="toc-drawer">': '<aside class="toc-drawer" aria-label="This page">',
    '<div class="content-icon-container">': '<div class="content-icon-container" role="region" '
    'aria-label="Source and colours">',
    '<th class="head"><p></p></th>': "<td></td>",
    '<div id="search-results">': '<h1>Search</h1>\n<div id="search-results">',
}


def mend(app: Sphinx, failure: Exception | None) -> None:
    """Change the files that Sphinx has written: a receiver of ``build-finished``."""
    if failure is None and app.builder.format == "html":
        for file in Path(app.outdir).rglob("*.html"):
            text = file.read_text()
            for old, new in CHANGES.items():
                text = text.replace(old, new)
            file.write_text(text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension; Sphinx calls this."""
    app.connect("build-finished", mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
