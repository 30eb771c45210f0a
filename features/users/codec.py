"""The bytes of a user state, as the changelog and the local store hold them.

Layout: one version byte, `epoch` and `sequence` as big-endian unsigned 64-bit integers (so that two states
can be ordered without decoding either), then a MessagePack array.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import msgspec
import numpy as np

from features.exceptions import StateFormatError
from features.stored_tiles import BigInt, as_wide_as_now, cut_off, narrow, with_orders
from features.text_sum import PROFILE_HALF_LIFE, TASTE_HALF_LIFE, DecayedSum
from features.users.columns import WIDTHS
from features.users.state import NO_OFFSET, UserState

VERSION: Final = 4
"""Of what is written. Older states are read too, so that an upgrade can roll: version 1 knew no lives, neither it nor
version 2 says how wide its tiles are, and version 3 knew no orders, refunds and titles."""

_READ: Final = (1, 2, 3, 4)
_UNSAID_WIDTHS: Final = (8, 10, 13)
"""Of the tiles of versions 1 and 2."""

_HEADER: Final = struct.Struct(">BQQ")
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


_prefix_decoder: Final = msgspec.msgpack.Decoder(_Prefix)
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Body)
_any_decoder: Final = msgspec.msgpack.Decoder(list[Any])
_parts_decoder: Final = msgspec.msgpack.Decoder(list[msgspec.Raw])
_MOST: Final = len(_Body.__struct_fields__)
_FEWEST: Final = _MOST - len(_Body.__struct_defaults__)
_OFFSETS: Final = _Body.__struct_fields__.index("offsets")
_WAITING: Final = _Body.__struct_fields__.index("waiting")
_NOTHING_WAITS: Final = _encoder.encode([])
_NOTHING_APPLIED: Final = msgspec.Raw(_encoder.encode([NO_OFFSET] * 4))
_LARGEST: Final = 2**63 - 1


def encode(state: UserState) -> bytes:
    """Return the bytes of a state."""
    texts, taste = state.texts, state.taste
    # As a list, in the order of `_Body`: that is the same MessagePack, and takes half the time of making a struct.
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
    header = _HEADER.pack(VERSION, state.epoch, state.sequence)
    try:
        return header + _encoder.encode(body)
    except OverflowError:
        return header + _encoder.encode([_widened(field) for field in body])


def decode(data: bytes) -> UserState:
    """Return the state that `encode` wrote.

    Raises:
        StateFormatError: the bytes are damaged, or of a version this program does not read, or hold a field or a
            column of tiles that it does not know.
    """
    state = UserState()
    _, state.epoch, state.sequence = _header(data)
    try:
        body = _decoder.decode(memoryview(data)[_HEADER.size :])
    except msgspec.DecodeError as error:
        raise _unreadable(data, error) from error
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
        stored = as_wide_as_now(stored, body.widths)
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


def order(data: bytes) -> tuple[int, int]:
    """Return (epoch, sequence) of encoded state: of two states of a user, the greater is the later one.

    Raises:
        StateFormatError: as `decode`.
    """
    _, epoch, sequence = _header(data)
    return epoch, sequence


def offsets_and_erasure(data: bytes) -> tuple[list[int], int | None]:
    """Return what a recovery has to know of encoded state.

    Returns:
        For each `Source`, the last offset that it has applied; and up to which time (ms) it refuses events, None for a
        user who was never erased.

    Raises:
        StateFormatError: as `decode`.
    """
    _header(data)
    try:
        prefix = _prefix_decoder.decode(memoryview(data)[_HEADER.size :])
    except msgspec.DecodeError as error:
        raise StateFormatError(f"expected the state of a user, found damaged bytes: {error}") from error
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
    version, before, sequence = _header(data)
    parts = _parts(data)
    if len(parts) > _WAITING and bytes(parts[_WAITING]) != _NOTHING_WAITS:
        raise StateFormatError(
            "expected a state whose titles are all read, found one for which a title waits: let a worker with a "
            "working encoder read what waits, then copy"
        )
    parts[_OFFSETS] = _NOTHING_APPLIED
    return _HEADER.pack(version, max(before, epoch), sequence) + _encoder.encode(parts)


def substance(data: bytes) -> bytes:
    """Return what of encoded state `moved` leaves as it is: all but the epoch and the offsets.

    Raises:
        StateFormatError: as `decode`.
    """
    version, _, sequence = _header(data)
    parts = _parts(data)
    del parts[_OFFSETS]
    return _HEADER.pack(version, 0, sequence) + _encoder.encode(parts)


def _parts(data: bytes) -> list[msgspec.Raw]:
    """Return the fields of the body, each as its bytes."""
    try:
        parts = _parts_decoder.decode(memoryview(data)[_HEADER.size :])
    except msgspec.DecodeError as error:
        raise _unreadable(data, error) from error
    if not _FEWEST <= len(parts) <= _MOST:
        raise _of_fields(len(parts))
    return parts


def _header(data: bytes) -> tuple[int, int, int]:
    if len(data) < _HEADER.size:
        raise StateFormatError(f"expected the state of a user, found only {len(data)} bytes")
    version, epoch, sequence = _HEADER.unpack_from(data)
    if version not in _READ:
        raise StateFormatError(
            f"expected state of version {_READ[0]} to {VERSION}, found version {version}: "
            "run the release that wrote it, or a later one"
        )
    return version, epoch, sequence


def _unreadable(data: bytes, error: msgspec.DecodeError) -> StateFormatError:
    try:
        found = len(_any_decoder.decode(memoryview(data)[_HEADER.size :]))
    except msgspec.DecodeError:
        found = 0
    if found > _MOST:
        return _of_fields(found)
    return StateFormatError(f"expected the state of a user, found damaged bytes: {error}")


def _of_fields(found: int) -> StateFormatError:
    if found < _FEWEST:
        return StateFormatError(f"expected the state of a user, found damaged bytes: {found} fields")
    return StateFormatError(
        f"expected state of at most {_MOST} fields, found {found}: run the release that wrote it, or a later one"
    )


def _widened(field: Any) -> Any:
    """Return a field with those of its integers as text that MessagePack cannot hold."""
    if isinstance(field, list):
        return [_widened(part) for part in field]
    return str(field) if isinstance(field, int) and field > _LARGEST else field
