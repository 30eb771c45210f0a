"""Plain clicks, decoded many at a time. A click is plain if it is a flat object without escapes, as most are.

Plain clicks take a third of the time of the thorough way, which decodes all other records. The restriction is needed
because msgspec and the contract differ on other objects: on bytes that are no UTF-8 and lone surrogates in unknown
fields, on deep nesting, and on the length of ids, which msgspec counts in characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

import msgspec

from streams.records.events import Click
from streams.records.fields import is_short_id

_decode_lines: Final = msgspec.json.Decoder(Click).decode_lines


def decode_plain_clicks(values: Sequence[bytes | None], most_bytes: int) -> list[Click] | None:
    """Return the click of every value, or None if one of them is not a plain click that msgspec accepts.

    The caller still checks the timestamp, the currency, the product of price and quantity, and the length of the title.

    Args:
        values: the values of records.
        most_bytes: the limit for all values together; beyond it the result is None.
    """
    if not all(values):
        return None
    present = cast("Sequence[bytes]", values)
    if sum(map(len, present)) > most_bytes:
        return None
    lines = b"\n".join(present)
    count = len(values)
    # Every line has one opening brace, at its start, and ends with a closing brace, so every line is one whole object.
    # A string cannot reach into the next line, because JSON allows no line break in a string.
    if (
        lines[:1] != b"{"
        or lines[-1:] != b"}"
        or lines.count(b"{") != count
        or lines.count(b"\n") != count - 1
        or lines.count(b"}\n{") != count - 1
        or b"[" in lines
        or b"\\" in lines
    ):
        return None
    ascii_only = lines.isascii()
    try:
        if not ascii_only:
            lines.decode()
        clicks = _decode_lines(lines)
    except (UnicodeDecodeError, msgspec.DecodeError):
        return None
    return clicks if len(clicks) == count and (ascii_only or all(map(_has_short_ids, clicks))) else None


def _has_short_ids(click: Click) -> bool:
    return (
        is_short_id(click.event_id)
        and is_short_id(click.user_id)
        and is_short_id(click.item_id)
        and (click.session_id is None or is_short_id(click.session_id))
        and (click.order_id is None or is_short_id(click.order_id))
    )
