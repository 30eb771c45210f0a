"""The entity `user`: a shopper, by what they do in the shop."""

from __future__ import annotations

from typing import Final

from features.entity import Entity
from features.observation import Source
from features.users import codec
from features.users.state import UserState

USER: Final = Entity(
    name="user",
    join_key="user_id",
    sources=len(Source),
    new=UserState,
    encode=codec.encode,
    decode=codec.decode,
    order=codec.order,
    offsets_and_erasure=codec.offsets_and_erasure,
    moved=codec.moved,
    substance=codec.substance,
)
