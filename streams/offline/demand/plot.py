"""The plot of forecasts: what sold by week, and the weeks to come with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streams.offline.evaluation.svg import ACCENT, INK, drawn

MOST: Final = 6
"""Series in a plot."""

WEEKS: Final = 26
"""Weeks of the past that are drawn."""

_WIDTH, _HEIGHT = 9.5, 2.1


def write_plot(path: Path, shown: Mapping[str, tuple[NDArray[np.float64], Mapping[str, Any]]]) -> None:
    """Write a plot of at most `MOST` series as SVG.

    Args:
        path: of the file, which is replaced.
        shown: by name the units by day, float64 [days], and the forecast.

    Raises:
        MissingLibraryError: matplotlib is not installed.
    """
    some = dict(list(shown.items())[:MOST])

    def draw(figure: Any) -> None:
        _draw(figure, some)

    path.write_text(drawn("demand", draw, _WIDTH, _HEIGHT * _rows(some) + 0.4), encoding="utf-8")


def _rows(shown: Mapping[str, Any]) -> int:
    return max(1, -(-len(shown) // 2))


def _draw(figure: Any, shown: Mapping[str, tuple[NDArray[np.float64], Mapping[str, Any]]]) -> None:
    panels: Sequence[Any] = figure.subplots(_rows(shown), 2, squeeze=False).ravel()
    for axes, (name, (units, told)) in zip(panels, shown.items(), strict=False):
        weeks = _weeks(units)
        axes.plot(range(1 - len(weeks), 1), weeks, color=INK, linewidth=1.2)
        for days, place in ((7, 1.0), (28, 2.5)):
            sums = told.get(f"units_{days}d")
            if sums is None:
                continue
            per_week = days / 7
            for level, width in ((95, 1.2), (80, 4.0)):
                low, high = sums[f"low_{level}"], sums[f"high_{level}"]
                if low is not None and high is not None:
                    ends = [low / per_week, high / per_week]
                    axes.plot([place, place], ends, color=ACCENT, linewidth=width, solid_capstyle="butt")
            axes.plot(place, sums["mean"] / per_week, "o", color=ACCENT, markersize=4)
        axes.set_title(_short(name), fontsize=8, loc="left", parse_math=False)
        axes.set_ylim(bottom=0)
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    figure.supxlabel(
        "weeks from the first day told; right of 0 the next 7 days, then a week of the next 28, with 80 and 95 %",
        fontsize=8,
    )
    figure.supylabel("units a week", fontsize=8)


def _weeks(units: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the units of whole weeks, the last one ending where the series does."""
    count = min(len(units) // 7, WEEKS)
    return np.asarray(units[len(units) - 7 * count :].reshape(count, 7).sum(axis=1))


def _short(name: str) -> str:
    plain = "".join(letter if letter.isprintable() else " " for letter in name)
    return plain if len(plain) <= 40 else f"{plain[:39]}…"
