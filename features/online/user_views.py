"""The feature views of a user, in Feast's layout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from features.online.rows import OnlineRow
from features.online.views import Column, Extra, Feature, Kind, Serving, View, transposed
from features.users.catalogue import SCALARS

JOIN_KEY: Final = "user_id"
BEHAVIOR: Final = "user_behavior"
PROFILE: Final = "user_profile"
TASTE: Final = "user_taste"
POWER: Final = "purchasing_power"
CAPACITY: Final = "purchasing_capacity"

_REVISION: Final = Feature("revision", Kind.INT64)
VIEWS: Final = (
    View(
        BEHAVIOR,
        (
            *(Feature(scalar.name, Kind.INT64 if scalar.integer else Kind.FLOAT64) for scalar in SCALARS),
            Feature("event_time", Kind.INT64),
            _REVISION,
        ),
    ),
    View(
        PROFILE,
        (Feature("profile_vector", Kind.FLOAT32_ARRAY), Feature("encoder", Kind.STRING), _REVISION),
    ),
    View(
        TASTE,
        (
            Feature("taste_vector", Kind.FLOAT32_ARRAY),
            Feature("encoder", Kind.STRING),
            Feature("titles_waiting", Kind.INT64),
            _REVISION,
        ),
    ),
    View(
        POWER,
        (
            Feature("score", Kind.FLOAT64),
            Feature("expected_spend", Kind.FLOAT64),
            Feature("tier", Kind.STRING),
            Feature("scorer", Kind.STRING),
            _REVISION,
        ),
    ),
)
"""The views, in the order in which `columns` returns their features."""

CAPACITY_VIEW: Final = View(
    CAPACITY,
    (
        Feature("capacity", Kind.FLOAT64),
        Feature("prediction", Kind.FLOAT64),
        Feature("band", Kind.STRING),
        Feature("scorer", Kind.STRING),
        Feature("encoder", Kind.STRING),
        Feature("evidence", Kind.INT64),
        _REVISION,
    ),
)
"""Of those users alone whose row has a capacity; in no feature service, and in no history."""


def columns(rows: Sequence[OnlineRow]) -> list[Column]:
    """Transpose rows into one column per feature, in the order of `VIEWS`."""
    return transposed(
        (
            *(*row.scalars, row.event_time, row.revision),
            *(row.profile, row.encoder, row.revision),
            *(row.taste, row.encoder, row.titles_waiting, row.revision),
            *(row.score, row.expected_spend, row.tier, row.scorer, row.revision),
        )
        for row in rows
    )


def capacity_columns(rows: Sequence[OnlineRow]) -> list[Column]:
    """Transpose the capacity of rows, each of which has one, into columns in the order of `CAPACITY_VIEW`."""
    return transposed(
        (found.capacity, found.prediction, found.band, found.scorer, found.encoder, found.evidence, row.revision)
        for row in rows
        if (found := row.capacity) is not None
    )


def _has_capacity(row: OnlineRow) -> bool:
    return row.capacity is not None


USERS: Final = Serving("user", JOIN_KEY, VIEWS, columns, Extra(CAPACITY_VIEW, capacity_columns, _has_capacity))
STORED: Final = USERS.stored
"""All that a store may hold of a user, and that an erasure takes out."""
