"""What the order of a scorer is worth in money: who is found among the tenth scored highest, and who is missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from features.users.catalogue import INDEX
from models.scoring.scorer import TIERS
from streams.offline.evaluation.forecasts import SCORER, Forecast
from streams.offline.evaluation.material import Mask, Rows

Vector = NDArray[np.float64]

PER: Final = 1000
"""Shoppers that sums of money are told of."""

_TARGETED: Final = 0.1
_STEPS: Final = 100


def business(rows: Rows, forecasts: Mapping[str, Forecast], tiers: Sequence[str], currency: str) -> dict[str, Any]:
    """Return what acting on the tenth scored highest comes to. A row stands for a shopper on a day.

    Args:
        rows: the n rows judged; some money was spent.
        forecasts: of the scorer and of baselines, by name.
        tiers: n, of the scorer.
        currency: of the money.

    Returns:
        `currency`; `per` (shoppers) and `money` (what so many spend); `models` (of each `money`, what the tenth of so
        many that it puts first spends, and `share` of all money); `found` and `missed` (the buyers in the scorer's
        tenth and those outside: `buyers` and `money` of so many, `few_orders` the share with one past order or none,
        `idle_days` the median days since their last order, null where none has one); `tiers` (of each `rows`,
        `share`, `bought`, `expected`, `actual` and `share_of_money`); `gains` (of each model the share of money,
        percent by percent of the rows that it puts first; `perfect` for the order of spend itself).
    """
    scale = PER / rows.money.size
    total = float(rows.money.sum())
    inside = in_top_tenth(forecasts[SCORER].order)
    perfect = {"perfect": rows.money}
    return {
        "currency": currency,
        "per": PER,
        "money": total * scale,
        "models": {name: _reached(rows.money, said.order, scale) for name, said in forecasts.items()},
        "found": _buyers(rows, inside, scale),
        "missed": _buyers(rows, 1 - inside, scale),
        "tiers": _tiers(rows, forecasts[SCORER], tiers),
        "gains": {
            name: gains(rows.money, order)
            for name, order in ({name: said.order for name, said in forecasts.items()} | perfect).items()
        },
    }


def in_top_tenth(order: Vector) -> Vector:
    """Return how much of each row, 0 to 1, belongs to the tenth put first: float64 [n].

    That tenth is ceil(n / 10) rows; rows tied at the cut share its last places equally.
    """
    places = ceil(order.size * _TARGETED)
    cut = np.sort(order)[-places]
    above, tied = order > cut, order == cut
    inside: Vector = above.astype(np.float64)
    inside[tied] = (places - int(above.sum())) / int(tied.sum())
    return inside


def gains(money: Vector, order: Vector) -> list[float]:
    """Return the share of all money that the first 0, 1, ... 100 percent of the rows hold; ties are shared equally."""
    _, group, sizes = np.unique(-order, return_inverse=True, return_counts=True)
    held = np.concatenate([[0.0], np.cumsum(np.bincount(group, weights=money))])
    taken = np.concatenate([[0.0], np.cumsum(sizes)])
    found = np.interp(np.linspace(0, order.size, _STEPS + 1), taken, held) / held[-1]
    return [float(share) for share in found]


def _reached(money: Vector, order: Vector, scale: float) -> dict[str, float]:
    held = float(in_top_tenth(order) @ money)
    return {"money": held * scale, "share": held / float(money.sum())}


def _buyers(rows: Rows, part: Vector, scale: float) -> dict[str, Any]:
    """Describe the buyers in a part of the rows, in which each row is with a weight."""
    of_part = rows.bought & (part >= 0.5)
    orders = rows.values[:, INDEX["lifetime_orders"]]
    return {
        "buyers": float(part @ rows.bought) * scale,
        "money": float(part @ rows.money) * scale,
        "few_orders": float((orders[of_part] <= 1).mean()) if of_part.any() else None,
        "idle_days": _median(rows.values[of_part, INDEX["days_since_last_purchase"]]),
    }


def _median(values: Vector) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if known.size else None


def _tiers(rows: Rows, said: Forecast, tiers: Sequence[str]) -> dict[str, dict[str, float]]:
    total = float(rows.money.sum())
    of_row = np.asarray(tiers)
    found: dict[str, dict[str, float]] = {}
    for tier in TIERS:
        chosen: Mask = of_row == tier
        if chosen.any():
            found[tier] = {
                "rows": int(chosen.sum()),
                "share": float(chosen.mean()),
                "bought": float(rows.bought[chosen].mean()),
                "expected": float(said.money[chosen].mean()),
                "actual": float(rows.money[chosen].mean()),
                "share_of_money": float(rows.money[chosen].sum()) / total,
            }
    return found
