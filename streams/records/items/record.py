"""The record of an item: the JSON that is published to `item-signals`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from features.online.rows import ItemRow

_encoder: Final = msgspec.json.Encoder()


def encode_item(
    row: ItemRow,
    values: Mapping[str, Any],
    title_vector: list[float],
    *,
    emitted_at: int,
    head: str,
    degraded: bool,
    sentiment: Mapping[str, Any] | None,
    demand: Mapping[str, Any] | None,
    risk: Mapping[str, Any] | None,
) -> bytes:
    """Return the JSON of an item's record; numbers keep all digits of a double, and null is null, never absent.

    Args:
        row: what the online store is given of the item.
        values: its scalars, by name.
        title_vector: 64 numbers.
        emitted_at: when the record is made, ms.
        head: identity of the loaded polarity head; empty without one.
        degraded: whether titles or reviews lag behind, for the encoder is down.
        sentiment: what its reviews say; None where nothing is known, as in the blocks below.
        demand: how it sells.
        risk: what is odd about its reviews.
    """
    return _encoder.encode(
        {
            "item_id": row.item_id,
            **values,
            "title": row.title,
            "category": row.category,
            "price": row.price,
            "title_vector": title_vector,
            "encoder": row.encoder,
            "sentiment": sentiment,
            "demand": demand,
            "risk": risk,
            "life": 0,
            "revision": row.revision,
            "event_time": row.event_time,
            "emitted_at": emitted_at,
            "model": {"polarity": head or None, "encoder": row.encoder},
            "degraded": degraded,
        }
    )
