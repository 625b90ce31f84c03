"""The page of the gallery, with all states, their pictures and their problems."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import Path

from .looks import Result

STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; margin: 1.5rem; color: #16201b; background: #eef1f4 }
nav { columns: 18rem; margin: 1rem 0 2rem }
section { border-top: 1px solid #8893a0; padding: 1rem 0 }
.row { display: flex; gap: 1rem; overflow-x: auto; align-items: start; padding: .5rem 0 }
figure { margin: 0; flex: none }
figcaption { font-size: .8rem; color: #4a5562 }
img { border: 1px solid #b8c1cb; background: #fff; height: 30rem; width: auto }
.problem { color: #a1131b; overflow-wrap: anywhere }
"""


def write_index(file: Path, results: Iterable[Result], summary: str) -> None:
    results = list(results)
    wrong = [one for one in results if one.problems]
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Gallery</title>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<style>{STYLE}</style><h1>Gallery</h1><p>{escape(summary)}</p>",
    ]
    if wrong:
        parts.append("<h2>What is wrong</h2><ul>")
        for one in wrong:
            items = "".join(f"<li class='problem'>{escape(text)}" for text in one.problems)
            parts.append(f"<li><a href='#{anchor(one)}'>{escape(one.name)}</a><ul>{items}</ul>")
        parts.append("</ul>")
    links = "<br>".join(f"<a href='#{anchor(one)}'>{escape(one.name)}</a>" for one in results)
    parts.append(f"<nav>{links}</nav>")
    for one in results:
        parts.append(f"<section id='{anchor(one)}'><h2>{escape(one.name)}</h2>")
        parts.append(f"<p>{escape(one.how)}</p>")
        if one.rows_changed:
            parts.append(f"<p>In the database: {escape(one.rows_changed)}.</p>")
        parts += [f"<p class='problem'>{escape(text)}</p>" for text in one.problems]
        for look in dict.fromkeys(picture.look for picture in one.pictures):
            figures = "".join(
                f"<figure><a href='{picture.file}'><img loading='lazy' src='{picture.file}' "
                f"alt=''></a><figcaption>{picture.width} px, {escape(picture.media)}</figcaption>"
                "</figure>"
                for picture in one.pictures
                if picture.look == look
            )
            parts.append(f"<h3>{escape(look)}</h3><div class='row'>{figures}</div>")
        parts.append("</section>")
    file.write_text("\n".join(parts), "utf-8")


def anchor(result: Result) -> str:
    return "".join(one if one.isalnum() else "-" for one in result.name.lower())
