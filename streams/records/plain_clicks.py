"""Clicks as most are, decoded many at a time: flat objects without escapes.

They take a third of the time of the thorough way, which judges the rest. Without these restrictions msgspec and the
contract differ: in bytes that are no UTF-8 and in lone surrogates in unknown fields, in deep nesting, and in the length
of ids, which msgspec counts in characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

import msgspec

from streams.records.events import Click
from streams.records.fields import is_short_id

_decode_lines: Final = msgspec.json.Decoder(Click).decode_lines


def decode_plain_clicks(values: Sequence[bytes | None], most_bytes: int) -> list[Click] | None:
    """Return the click of every value, or None unless each of them is a plain one that msgspec takes.

    What `Click` cannot say of itself is left to the caller: timestamps and currencies of the deployment, and what money
    comes to.

    Args:
        values: of records.
        most_bytes: of all of them together; of more, none is looked into.
    """
    if not all(values):
        return None
    present = cast("Sequence[bytes]", values)
    if sum(map(len, present)) > most_bytes:
        return None
    lines = b"\n".join(present)
    count = len(values)
    # Every line begins with the only brace that it opens and ends with one that closes it. So it is one object, whole:
    # none can end in another's string, where a line break is not allowed, nor reach into another.
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
    )
