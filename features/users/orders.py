"""The orders that a user's state remembers, so that one of many lines counts once, at the time of its earliest line.

They are joined bytes, 16 an order: the hash of its id, then the time (ms, big-endian) of its earliest line so far. As
one object they cost a user who buys nothing as good as nothing.
"""

from __future__ import annotations

from typing import Final

from features.observation import KEY_BYTES

REMEMBERED_ORDERS: Final = 64
"""How many orders are remembered, first in first out. An order keeps the place of its first entry."""

_TIME_BYTES: Final = 8
ORDER_BYTES: Final = KEY_BYTES + _TIME_BYTES
_REMEMBERED_BEFORE: Final = (REMEMBERED_ORDERS - 1) * ORDER_BYTES
NOWHERE: Final = -1


def place_of(orders: bytes, key: bytes) -> int:
    """Return where the order of a key begins, `NOWHERE` if it is not remembered."""
    place = orders.find(key)
    # Bytes that straddle two fields, or a time, may spell a key.
    while place > 0 and place % ORDER_BYTES:
        place = orders.find(key, place + 1)
    return place


def earliest(orders: bytes, place: int) -> int:
    """Return the time (ms) of the earliest line of the order at a place."""
    return int.from_bytes(orders[place + KEY_BYTES : place + ORDER_BYTES], signed=True)


def begun(orders: bytes, key: bytes, timestamp: int) -> bytes:
    """Return the orders with one more, which is not among them, and without those that are too many."""
    return orders[-_REMEMBERED_BEFORE:] + key + timestamp.to_bytes(_TIME_BYTES, signed=True)


def moved(orders: bytes, place: int, timestamp: int) -> bytes:
    """Return the orders with the time of the one at a place."""
    time = place + KEY_BYTES
    return orders[:time] + timestamp.to_bytes(_TIME_BYTES, signed=True) + orders[time + _TIME_BYTES :]
