"""The forecasts to compare: those of the scorer, and of baselines fitted on users that are not judged."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.tiles import DAY
from models.measures.baselines import BG_NBD, BG_NBD_GAMMA_GAMMA, BOOSTING, Histories, baselines
from models.measures.classification import best_threshold
from models.scoring.scorer import Scorer
from streams.contract import HORIZON
from streams.offline.evaluation.material import Mask, Material, Rows

Vector = NDArray[np.float64]

SCORER: Final = "scorer"
WITHOUT_TEXT: Final = "scorer_text_withheld"
HORIZON_DAYS: Final = HORIZON / DAY

_FITTED: Final = (BG_NBD, BG_NBD_GAMMA_GAMMA, BOOSTING)


class Forecast(NamedTuple):
    """The forecast of a model for the n rows judged.

    Attributes:
        order: float64 [n], in any unit; a greater value means more spend.
        money: float64 [n], expected over the next 30 days.
        threshold: the least `order` that counts as "will buy". It gives the highest F1 on rows that are not judged.
    """

    order: Vector
    money: Vector
    threshold: float


def of_scorer(scorer: Scorer, material: Material, *, use_profile: bool) -> Forecast:
    """Return the forecast of a scorer."""
    asked, known = (
        scorer.predict(rows.values, rows.profiles, use_profile=use_profile)
        for rows in (material.asked, material.known.where(material.regular))
    )
    bought = material.known.bought[material.regular]
    return Forecast(asked.prediction, asked.expected_spend, best_threshold(bought, known.prediction))


def of_baselines(material: Material) -> dict[str, Forecast]:
    """Fit every baseline on the known rows and return its forecast.

    A user without an order has no history. For such a user, rules that multiply past orders forecast zero, and the
    other baselines the mean spend of such users among the known rows.

    Raises:
        InvalidInputError: the known rows have no order or no buyer, or a process cannot be fitted to them.
        MissingLibraryError: lifetimes, lightgbm or scikit-learn is not installed.
    """
    known = material.known.where(material.regular)
    customers = known.where(known.customers)
    buyers = material.asked.where(material.asked.customers)
    predicted = baselines(
        _both(buyers.histories(), customers.histories()),
        customers.histories(),
        customers.money,
        horizon_days=HORIZON_DAYS,
        process=customers.where(_newest(customers)).histories(),
    )
    newcomers = known.money[~known.customers]
    expected = float(newcomers.mean()) if newcomers.size else 0.0
    forecasts: dict[str, Forecast] = {}
    for name, money in predicted.items():
        of_newcomers = expected if name in _FITTED else 0.0
        asked = _placed(money[: len(buyers.users)], material.asked.customers, of_newcomers)
        own = _placed(money[len(buyers.users) :], known.customers, of_newcomers)
        forecasts[name] = Forecast(asked, asked, best_threshold(known.bought, own))
    return forecasts


def _both(first: Histories, second: Histories) -> Histories:
    """Join histories, so that one fit predicts for both."""
    names = ("orders", "recency_days", "age_days", "spend")
    return Histories(**{name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in names})


def _placed(money: Vector, customers: Mask, of_newcomers: float) -> Vector:
    everybody = np.full(customers.size, of_newcomers)
    everybody[customers] = money
    return everybody


def _newest(rows: Rows) -> Mask:
    """Choose each user's last row, because a process is fitted to every user once."""
    _, codes = np.unique(np.asarray(rows.users), return_inverse=True)
    order = np.lexsort((rows.instants, codes))
    chosen = np.zeros(len(codes), dtype=np.bool_)
    chosen[order[np.flatnonzero(np.diff(codes[order], append=-1))]] = True
    return chosen
