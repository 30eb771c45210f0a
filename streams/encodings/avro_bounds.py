"""What a schema of Avro lets few bytes become: bounded before a value is read with it.

Items that take no bytes let a value of ten bytes claim 2^60 of them. Records of records, each twice in the next, become
2^60 values of no bytes at all. And a chain of types, or a type within itself, nests as deep as a value likes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from streams.encodings.exceptions import UnreadableSchemaError

MAX_DEPTH: Final = 64
"""Deepest nesting of types, as of JSON."""

MAX_VALUES: Final = 10_000
"""Most values that a record has without an array, a map or a union: those take a byte for each that they hold."""

_NO_BYTES: Final = "null"
_PRIMITIVES: Final = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})


class _Extent(NamedTuple):
    """What a type takes at least.

    Attributes:
        bytes: whether it takes any.
        values: how many values it becomes.
        depth: of its nesting.
    """

    bytes: bool
    values: int
    depth: int


_PLAIN: Final = _Extent(True, 1, 1)


def check(schema: Any, named: Mapping[str, Any]) -> bool:
    """Check a schema, and tell whether one of its types holds itself.

    Args:
        schema: parsed by fastavro.
        named: the parsed types by full name.

    Raises:
        UnreadableSchemaError: it is refused.
    """
    walk = _Walk(named)
    walk.extent(schema, 1)
    return walk.recursive


class _Walk:
    def __init__(self, named: Mapping[str, Any]) -> None:
        self._named = named
        self._known: dict[str, _Extent] = {}
        self._open: set[str] = set()
        self.recursive = False

    def extent(self, schema: Any, level: int) -> _Extent:
        found = self._of(schema, level)
        if level + found.depth - 1 > MAX_DEPTH:
            raise UnreadableSchemaError(f"expected types nested at most {MAX_DEPTH} deep, found deeper nesting")
        if found.values > MAX_VALUES:
            raise UnreadableSchemaError(f"expected a record of at most {MAX_VALUES} values, found one of more")
        return found

    def _of(self, schema: Any, level: int) -> _Extent:
        if level > MAX_DEPTH:
            return _PLAIN  # The caller refuses it.
        if isinstance(schema, str):
            return self._of_name(schema, level)
        if isinstance(schema, list):
            return self._holding(schema, level)
        kind = schema["type"]
        if kind == "array":
            if not self.extent(schema["items"], level + 1).bytes:
                raise UnreadableSchemaError("expected arrays of items that take bytes, found items that take none")
            return self._holding([schema["items"]], level)
        if kind == "map":
            return self._holding([schema["values"]], level)
        if kind in ("record", "error"):
            return self._of_record(schema, level)
        if kind == "fixed":
            return _Extent(schema["size"] > 0, 1, 1)
        if kind == "enum" or kind in _PRIMITIVES:
            return _Extent(kind != _NO_BYTES, 1, 1)
        return self._of(kind, level)

    def _of_name(self, name: str, level: int) -> _Extent:
        if name in _PRIMITIVES:
            return _Extent(name != _NO_BYTES, 1, 1)
        if name in self._open:
            self.recursive = True
            return _PLAIN
        return self._known.get(name) or self._of(self._named[name], level)

    def _holding(self, held: list[Any], level: int) -> _Extent:
        return _Extent(True, 1, 1 + max((self.extent(part, level + 1).depth for part in held), default=0))

    def _of_record(self, record: dict[str, Any], level: int) -> _Extent:
        name = record["name"]
        if name in self._known:
            return self._known[name]
        self._open.add(name)
        fields = [self.extent(field["type"], level + 1) for field in record["fields"]]
        self._open.discard(name)
        found = _Extent(
            bytes=any(field.bytes for field in fields),
            values=1 + sum(field.values for field in fields),
            depth=1 + max((field.depth for field in fields), default=0),
        )
        self._known[name] = found
        return found
