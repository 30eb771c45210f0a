from __future__ import annotations

import numpy as np
import pytest

from models.demand.intermittence import Pattern, pattern


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ([2, 3, 2, 3, 2, 3], Pattern.SMOOTH),
        ([1, 9, 1, 1, 9, 1], Pattern.ERRATIC),
        ([2, 0, 0, 2, 0, 2], Pattern.INTERMITTENT),
        ([9, 0, 0, 1, 0, 1], Pattern.LUMPY),
        ([0, 0, 4, 0, 0, 0], Pattern.RARE),
        ([0, 0, 0], Pattern.RARE),
        ([], Pattern.RARE),
    ],
)
def test_a_series_is_classed_by_how_often_and_in_what_amounts_it_sells(units: list[int], expected: Pattern) -> None:
    assert pattern(np.array(units, dtype=np.float64)) is expected


def test_the_bounds_themselves_belong_to_the_worse_class() -> None:
    # 33 days with 25 of them sold: an interval of 1.32.
    assert pattern(np.array([1.0] * 25 + [0.0] * 8)) is Pattern.INTERMITTENT
    assert pattern(np.array([1.0] * 26 + [0.0] * 8)) is Pattern.SMOOTH
