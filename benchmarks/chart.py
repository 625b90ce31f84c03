"""Draws bars with whiskers as an SVG file. The same figures always give the same file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median


def draw(bars: Mapping[str, Mapping[str, Sequence[float]]], file: Path, title: str) -> None:
    """Draw one group of bars beside the other.

    :param bars: ``{group: {name: the figure of each round}}``.  A bar is as long as the median,
        its whisker reaches from the lowest to the highest.
    """
    import matplotlib

    matplotlib.use("svg")
    # Text as text, and no random names: the file is small, and the same when nothing has changed.
    matplotlib.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "benchmarks"}
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(
        1, len(bars), sharex=True, sharey=True, figsize=(10, 3.2), squeeze=False
    )
    for panel, (group, figures) in zip(panels[0], bars.items(), strict=True):
        middles = [median(values) for values in figures.values()]
        lows = [median(values) - min(values) for values in figures.values()]
        highs = [max(values) - median(values) for values in figures.values()]
        colours = ["#1f5fa8" if "bandwidth" in name else "#9aa5b1" for name in figures]
        drawn = panel.barh(list(figures), middles, xerr=[lows, highs], color=colours, ecolor="#444")
        panel.bar_label(drawn, [f"{middle:.1f}" for middle in middles], padding=4)
        panel.set_title(group)
        panel.margins(x=0.15)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0][0].invert_yaxis()
    figure.supxlabel(title)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None, "Creator": None})
