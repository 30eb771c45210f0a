"""The two protocols: the holdout of other customers, and the holdout of the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.backtest.decayed_rate import fit_decayed_rate
from models.backtest.rows import CutOffRows
from models.backtest.two_part import two_part
from models.measures.baselines import baselines

Vector = NDArray[np.float64]
Forecasts = dict[str, Vector]
"""By model or baseline, the money each of n customers is predicted to spend over the holdout: float64 [n]."""

MODEL: Final = "decayed_rate"
TWO_PART: Final = "two_part"
NEW_CUSTOMERS: Final = "new_customers"
NEXT_PERIOD: Final = "next_period"


def new_customers(
    at_end: CutOffRows, earlier: Sequence[CutOffRows], train: NDArray[np.str_], test: NDArray[np.str_]
) -> tuple[Vector, Forecasts]:
    """Fit on some customers' calibration and holdout, predict the holdout of others.

    Args:
        at_end: every customer at the end of the calibration period, with the spend of the holdout.
        earlier: every customer at earlier cut-offs, with horizons as long. Only the model is fitted on them: a
            baseline is compared as its source defines it.
        train: ids to fit on.
        test: ids to predict; none is looked at before.

    Returns:
        The spend of the n test customers with an order in the calibration period, float64 [n]; and the forecasts.

    Raises:
        InvalidInputError: a group without customers or without spend.
    """
    known, asked = at_end.of(train), at_end.of(test)
    days = at_end.horizon_days
    predict = fit_decayed_rate([known, *(rows.of(train) for rows in earlier)], days)
    return asked.spent, {
        **baselines(asked.histories, known.histories, known.spent, horizon_days=days),
        TWO_PART: two_part(known.rfm, known.spent, asked.rfm),
        MODEL: predict(asked.features),
    }


def next_period(at_end: CutOffRows, inside: Sequence[CutOffRows]) -> tuple[Vector, Forecasts]:
    """Fit inside the calibration period of all customers, predict the holdout of all.

    Spend over a shorter horizon counts at its rate. The holdout is read for the comparison only.

    Args:
        at_end: every customer at the end of the calibration period, with the spend of the holdout.
        inside: every customer at earlier cut-offs, the earliest first, with horizons that end within the calibration
            period. The model takes all of them; baselines that need an outcome take the earliest, whose horizon is
            the longest.

    Returns:
        The spend of the n customers in the holdout, float64 [n]; and the forecasts.

    Raises:
        InvalidInputError: a group without customers or without spend.
    """
    days = at_end.horizon_days
    longest = inside[0]
    rate = longest.spent_over(days)
    predict = fit_decayed_rate(inside, days)
    return at_end.spent, {
        **baselines(at_end.histories, longest.histories, rate, horizon_days=days, process=at_end.histories),
        TWO_PART: two_part(longest.rfm, rate, at_end.rfm),
        MODEL: predict(at_end.features),
    }
