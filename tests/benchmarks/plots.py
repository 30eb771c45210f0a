"""Small plots of results, as SVG: text stays text, and the same figures give the same file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from benchmarks.harness import RESULTS

mpl.use("svg")
mpl.rcParams.update({"svg.hashsalt": "wherewithal", "svg.fonttype": "none", "font.size": 9, "axes.grid": True})

from matplotlib import pyplot  # noqa: E402  (the backend is chosen first)

Points = Sequence[tuple[float, float]]


def bars(name: str, title: str, values: Sequence[tuple[str, float]]) -> None:
    """Draw one horizontal bar per side, the first on top."""
    figure, axes = pyplot.subplots(figsize=(7, 0.45 * len(values) + 1))
    labels = [label for label, _ in values]
    drawn = axes.barh(labels, [value for _, value in values])
    axes.bar_label(drawn, fmt="{:,.0f}", padding=3)
    axes.margins(x=0.15)
    axes.invert_yaxis()
    axes.set_title(title)
    _save(name, figure)


def lines(name: str, panels: Sequence[Mapping[str, Any]]) -> None:
    """Draw panels side by side.

    Args:
        name: of the file.
        panels: each with `title`, `x`, `y` (labels), `series` (name to points), and `log_x` / `log_y`.
    """
    figure, grid = pyplot.subplots(1, len(panels), figsize=(4.2 * len(panels), 3.2), squeeze=False)
    for axes, panel in zip(grid[0], panels, strict=True):
        for label, points in panel["series"].items():
            axes.plot([x for x, _ in points], [y for _, y in points], marker="o", label=label)
        if panel.get("log_x"):
            axes.set_xscale("log")
        if panel.get("log_y"):
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        axes.set_xlabel(panel["x"])
        axes.set_ylabel(panel["y"])
        axes.set_title(panel["title"])
        axes.legend()
    _save(name, figure)


def _save(name: str, figure: Any) -> None:
    RESULTS.mkdir(exist_ok=True)
    figure.tight_layout()
    figure.savefig(RESULTS / f"{name}.svg", metadata={"Date": None})
    pyplot.close(figure)
