"""Forecasts of a year of real sales, held to what was sold, beside the forecasts that they have to beat.

The protocol is in `streams.offline.demand.protocol`, and was fixed first. Two parts of the year are told apart:
methods are chosen on the earlier origins, by their mean scaled error over that of the moving average, and the later
origins judge the chosen one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.demand.conformal import LEVELS, backs_for, bands
from models.demand.intermittence import Pattern
from models.demand.measures import coverage, errors, scale
from models.demand.methods import BASELINES, BLENDS, CHOSEN, SEASON, SINGLE, Vector
from models.demand.rolling import HORIZONS, Rolled, roll
from models.measures.bootstrap import INTERVAL, resampled_rows
from streams.offline.demand.protocol import CHOOSING, JUDGING, LAST_DAY
from streams.progress import Progress

METHODS: Final = (*SINGLE, *BLENDS)
"""Those in contest."""

DRAWS: Final = 200
"""Resamplings of the series behind an interval of a lead."""

_MOST_LOST: Final = 15
"""Series named of those on which a baseline is better."""


class Judged:
    """Forecasts of one set of series at some origins, flattened to those that can be judged at a horizon.

    Attributes:
        rows: int64 [n], the series of each.
        patterns: of each, at its origin.
        sold: float64 [n], units.
        absolute: float64 [n], the scale of its errors.
        square: float64 [n], the scale of squared errors.
    """

    def __init__(self, rolled: Rolled, series: Sequence[Vector], origins: Sequence[int], place: int) -> None:
        cells, scales = [], []
        for row, units in enumerate(series):
            for back in origins:
                column = rolled.backs.index(back)
                told = all(np.isfinite(means[row, column, place]) for means in rolled.means.values())
                measured = scale(units[: len(units) - back], HORIZONS[place]) if told else None
                if measured is not None:
                    cells.append((row, column))
                    scales.append((measured.absolute, measured.square))
        places = np.array(cells, dtype=np.int64).reshape(-1, 2)
        self.rows, self._columns, self._place = places[:, 0], places[:, 1], place
        self._rolled = rolled
        self.patterns = rolled.patterns[self.rows, self._columns]
        self.sold = rolled.sold[self.rows, self._columns, place]
        self.absolute, self.square = np.array(scales).reshape(-1, 2).T

    def told(self, method: str) -> Vector:
        """Return what a method told, float64 [n]."""
        return np.asarray(self._rolled.means[method][self.rows, self._columns, self._place])

    def errors(self, method: str, where: NDArray[np.bool_] | None = None) -> dict[str, float | None]:
        """Return the measures of a method, of some forecasts or of all."""
        kept = np.ones(len(self.rows), dtype=np.bool_) if where is None else where
        return errors(self.told(method)[kept], self.sold[kept], self.absolute[kept], self.square[kept])

    def bands(self, method: str) -> NDArray[np.float64]:
        """Return the intervals of a method, float64 [n, levels, 2]."""
        found = {
            column: bands(self._rolled, method, self._rolled.backs[column]) for column in sorted(set(self._columns))
        }
        taken = [found[column][row, self._place] for row, column in zip(self.rows, self._columns, strict=True)]
        return np.array(taken).reshape(-1, len(LEVELS), 2)


def backtest(
    kinds: Mapping[str, Mapping[str, Vector]],
    progress: Progress,
    choosing: Sequence[date] = CHOOSING,
    judging: Sequence[date] = JUDGING,
    methods: Sequence[str] = METHODS,
) -> dict[str, Any]:
    """Return the document of the backtest.

    Args:
        kinds: of each kind of series their units by name, all ending with `LAST_DAY`.
        progress: called with the progress.
        choosing: origins by which methods are compared.
        judging: origins that are reported.
        methods: in contest; they include the baselines and the chosen one.

    Raises:
        MissingLibraryError: `statsforecast` is not installed.
    """
    compared, judged = {}, {}
    for kind, named in kinds.items():
        series = list(named.values())

        def report(done: int, of: int, kind: str = kind) -> None:
            progress(f"forecasts of {kind}", done, of)

        before = roll(series, _backs(choosing), methods, report)
        compared[kind] = {
            str(days): _table(Judged(before, series, _backs(choosing), place), methods)
            for place, days in enumerate(HORIZONS)
        }
        later = roll(series, _with_earlier(_backs(judging), len(series)), [*BASELINES, CHOSEN], report)
        judged[kind] = {
            str(days): _judged(Judged(later, series, _backs(judging), place), list(named))
            for place, days in enumerate(HORIZONS)
        }
    order = _order(compared, methods)
    return {
        "choosing": {"origins": [day.isoformat() for day in choosing], "methods": compared, "order": order},
        "judging": {"origins": [day.isoformat() for day in judging], "kinds": judged},
        "chosen": CHOSEN,
        "best_choosing": next(iter(order)),
        "blend": list(BLENDS[CHOSEN]),
        "season": SEASON,
        "levels": list(LEVELS),
        "series": {kind: len(named) for kind, named in kinds.items()},
    }


def _backs(origins: Sequence[date]) -> list[int]:
    return [(LAST_DAY - origin).days + 1 for origin in origins]


def _with_earlier(origins: Sequence[int], series: int) -> list[int]:
    """Return origins, and those before them whose errors their intervals are made of."""
    return sorted({back for origin in origins for back in backs_for(series, origin)})


def _table(found: Judged, methods: Sequence[str]) -> dict[str, Any]:
    return {method: found.errors(method) for method in methods}


def _order(compared: Mapping[str, Any], methods: Sequence[str]) -> dict[str, float]:
    """Return the methods by their mean scaled error over that of the moving average, the best first."""
    tables = [table for horizons in compared.values() for table in horizons.values()]
    tables = [table for table in tables if table["moving_average"]["mase"]]
    means = {
        method: float(np.mean([table[method]["mase"] / table["moving_average"]["mase"] for table in tables]))
        for method in methods
        if tables
    }
    return dict(sorted(means.items(), key=lambda item: item[1]))


def _judged(found: Judged, names: Sequence[str]) -> dict[str, Any]:
    shown = (*BASELINES, CHOSEN)
    intervals = found.bands(CHOSEN)
    groups = {str(name): found.patterns == name for name in Pattern}
    return {
        "forecasts": len(found.rows),
        "methods": _table(found, shown),
        "lead": {name: _lead(found, name) for name in BASELINES},
        "coverage": {
            str(level): coverage(intervals[:, place], found.sold, found.absolute) for place, level in enumerate(LEVELS)
        },
        "patterns": {
            name: {
                "forecasts": int(where.sum()),
                "methods": {method: found.errors(method, where) for method in shown},
                "coverage": {
                    str(level): coverage(intervals[where, place], found.sold[where], found.absolute[where])
                    for place, level in enumerate(LEVELS)
                },
            }
            for name, where in groups.items()
            if where.any()
        },
        "lost": _lost(found, names),
    }


def _by_series(found: Judged, method: str) -> NDArray[np.float64]:
    """Return the mean scaled error of each series that is judged, in the order of `numpy.unique`."""
    scaled = np.abs(found.told(method) - found.sold) / found.absolute
    _, codes = np.unique(found.rows, return_inverse=True)
    return np.asarray(np.bincount(codes, scaled) / np.bincount(codes))


def _lead(found: Judged, baseline: str) -> dict[str, float] | None:
    """Return by how much the mean scaled error of the chosen method is below a baseline's, with its 95 % interval."""
    if not len(found.rows):
        return None
    scaled = {name: np.abs(found.told(name) - found.sold) / found.absolute for name in (baseline, CHOSEN)}
    ahead = scaled[baseline] - scaled[CHOSEN]
    draws = [float(ahead[rows].mean()) for rows in resampled_rows(found.rows.astype(str).tolist(), draws=DRAWS, seed=0)]
    low, high = np.percentile(draws, INTERVAL)
    return {"value": float(ahead.mean()), "low": float(low), "high": float(high)}


def _lost(found: Judged, names: Sequence[str]) -> dict[str, Any]:
    """Return on which series some baseline's mean scaled error is below that of the chosen method, by pattern."""
    rows = np.unique(found.rows)
    if not len(rows):
        return {"series": 0, "of": 0, "patterns": {}, "worst": []}
    ours = _by_series(found, CHOSEN)
    best = np.min([_by_series(found, name) for name in BASELINES], axis=0)
    behind, last = ours - best, {row: found.patterns[found.rows == row][-1] for row in rows}
    kinds = [str(last[row]) for row in rows]
    worst = np.argsort(-behind, kind="stable")[:_MOST_LOST]
    return {
        "series": int((behind > 0).sum()),
        "of": len(rows),
        "patterns": {
            kind: {"series": int(sum(behind[i] > 0 for i, k in enumerate(kinds) if k == kind)), "of": kinds.count(kind)}
            for kind in sorted(set(kinds))
        },
        "worst": [
            {"name": names[rows[i]], "pattern": kinds[i], "mase": float(ours[i]), "best_baseline": float(best[i])}
            for i in worst
            if behind[i] > 0
        ],
    }
