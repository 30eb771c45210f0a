"""How rows lie in a user's hash in Redis: the fields by Feast's names, a row's values as one argument of a script."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Final

import mmh3

from features.online import scripts
from features.online.layout import (
    STORED,
    VIEWS,
    Column,
    View,
    capacity_columns,
    columns,
    values,
)
from features.online.rows import OnlineRow

FENCE_FIELD: Final = b"wherewithal:fence"
"""Feast's own fields are 4 bytes long or start with `_ts:`; it neither reads nor touches any other."""


def field(view: str, feature: str) -> bytes:
    """Return Feast's field name: the murmur3 hash (x86, 32 bits, seed 0) of `view:feature`, little-endian."""
    return struct.pack("<I", mmh3.hash(f"{view}:{feature}", signed=False))


def _timestamp_field(view: View) -> bytes:
    return f"_ts:{view.name}".encode()


NAMES: Final = [(view.name, feature.name) for view in STORED for feature in view.features]
FIELDS: Final = [field(*name) for name in NAMES]
KNOWN: Final = _timestamp_field(VIEWS[0])


class Shape:
    """Rows of which the same views are written.

    Args:
        views: see there.
        transpose: returns one column per feature of these views.

    Attributes:
        script: writes them.
    """

    def __init__(self, views: Sequence[View], transpose: Callable[[Sequence[OnlineRow]], list[Column]]) -> None:
        self._kinds = [feature.kind for view in views for feature in view.features]
        self._transpose = transpose
        self.script = scripts.write(
            fence_field=FENCE_FIELD,
            timestamp_fields=[_timestamp_field(view) for view in views],
            value_fields=[field(view.name, feature.name) for view in views for feature in view.features],
        )

    def packed(self, rows: Sequence[OnlineRow]) -> list[bytes]:
        """Pack each row's values as one MessagePack array, which Redis unpacks in C.

        One argument instead of one per feature: both ends spend most of their time per argument.
        """
        batch = [values(kind, column) for kind, column in zip(self._kinds, self._transpose(rows), strict=True)]
        head = b"\xdc" + struct.pack(">H", len(self._kinds))
        return [head + b"".join([_framed(value) for value in row]) for row in zip(*batch, strict=True)]


PLAIN: Final = Shape(VIEWS, columns)
WITH_CAPACITY: Final = Shape(STORED, lambda rows: [*columns(rows), *capacity_columns(rows)])


def _framed(value: bytes) -> bytes:
    """Return a MessagePack string: a header of its length, then the bytes."""
    size = len(value)
    if size < 32:
        return _SHORT_HEADS[size] + value
    return (b"\xd9%c" % size if size < 256 else b"\xda" + struct.pack(">H", size)) + value


_SHORT_HEADS: Final = [bytes([0xA0 | size]) for size in range(32)]
