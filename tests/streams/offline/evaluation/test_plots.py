"""No tick label of a plot lies over another, however the numbers fall."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.offline.evaluation import plots
from streams.offline.evaluation.plots import FOREST
from streams.offline.evaluation.svg import drawn
from streams.offline.evaluation.words import MODEL_NAMES

AMOUNTS = st.floats(1e-6, 1e9)


def boxes(figure: Any) -> list[Any]:
    figure.draw_without_rendering()
    labels = [label for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for label in axis.get_ticklabels()]
    labels += [
        label for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for label in axis.get_minorticklabels()
    ]
    return [label.get_window_extent() for label in labels if label.get_text() and label.get_visible()]


def check_apart(figure: Any) -> None:
    found = boxes(figure)
    assert found
    assert not any(first.overlaps(second) for first, second in combinations(found, 2))


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    kept: list[Any] = []

    def keeping(name: str, draw: Any, width: float, height: float) -> str:
        return drawn(name, lambda figure: (kept.append(figure), draw(figure))[1], width, height)

    monkeypatch.setattr(plots, "drawn", keeping)
    return kept


@pytest.mark.parametrize("size", [1e-4, 0.0307, 0.51, 123.4])
def test_panels_of_the_forest_keep_their_labels_apart(figures: list[Any], size: float) -> None:
    lead = {"value": 0.6 * size, "low": -0.2 * size, "high": 1.1 * size}
    plots.forest({name: dict.fromkeys(FOREST, lead) for name in MODEL_NAMES if name != "scorer"})
    check_apart(figures[0])


@pytest.mark.parametrize("least", [0.0, 1e-3, 0.9, 8.0, 95_000.0])
def test_calibration_keeps_its_labels_apart_on_any_scale(figures: list[Any], least: float) -> None:
    amounts = [least * factor for factor in (1, 1.1, 1.3, 2, 9)]
    deciles = [{"expected": x, "actual": x * 1.1, "low": x * 0.9, "high": x * 1.4} for x in amounts]
    plots.calibration(deciles, "CNY")
    check_apart(figures[0])
    assert len(boxes(figures[0])) >= 3


def test_names_of_features_all_stay(figures: list[Any]) -> None:
    names = [f"average_order_value_{place}d" for place in range(15)]
    plots.importance([{"feature": name, "raises": 0.1 * place, "lowers": 0.05} for place, name in enumerate(names)])
    check_apart(figures[0])
    shown = {label.get_text() for label in figures[0].axes[0].get_yticklabels()}
    assert shown == set(names)


@settings(max_examples=15, deadline=None)
@given(AMOUNTS, AMOUNTS, st.floats(1.5, 8))
def test_any_range_of_numbers_keeps_its_labels_apart(start: float, span: float, width: float) -> None:
    kept = []

    def draw(figure: Any) -> None:
        kept.append(figure)
        figure.subplots().plot([start, start + span], [start, start - span])

    drawn("any", draw, width, 2.0)
    check_apart(kept[0])
