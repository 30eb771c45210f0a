"""The importance of features is what they contribute, and what cancels within a family does so."""

from __future__ import annotations

import numpy as np
import pytest

from models.scoring.scorer import Predictions
from streams.offline.evaluation.importance import SHOWN, importance


def predictions(names: tuple[str, ...], terms: list[list[float]]) -> Predictions:
    contributions = np.array(terms)
    count = len(terms)
    return Predictions(
        prediction=contributions.sum(axis=1),
        expected_spend=np.zeros(count),
        score=np.zeros(count),
        tier=["low"] * count,
        intercept=0.0,
        names=names,
        contributions=contributions,
        attribution="exact",
    )


def test_what_cancels_within_a_family_counts_for_its_features_and_not_for_it() -> None:
    names = ("purchases_30d", "spend_30d", "views_30d", "tenure_days", "profile_vector")
    found = importance(predictions(names, [[3, -3, 1, 0, 0], [1, -1, -2, 0, 0]]))
    assert [(row["feature"], row["mean_absolute"]) for row in found["features"]] == [
        ("purchases_30d", 2.0),
        ("spend_30d", 2.0),
        ("views_30d", 1.5),
    ]
    assert found["features"][2] | {"raises": 0.5, "lowers": 1.0} == found["features"][2]
    families = {row["family"]: row["mean_absolute"] for row in found["families"]}
    assert families["browsing"] == 1.5
    assert families["recent orders"] == 0
    assert found["attribution"] == "exact"


def test_many_features_are_cut_off_and_added_up() -> None:
    names = tuple(f"views_{place}" for place in range(40))
    found = importance(predictions(names, [[float(place) for place in range(40)]]))
    assert len(found["features"]) == SHOWN
    assert found["others"] == {"features": 39 - SHOWN, "mean_absolute": sum(range(40 - SHOWN))}
    whole = sum(row["mean_absolute"] for row in found["features"]) + found["others"]["mean_absolute"]
    assert whole == pytest.approx(sum(range(40)))
