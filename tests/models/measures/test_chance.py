"""A scorer that is not told apart from chance is said to be so, and no other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.measures.chance import chance_warning


def metrics(concordance: float, folds: list[float], loss: float | None = None) -> dict[str, float | dict[str, float]]:
    found: dict[str, float | dict[str, float]] = {
        "concordance": concordance,
        "concordance_by_fold": {str(number): fold for number, fold in enumerate(folds)},
    }
    return found if loss is None else found | {"later": {"order_loss": loss}}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (metrics(0.70, [0.69, 0.70, 0.71]), None),
        (metrics(0.70, [0.69, 0.70, 0.71], loss=0.3), None),
        (metrics(0.45, [0.44, 0.45, 0.46]), "orders 45.0% rightly, give or take 1.2 points, which is no better"),
        (metrics(0.55, [0.40, 0.55, 0.70]), "give or take 17.3 points"),
        (metrics(0.50, [0.50, 0.50, 0.50]), "no better than chance"),
        (metrics(0.60, [0.59, 0.60, 0.61], loss=0.75), "at instants later than it was fitted on"),
        (metrics(0.90, [0.90]), "too few folds had buyers"),
        ({"concordance": 0.9}, "too few folds had buyers"),
        ({"mae": 3.0}, None),
    ],
)
def test_what_is_said_follows_the_folds_and_the_later_rows(
    found: dict[str, float | dict[str, float]], said: str | None
) -> None:
    warning = chance_warning(found)
    assert (warning is None) == (said is None)
    assert said is None or (warning is not None and said in warning and "\n" not in warning)


@given(
    folds=st.lists(st.floats(0, 1), min_size=2, max_size=8),
    concordance=st.floats(0, 0.5),
    loss=st.none() | st.floats(0, 1.5),
)
def test_an_order_at_or_below_chance_is_never_passed_over(
    folds: list[float], concordance: float, loss: float | None
) -> None:
    assert chance_warning(metrics(concordance, folds, loss)) is not None
