"""The entity `item`: what the shop sells, by what users do with it."""

from __future__ import annotations

from typing import Final

from features.entity import Entity
from features.items import codec
from features.items.state import ItemState

ITEM: Final = Entity(
    name="item",
    join_key="item_id",
    sources=1,
    new=ItemState,
    encode=codec.encode,
    decode=codec.decode,
    order=codec.order,
    offsets_and_erasure=codec.offsets_and_erasure,
    moved=codec.moved,
    substance=codec.substance,
)
