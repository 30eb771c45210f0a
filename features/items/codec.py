"""The bytes of an item state (`features.state_format`)."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np

from features.exceptions import StateFormatError
from features.items.columns import WIDTHS
from features.items.review_memory import ReviewMemory
from features.items.state import ItemState
from features.state_format import StateFormat, packed
from features.stored_tiles import BigInt, as_wide_as_now, narrow
from features.text_sum import PROFILE_WIDTH

VERSION: Final = 1
_VECTOR_BYTES: Final = 4 * PROFILE_WIDTH


class _Body(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    revision: int
    offsets: list[int]
    places: dict[int, int]
    newest: int | None
    oldest: int | None
    lifetime_purchases: int
    lifetime_revenue: BigInt
    widths: tuple[int, ...]
    by_five_minutes: list[BigInt]
    by_hour: list[BigInt]
    by_day: list[BigInt]
    head: str
    title: str | None
    title_at: int
    title_encoder: str
    title_vector: bytes
    category: str | None
    category_at: int
    price: float | None
    price_at: int
    forecast: bytes
    forecast_at: int
    reviews: bytes


class _Prefix(msgspec.Struct, array_like=True):
    revision: int
    offsets: list[int]


class _Titled(msgspec.Struct, array_like=True):
    revision: msgspec.Raw
    offsets: msgspec.Raw
    places: msgspec.Raw
    newest: msgspec.Raw
    oldest: msgspec.Raw
    lifetime_purchases: msgspec.Raw
    lifetime_revenue: msgspec.Raw
    widths: msgspec.Raw
    by_five_minutes: msgspec.Raw
    by_hour: msgspec.Raw
    by_day: msgspec.Raw
    head: msgspec.Raw
    title: str | None
    title_at: msgspec.Raw
    title_encoder: str


_FORMAT: Final = StateFormat("item", VERSION, VERSION, _Body)
_prefix_decoder: Final = msgspec.msgpack.Decoder(_Prefix)
_titled_decoder: Final = msgspec.msgpack.Decoder(_Titled)

order: Final = _FORMAT.order
"""Return (epoch, sequence) of encoded state: of two states of an item, the greater is the later one."""


def encode(state: ItemState) -> bytes:
    """Return the bytes of a state."""
    body: list[Any] = [
        state.revision,
        state.offsets,
        state.places,
        state.newest,
        state.oldest,
        state.lifetime_purchases,
        state.lifetime_revenue,
        WIDTHS,
        state.by_five_minutes.flat,
        state.by_hour.flat,
        state.by_day.flat,
        state.head,
        state.title,
        state.title_at,
        state.title_encoder,
        b"" if state.title_vector is None else state.title_vector.tobytes(),
        state.category,
        state.category_at,
        state.price,
        state.price_at,
        state.forecast,
        state.forecast_at,
        state.reviews.joined,
    ]
    return packed(VERSION, state.epoch, state.sequence, body)


def decode(data: bytes) -> ItemState:
    """Return the state that `encode` wrote.

    Raises:
        StateFormatError: the bytes are damaged, or of a version this program does not read, or hold a field or a
            column of tiles that it does not know.
    """
    state = ItemState()
    state.epoch, state.sequence, body = _FORMAT.decoded(data)
    state.revision = body.revision
    state.offsets = body.offsets
    state.places = body.places
    state.newest, state.oldest = body.newest, body.oldest
    state.lifetime_purchases, state.lifetime_revenue = body.lifetime_purchases, int(body.lifetime_revenue)
    stored = as_wide_as_now((body.by_five_minutes, body.by_hour, body.by_day), body.widths, WIDTHS)
    for level, flat in zip((state.by_five_minutes, state.by_hour, state.by_day), stored, strict=True):
        level.load(narrow(flat))
    state.head = body.head
    state.title, state.title_at, state.title_encoder = body.title, body.title_at, body.title_encoder
    if body.title_vector:
        if len(body.title_vector) != _VECTOR_BYTES:
            raise StateFormatError(
                f"expected the state of an item, found damaged bytes: a vector of {len(body.title_vector)} bytes"
            )
        state.title_vector = np.frombuffer(body.title_vector, np.float32)
    state.category, state.category_at = body.category, body.category_at
    state.price, state.price_at = body.price, body.price_at
    state.forecast, state.forecast_at = body.forecast, body.forecast_at
    state.reviews = ReviewMemory(body.reviews)
    return state


def offsets_and_erasure(data: bytes) -> tuple[list[int], int | None]:
    """Return what a recovery has to know of encoded state.

    Returns:
        The greatest offset of the facts topic that changed it; and 0 for an item that is forgotten, which refuses no
        time, None for every other.

    Raises:
        StateFormatError: as `decode`.
    """
    prefix = _FORMAT.prefix(data, _prefix_decoder)
    return prefix.offsets, None if prefix.revision else 0


def title_waits(data: bytes, encoder: str) -> bool:
    """Return `ItemState.title_waits` of encoded state, at a small part of what it costs to decode it.

    Raises:
        StateFormatError: as `decode`.
    """
    state = _FORMAT.prefix(data, _titled_decoder)
    return bool(state.title) and state.title_encoder != encoder


def moved(data: bytes, epoch: int) -> bytes:
    """Return encoded state as it is in front of other input topics: of those, nothing is applied yet.

    The rest stays byte for byte, its version included.

    Args:
        data: encoded state.
        epoch: that it has at least, where the online store may know a later one than the state.

    Raises:
        StateFormatError: as `decode`.
    """
    return _FORMAT.replaced(data, epoch, {"offsets": ItemState().offsets, "places": {}})


def substance(data: bytes) -> bytes:
    """Return what of encoded state `moved` leaves as it is: all but the epoch, the offsets and the places.

    Raises:
        StateFormatError: as `decode`.
    """
    return _FORMAT.without(data, "offsets", "places")
