"""States as version 3 stored them, which knew no orders, refunds and titles: what later ones are measured against."""

from __future__ import annotations

import msgspec

from features.users import codec
from features.users.columns import LAYOUTS
from features.users.state import UserState

HEADER_BYTES = 17
FIELDS = 18
NEW_COLUMNS = 4
"""At the end of the tiles of each level."""


def as_version_3(state: UserState) -> bytes:
    """What version 3 made of the same events."""
    encoded = codec.encode(state)
    body = msgspec.msgpack.decode(encoded[HEADER_BYTES:])[:FIELDS]
    widths = [layout.width for layout in LAYOUTS]
    for place, width in enumerate(widths, 9):
        flat = body[place]
        body[place] = [number for at, number in enumerate(flat) if at % width < width - NEW_COLUMNS]
    body[-1] = [width - NEW_COLUMNS for width in widths]
    return b"\x03" + encoded[1:HEADER_BYTES] + msgspec.msgpack.encode(body)
