"""The feature view of an item, in Feast's layout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from features.items.catalogue import SCALARS
from features.online.rows import ItemRow
from features.online.views import Column, Feature, Kind, Serving, View, transposed

JOIN_KEY: Final = "item_id"
SIGNALS: Final = "item_signals"

VIEW: Final = View(
    SIGNALS,
    (
        *(Feature(scalar.name, Kind.INT64 if scalar.integer else Kind.FLOAT64) for scalar in SCALARS),
        Feature("title", Kind.STRING),
        Feature("category", Kind.STRING),
        Feature("price", Kind.FLOAT64),
        Feature("title_vector", Kind.FLOAT32_ARRAY),
        Feature("encoder", Kind.STRING),
        Feature("event_time", Kind.INT64),
        Feature("revision", Kind.INT64),
    ),
)


def columns(rows: Sequence[ItemRow]) -> list[Column]:
    """Transpose rows into one column per feature, in the order of `VIEW`."""
    return transposed(
        (
            *row.scalars,
            *(row.title, row.category, row.price, row.title_vector, row.encoder),
            *(row.event_time, row.revision),
        )
        for row in rows
    )


ITEMS: Final = Serving("item", JOIN_KEY, (VIEW,), columns)
