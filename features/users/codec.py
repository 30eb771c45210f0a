"""The bytes of a user state (`features.state_format`)."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np

from features.exceptions import StateFormatError
from features.state_format import StateFormat, packed
from features.stored_tiles import BigInt, as_wide_as_now, cut_off, narrow
from features.text_sum import PROFILE_HALF_LIFE, TASTE_HALF_LIFE, DecayedSum
from features.users.before_orders import with_orders
from features.users.columns import WIDTHS
from features.users.state import NO_OFFSET, UserState

VERSION: Final = 4
"""Of what is written. Older states are read too, so that an upgrade can roll: version 1 knew no lives, neither it nor
version 2 says how wide its tiles are, and version 3 knew no orders, refunds and titles."""

_OLDEST: Final = 1
_UNSAID_WIDTHS: Final = (8, 10, 13)
"""Of the tiles of versions 1 and 2."""

_SHORT, _MIDDLE, _LONG = WIDTHS


class _Body(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    revision: int
    offsets: list[int]
    erased_at: int | None
    newest: int | None
    oldest: int | None
    last_purchase: int | None
    lifetime_purchases: int
    lifetime_spend: BigInt
    remembered: list[bytes]
    by_five_minutes: list[BigInt]
    by_hour: list[BigInt]
    by_day: list[BigInt]
    categories: dict[int, dict[int, int]]
    encoder: str
    texts_reference: int
    texts_total: bytes
    life: int | None = None
    widths: tuple[int, ...] = _UNSAID_WIDTHS
    lifetime_orders: int | None = None
    lifetime_refunded: BigInt = 0
    orders: bytes = b""
    taste_encoder: str = ""
    taste_reference: int = 0
    taste_total: bytes = b""
    waiting: list[int] = []


class _Prefix(msgspec.Struct, array_like=True):
    revision: int
    offsets: list[int]
    erased_at: int | None


_FORMAT: Final = StateFormat("user", VERSION, _OLDEST, _Body)
_prefix_decoder: Final = msgspec.msgpack.Decoder(_Prefix)
_NOTHING_WAITS: Final = msgspec.msgpack.encode([])
_NOTHING_APPLIED: Final = [NO_OFFSET] * 4


order: Final = _FORMAT.order
"""Return (epoch, sequence) of encoded state: of two states of a user, the greater is the later one."""


def encode(state: UserState) -> bytes:
    """Return the bytes of a state."""
    texts, taste = state.texts, state.taste
    body: list[Any] = [
        state.revision,
        state.offsets,
        state.erased_at,
        state.newest,
        state.oldest,
        state.last_purchase,
        state.lifetime_purchases,
        state.lifetime_spend,
        state.remembered,
        state.by_five_minutes.flat,
        state.by_hour.flat,
        state.by_day.flat,
        state.categories.tiles,
        state.encoder,
        texts.reference,
        b"" if texts.total is None else texts.total.tobytes(),
        state.life,
        WIDTHS,
        state.lifetime_orders,
        state.lifetime_refunded,
        state.orders,
        state.taste_encoder,
        taste.reference,
        b"" if taste.total is None else taste.total.tobytes(),
        state.waiting,
    ]
    return packed(VERSION, state.epoch, state.sequence, body)


def decode(data: bytes) -> UserState:
    """Return the state that `encode` wrote.

    Raises:
        StateFormatError: the bytes are damaged, or of a version this program does not read, or hold a field or a
            column of tiles that it does not know.
    """
    state = UserState()
    state.epoch, state.sequence, body = _FORMAT.decoded(data)
    state.revision = body.revision
    state.offsets = body.offsets
    state.erased_at = body.erased_at
    # Erasures were not counted before: of a user who was erased, one is certain, and one is enough to outrank every
    # record of a release that published no life.
    state.life = int(body.erased_at is not None) if body.life is None else body.life
    state.newest, state.oldest, state.last_purchase = body.newest, body.oldest, body.last_purchase
    state.lifetime_purchases = body.lifetime_purchases
    state.lifetime_spend = int(body.lifetime_spend)
    state.remembered = body.remembered
    stored = body.by_five_minutes, body.by_hour, body.by_day
    if body.widths != WIDTHS:
        stored = as_wide_as_now(stored, body.widths, WIDTHS)
    # The same check as there, in line: nearly every state is of these widths.
    elif len(stored[0]) % _SHORT or len(stored[1]) % _MIDDLE or len(stored[2]) % _LONG:
        raise cut_off(WIDTHS)
    if body.lifetime_orders is None:
        stored = with_orders(stored)
    if body.newest is not None:
        for level, flat in zip((state.by_five_minutes, state.by_hour, state.by_day), stored, strict=True):
            level.load(narrow(flat))
        state.categories.tiles = body.categories
    state.encoder = body.encoder
    if body.texts_total:
        texts_total = np.frombuffer(body.texts_total, np.float64)
        state.texts = DecayedSum(PROFILE_HALF_LIFE, body.texts_reference, texts_total)
    state.taste_encoder = body.taste_encoder
    if body.taste_total:
        taste_total = np.frombuffer(body.taste_total, np.float64)
        state.taste = DecayedSum(TASTE_HALF_LIFE, body.taste_reference, taste_total)
    state.lifetime_refunded = int(body.lifetime_refunded)
    state.orders = body.orders
    state.waiting = body.waiting
    # Before orders were known, every purchase was one of its own.
    state.lifetime_orders = body.lifetime_purchases if body.lifetime_orders is None else body.lifetime_orders
    return state


def offsets_and_erasure(data: bytes) -> tuple[list[int], int | None]:
    """Return what a recovery has to know of encoded state.

    Returns:
        For each `Source`, the last offset that it has applied; and up to which time (ms) it refuses events, None for a
        user who was never erased.

    Raises:
        StateFormatError: as `decode`.
    """
    prefix = _FORMAT.prefix(data, _prefix_decoder)
    return prefix.offsets, prefix.erased_at


def moved(data: bytes, epoch: int) -> bytes:
    """Return encoded state as it is in front of other input topics: of those, nothing is applied yet.

    The rest stays byte for byte, its version included.

    Args:
        data: encoded state.
        epoch: that it has at least, where the online store may know a later one than the state.

    Raises:
        StateFormatError: as `decode`, or a title waits: its text is in the input topics alone, which are left behind.
    """
    waiting = _FORMAT.field(data, "waiting")
    if waiting not in (None, _NOTHING_WAITS):
        raise StateFormatError(
            "expected a state whose titles are all read, found one for which a title waits: let a worker with a "
            "working encoder read what waits, then copy"
        )
    return _FORMAT.replaced(data, epoch, {"offsets": _NOTHING_APPLIED})


def substance(data: bytes) -> bytes:
    """Return what of encoded state `moved` leaves as it is: all but the epoch and the offsets.

    Raises:
        StateFormatError: as `decode`.
    """
    return _FORMAT.without(data, "offsets")
