"""How rows lie in the hash of a key in Redis: fields by Feast's names, a row's values as one argument of a script."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import mmh3

from features.online import scripts
from features.online.rows import Row
from features.online.views import Column, Serving, View
from features.online.wire import values

FENCE_FIELD: Final = b"wherewithal:fence"
"""Feast's own fields are 4 bytes long or start with `_ts:`; it neither reads nor touches any other."""


def field(view: str, feature: str) -> bytes:
    """Return Feast's field name: the murmur3 hash (x86, 32 bits, seed 0) of `view:feature`, little-endian."""
    return struct.pack("<I", mmh3.hash(f"{view}:{feature}", signed=False))


def _timestamp_field(view: View) -> bytes:
    return f"_ts:{view.name}".encode()


class Shape:
    """Rows of which the same views are written.

    Args:
        views: see there.
        transpose: returns one column per feature of these views.

    Attributes:
        script: writes them.
    """

    def __init__(self, views: Sequence[View], transpose: Callable[[Sequence[Any]], list[Column]]) -> None:
        self._kinds = [feature.kind for view in views for feature in view.features]
        self._transpose = transpose
        self.script = scripts.write(
            fence_field=FENCE_FIELD,
            timestamp_fields=[_timestamp_field(view) for view in views],
            value_fields=[field(view.name, feature.name) for view in views for feature in view.features],
        )

    def packed(self, rows: Sequence[Row]) -> list[bytes]:
        """Pack each row's values as one MessagePack array, which Redis unpacks in C.

        One argument instead of one per feature: both ends spend most of their time per argument.
        """
        batch = [values(kind, column) for kind, column in zip(self._kinds, self._transpose(rows), strict=True)]
        head = b"\xdc" + struct.pack(">H", len(self._kinds))
        return [head + b"".join([_framed(value) for value in row]) for row in zip(*batch, strict=True)]


class Hashes:
    """The hashes of the keys of one entity.

    Args:
        serving: the entity.

    Attributes:
        names: of every (view, feature) that a store may hold.
        fields: of the same, as the hash calls them.
        known: the field by which Feast knows a key.
    """

    def __init__(self, serving: Serving[Any]) -> None:
        self.names = [(view.name, feature.name) for view in serving.stored for feature in view.features]
        self.fields = [field(*name) for name in self.names]
        self.known = _timestamp_field(serving.views[0])
        self._extra = extra = serving.extra
        self._plain = Shape(serving.views, serving.columns)
        self._with_extra = None
        if extra is not None:
            self._with_extra = Shape(serving.stored, lambda rows: [*serving.columns(rows), *extra.columns(rows)])

    def shaped(self, rows: Sequence[Row]) -> Iterator[tuple[Shape, Sequence[Row]]]:
        """Yield rows of which the same views are written."""
        if self._extra is None or self._with_extra is None:
            yield self._plain, rows
            return
        having = list(map(self._extra.has, rows))
        yield self._plain, [row for row, has in zip(rows, having, strict=True) if not has]
        yield self._with_extra, [row for row, has in zip(rows, having, strict=True) if has]


def _framed(value: bytes) -> bytes:
    """Return a MessagePack string: a header of its length, then the bytes."""
    size = len(value)
    if size < 32:
        return _SHORT_HEADS[size] + value
    if size < 65_536:
        return (b"\xd9%c" % size if size < 256 else b"\xda" + struct.pack(">H", size)) + value
    return b"\xdb" + struct.pack(">I", size) + value


_SHORT_HEADS: Final = [bytes([0xA0 | size]) for size in range(32)]
