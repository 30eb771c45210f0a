"""Types of Avro as values of JSON: a schema is rewritten, so that what fastavro reads can be written as JSON at once.

fastavro takes readers of logical types by name. Types that need one get a logical type of ours; of the others the
logical type is left out where the number or text below it is what JSON gets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import numpy as np
import orjson

from streams.encodings.decimals import MAX_SCALE, written
from streams.encodings.exceptions import UnreadableSchemaError

_OURS: Final = "wherewithal-"
_LOGICAL: Final = {
    ("long", "timestamp-micros"): f"{_OURS}micros",
    ("long", "timestamp-nanos"): f"{_OURS}nanos",
    ("long", "local-timestamp-micros"): f"{_OURS}micros",
    ("long", "local-timestamp-nanos"): f"{_OURS}nanos",
    ("bytes", "decimal"): f"{_OURS}decimal",
    ("fixed", "decimal"): f"{_OURS}decimal",
    ("fixed", "uuid"): f"{_OURS}uuid",
    # fastavro's own reader gives what orjson writes as text.
    ("int", "date"): "date",
}
_FLOATING: Final = {"float": f"{_OURS}single", "double": f"{_OURS}finite"}


class NotFiniteError(ValueError):
    """A number that JSON lacks: NaN or an infinite one."""


def rewritten(schema: Any) -> Any:
    """Return a schema whose values fastavro reads as what `orjson` writes; see `READERS`.

    What is no schema is returned as it is: that is for the parser to refuse.

    Args:
        schema: of Avro, as its JSON is decoded; nested no deeper than a call may be.

    Raises:
        UnreadableSchemaError: the scale of a decimal is none.
    """
    if isinstance(schema, list):
        return [rewritten(branch) for branch in schema]
    if isinstance(schema, str):
        return {"type": schema, "logicalType": _FLOATING[schema]} if schema in _FLOATING else schema
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    plain = {name: value for name, value in schema.items() if name != "logicalType"}
    if isinstance(kind, list | dict):
        return plain | {"type": rewritten(kind)}
    for part in ("items", "values"):
        if part in plain:
            plain[part] = rewritten(plain[part])
    if isinstance(plain.get("fields"), list):
        plain["fields"] = [_rewritten_field(field) for field in plain["fields"]]
    logical = _logical(schema, kind)
    return plain if logical is None else plain | {"logicalType": logical}


def _rewritten_field(field: Any) -> Any:
    return field | {"type": rewritten(field["type"])} if isinstance(field, dict) and "type" in field else field


def _logical(schema: dict[str, Any], kind: Any) -> str | None:
    if not isinstance(kind, str):
        return None
    if kind in _FLOATING:
        return _FLOATING[kind]
    name = schema.get("logicalType")
    found = _LOGICAL.get((kind, name)) if isinstance(name, str) else None
    if name == "decimal" and found:
        scale = schema.get("scale", 0)
        if type(scale) is not int or not 0 <= scale <= MAX_SCALE:
            raise UnreadableSchemaError(f"expected a decimal of scale 0 to {MAX_SCALE}, found another scale")
    return found


def _finite(value: float, *_: object) -> float:
    # Only a finite number taken from itself is zero.
    if value - value != 0.0:
        raise NotFiniteError
    return value


def _single(value: float, *_: object) -> Any:
    # Written with as few digits as tell it from the next float: 19.99 instead of 19.989999771118164.
    return np.float32(_finite(value))


def _micros(value: int, *_: object) -> int:
    return value // 1_000


def _nanos(value: int, *_: object) -> int:
    return value // 1_000_000


def _decimal(value: bytes, writer: dict[str, Any], *_: object) -> orjson.Fragment:
    return written(value, writer.get("scale", 0))


def _uuid(value: bytes, *_: object) -> UUID:
    return UUID(bytes=value)


READERS: Final[dict[str, Callable[..., Any]]] = {
    f"double-{_OURS}finite": _finite,
    f"float-{_OURS}single": _single,
    f"long-{_OURS}micros": _micros,
    f"long-{_OURS}nanos": _nanos,
    f"bytes-{_OURS}decimal": _decimal,
    f"fixed-{_OURS}decimal": _decimal,
    f"fixed-{_OURS}uuid": _uuid,
}
"""What fastavro has to call for the types of a rewritten schema, by the name of type and logical type."""
