"""A figure as SVG that follows the page's colour of text, light or dark, and whose tick labels keep apart."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from typing import Any, Final

from models.libraries import library

INK: Final = "#010203"
"""Replaced by `currentColor` in the SVG; a colour that nothing else has."""

ACCENT: Final = "#3b82c4"
COLOURS: Final = ("#3b82c4", "#d9822b", "#3a9d6e", "#b05fbf", "#c9504f", "#8f8f3a")
_RULES: Final = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.color": "#888888",
}
_GAP: Final = 4.0
"""The least distance between two tick labels of an axis, in points."""


def drawn(name: str, draw: Callable[[Any], None], width: float, height: float) -> str:
    """Return an <svg> element; the same figure gives the same text.

    Args:
        name: of the plot, which keeps its shapes apart from those of others on a page.
        draw: draws into a figure.
        width: in inches.
        height: in inches.

    Raises:
        MissingLibraryError: matplotlib is not installed.
    """
    matplotlib, figures = library("matplotlib"), library("matplotlib.figure")
    backend = library("matplotlib.backends.backend_svg")
    # The salt keeps the names of shapes apart, for all plots share a page.
    with matplotlib.rc_context({**_RULES, "svg.hashsalt": name}):
        figure = figures.Figure(figsize=(width, height), layout="constrained")
        # The last label of a panel is not to be read together with the first one of the next.
        figure.get_layout_engine().set(wspace=0.05)
        backend.FigureCanvasSVG(figure)
        draw(figure)
        _thin(figure)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    image = text.getvalue().replace(INK, "currentColor")
    image = image[image.index("<svg") :].replace('id="', f'id="{name}-').replace("url(#", f"url(#{name}-")
    return image.replace('xlink:href="#', f'xlink:href="#{name}-')


def _thin(figure: Any) -> None:
    """Keep only ticks of numbers whose labels stand apart, the first one always; names of things all stay."""
    ticker = library("matplotlib.ticker")
    figure.draw_without_rendering()
    for axes in figure.axes:
        for axis, along in ((axes.xaxis, "x"), (axes.yaxis, "y")):
            # An axis whose ticks are given has names on them.
            if isinstance(axis.get_major_locator(), ticker.FixedLocator):
                continue
            axis.set_minor_formatter(ticker.NullFormatter())
            kept = list(_apart(axis, along))
            axis.set_ticks([place for place, _ in kept], [label for _, label in kept])


def _apart(axis: Any, along: str) -> Iterator[tuple[float, str]]:
    """Yield place and label of the ticks in view, from the lowest, leaving out those too near to the one before."""
    low, high = sorted(axis.get_view_interval())
    end = -math.inf
    for place, label in sorted(zip(axis.get_ticklocs().tolist(), axis.get_ticklabels(), strict=True)):
        if low <= place <= high and label.get_text():
            box = label.get_window_extent()
            first, last = sorted((getattr(box, f"{along}0"), getattr(box, f"{along}1")))
            if first >= end + _GAP:
                end = last
                yield place, label.get_text()
