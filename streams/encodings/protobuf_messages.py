"""Messages of Protobuf as values of JSON: one function for each type of message, made of its descriptor."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from models.libraries import REGISTRY, library
from streams.encodings.decimals import written
from streams.encodings.exceptions import UnreadableValueError
from streams.encodings.protobuf_compiling import DECIMAL_FILE, WELL_KNOWN_FOLDER

_WELL_KNOWN: Final = "google.protobuf."
_TIMESTAMP: Final = f"{_WELL_KNOWN}Timestamp"
_WRAPPERS: Final = frozenset(
    f"{_WELL_KNOWN}{kind}Value"
    for kind in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
)
_DECIMAL: Final = "confluent.type.Decimal"
_AS_JSON_MAPPING: Final = frozenset(
    f"{_WELL_KNOWN}{kind}" for kind in ("Any", "Duration", "Empty", "FieldMask", "ListValue", "Struct", "Value")
)
"""Types for which the JSON mapping of Protobuf has a form of its own, and we have none."""


class Messages:
    """Takes messages to dicts of what `orjson` writes (with NumPy's numbers).

    Field names are those of the schema. Fields that are not set are left out; without presence (`proto3` without
    `optional`) that is also a zero, an empty text and the first value of an enumeration. 64-bit integers are numbers,
    enumerations their names, a `Timestamp` is epoch milliseconds, a `Decimal` of Confluent a number, bytes are base64,
    wrappers are what they wrap.

    Args:
        pool: of descriptors, to look into `Any`.
    """

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._mapping = library("google.protobuf.json_format", REGISTRY)
        self._fields: dict[str, dict[int, tuple[str, Callable[[Any], Any] | None]]] = {}

    def converter(self, descriptor: Any) -> Callable[[Any], Any]:
        """Return what takes messages of a type to JSON.

        It raises UnreadableValueError: a number is not finite, or a well-known type holds what its JSON form lacks.
        """
        name = descriptor.full_name
        # A schema may declare such a name itself.
        known = descriptor.file.name.startswith(WELL_KNOWN_FOLDER)
        if known and name == _TIMESTAMP:
            return _milliseconds
        if known and name in _WRAPPERS:
            inner = self._scalar(descriptor.fields_by_name["value"])
            return (lambda message: message.value) if inner is None else (lambda message: inner(message.value))
        if known and name in _AS_JSON_MAPPING:
            return self._mapped
        if name == _DECIMAL and descriptor.file.name == DECIMAL_FILE:
            return lambda message: written(message.value, message.scale)
        if name in self._fields:
            fields = self._fields[name]
        else:
            # Known before it is filled: a type may hold itself.
            fields = self._fields[name] = {}
            fields |= {field.number: (field.name, self._field(field)) for field in descriptor.fields}
        return lambda message: {
            fields[field.number][0]: value if (convert := fields[field.number][1]) is None else convert(value)
            for field, value in message.ListFields()
            if field.number in fields
        }

    def _field(self, field: Any) -> Callable[[Any], Any] | None:
        """Return what takes the value of a field to JSON; None if it is written as it is."""
        entry = field.message_type
        if entry is not None and entry.GetOptions().map_entry:
            convert = self._one(entry.fields_by_name["value"])
            # Keys are text in JSON, and a boolean is written as JSON has it.
            return lambda values: {
                _key(key): values[key] if convert is None else convert(values[key]) for key in values
            }
        one = self._one(field)
        if not field.is_repeated:
            return one
        return list if one is None else lambda values: [one(value) for value in values]

    def _one(self, field: Any) -> Callable[[Any], Any] | None:
        return self.converter(field.message_type) if field.message_type is not None else self._scalar(field)

    def _scalar(self, field: Any) -> Callable[[Any], Any] | None:
        if field.enum_type is not None:
            names = {value.number: value.name for value in reversed(field.enum_type.values)}
            # A number that a later schema may name stays one.
            return lambda number: names.get(number, number)
        if field.type == field.TYPE_BYTES:
            return lambda value: b64encode(value).decode()
        if field.type == field.TYPE_DOUBLE:
            return _finite
        if field.type == field.TYPE_FLOAT:
            return lambda value: np.float32(_finite(value))
        return None

    def _mapped(self, message: Any) -> Any:
        fault = ""
        try:
            return self._mapping.MessageToDict(message, preserving_proto_field_name=True, descriptor_pool=self._pool)
        except (self._mapping.Error, ValueError, TypeError) as error:
            fault = type(error).__name__
        raise UnreadableValueError(
            f"expected a value of {message.DESCRIPTOR.full_name} that has a form in JSON, found none ({fault})"
        )


def _milliseconds(timestamp: Any) -> int:
    milliseconds: int = timestamp.seconds * 1_000 + timestamp.nanos // 1_000_000
    return milliseconds


def _finite(value: float) -> float:
    if value - value != 0.0:
        raise UnreadableValueError("expected numbers that JSON has, found NaN or an infinite one")
    return value


def _key(key: Any) -> str:
    return key if isinstance(key, str) else str(key).lower()
