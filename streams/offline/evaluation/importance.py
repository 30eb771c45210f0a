"""Which features a scorer goes by: the mean absolute contribution of each, over the rows judged.

A prediction is divided among its features, and the parts add up to it (`models.scoring`). Nothing is permuted: values
shuffled among shoppers would make shoppers whom nobody has seen, who bought this month and have never bought.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from features.users.families import FAMILIES, family_of
from models.scoring.scorer import Predictions

SHOWN: Final = 15
"""Features that are named; the others are added up."""


def importance(said: Predictions) -> dict[str, Any]:
    """Return by how much, on average, each feature moves a prediction (log1p of money).

    Returns:
        `attribution` (how predictions were divided); `features` (those with the largest parts: `feature`, `family`,
        `mean_absolute`, and of it `raises` and `lowers`, which add up to it); `others` (the number of further features
        that contribute, and the sum of their `mean_absolute`); `families` (the same of the sum of a family's
        contributions, in which those that cancel do so).
    """
    parts = [
        {"feature": name, "family": family_of(name).name, **_moves(terms)}
        for name, terms in zip(said.names, said.contributions.T, strict=True)
    ]
    largest = sorted((part for part in parts if part["mean_absolute"] > 0), key=lambda part: -part["mean_absolute"])
    rest = largest[SHOWN:]
    return {
        "attribution": said.attribution,
        "features": largest[:SHOWN],
        "others": {"features": len(rest), "mean_absolute": float(sum(part["mean_absolute"] for part in rest))},
        "families": _families(said),
    }


def _families(said: Predictions) -> list[dict[str, Any]]:
    of_column = [family_of(name) for name in said.names]
    found = []
    for family in FAMILIES:
        columns = [place for place, of in enumerate(of_column) if of is family]
        if columns:
            found.append({"family": family.name, **_moves(said.contributions[:, columns].sum(axis=1))})
    return sorted(found, key=lambda part: -part["mean_absolute"])


def _moves(terms: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    raises, lowers = float(np.maximum(terms, 0).mean()), float(np.maximum(-terms, 0).mean())
    return {"mean_absolute": raises + lowers, "raises": raises, "lowers": lowers}
