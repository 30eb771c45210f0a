"""From the bytes of a served value back to the value: the other direction of `features.online.wire`."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final

from features.exceptions import OnlineStoreError
from features.online import item_views
from features.online.user_views import BEHAVIOR, CAPACITY, CAPACITY_VIEW, JOIN_KEY, VIEWS
from features.online.views import Kind

_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
_WIDTHS: Final = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}
_FLOATS: Final = 1
"""The only field of `feast.types.FloatList`."""

_FIELDS: Final = {
    Kind.STRING: (2, _LENGTH),
    Kind.INT64: (4, _VARINT),
    Kind.FLOAT64: (5, _EIGHT_BYTES),
    Kind.FLOAT32_ARRAY: (16, _LENGTH),
}
"""Field number in `feast.types.Value` and wire type of each kind."""

Stored = Mapping[tuple[str, str], bytes | None]
"""The value of every (view, feature) that a store holds of a key, serialised."""


def user(user_id: str, stored: Stored) -> dict[str, Any]:
    """Return what is served of a user.

    Args:
        user_id: the shopper.
        stored: what the store holds; a feature that is absent is null.

    Returns:
        `user_id`, `event_time`, `revision` (that of `user_behavior`), every scalar by name, `profile_vector` (64
        floats), `encoder`, `taste_vector`, `titles_waiting`, `score`, `expected_spend`, `tier`, `scorer`, and
        `revisions`, the revision of each view by name. Null is None, and so is what an earlier release did not write.
        The writers change the views together, so revisions that differ speak of another writer. `purchasing_capacity`
        is there if that view serves the user: its features by name.

    Raises:
        OnlineStoreError: a value is not of its feature's type.
    """
    served: dict[str, Any] = {JOIN_KEY: user_id}
    revisions: dict[str, Any] = {}
    for view in VIEWS:
        for feature in view.features:
            found = value(feature.kind, stored.get((view.name, feature.name)) or b"")
            if feature.name == "revision":
                revisions[view.name] = found
                if view.name != BEHAVIOR:
                    continue
            # Of several views with a feature of one name, such as the encoder, the first one speaks.
            served.setdefault(feature.name, found)
    served["revisions"] = revisions
    if any(view == CAPACITY and encoded is not None for (view, _), encoded in stored.items()):
        served[CAPACITY] = {
            feature.name: value(feature.kind, stored.get((CAPACITY, feature.name)) or b"")
            for feature in CAPACITY_VIEW.features
        }
    return served


def item(item_id: str, stored: Stored) -> dict[str, Any]:
    """Return what is served of an item.

    Args:
        item_id: the item.
        stored: what the store holds; a feature that is absent is null.

    Returns:
        `item_id`, then every feature of the view `item_signals` by name, in the order of the view; null is None.

    Raises:
        OnlineStoreError: a value is not of its feature's type.
    """
    view = item_views.VIEW
    features = {
        feature.name: value(feature.kind, stored.get((view.name, feature.name)) or b"") for feature in view.features
    }
    return {item_views.JOIN_KEY: item_id, **features}


def value(kind: Kind, encoded: bytes) -> Any:
    """Decode a serialised `feast.types.Value`.

    Returns:
        int, float, str or a list of floats by the kind; None if no field is set.

    Raises:
        OnlineStoreError: the bytes are no such value.
    """
    if not encoded:
        return None
    try:
        found = _field(encoded, *_FIELDS[kind])
        match kind:
            case Kind.INT64:
                return found - (1 << 64) if found >> 63 else found
            case Kind.FLOAT64:
                return struct.unpack("<d", found)[0]
            case Kind.STRING:
                return str(found, "utf-8")
            case Kind.FLOAT32_ARRAY:
                packed = _field(found, _FLOATS, _LENGTH) if found else b""
                return list(struct.unpack(f"<{len(packed) // 4}f", packed))
    except (ValueError, IndexError, struct.error):
        raise OnlineStoreError(
            f"expected a value of type {kind.name} in the online store, found {len(encoded)} bytes of another: "
            "let only the workers write there"
        ) from None


def _field(message: bytes, number: int, wire: int) -> Any:
    """Return the content of a message's only field: an integer of a varint, else bytes.

    Raises:
        ValueError, IndexError: it holds another field, or more than one, or ends in the middle.
    """
    tag, at = _varint(message, 0)
    if tag != number << 3 | wire:
        raise ValueError("another field")
    if wire == _VARINT:
        content, end = _varint(message, at)
        if end != len(message):
            raise ValueError("more than one field")
        return content
    size, at = _varint(message, at) if wire == _LENGTH else (_WIDTHS[wire], at)
    if at + size != len(message):
        raise ValueError("more or less than one field")
    return message[at:]


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Return a base-128 varint of at most 64 bits, and the position behind it."""
    number = shift = 0
    while True:
        byte = message[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & (1 << 64) - 1, at
        shift += 7
        if shift > 63:
            raise ValueError("a varint of more than 64 bits")
