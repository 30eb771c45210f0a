"""Decimals, in Avro and Protobuf an unscaled integer in bytes, as numbers of JSON with all their digits."""

from __future__ import annotations

from typing import Final

import orjson

from streams.encodings.exceptions import UnreadableValueError

MAX_SCALE: Final = 300
"""Digits behind the point: beyond them no double tells a number from zero."""

_MAX_BYTES: Final = 128
"""308 digits, as many as a double has before its point."""


def written(unscaled: bytes, scale: int) -> orjson.Fragment:
    """Return what `orjson` writes as the number; a double would not hold all digits.

    Args:
        unscaled: a signed integer, big-endian.
        scale: how many of its digits stand behind the point.

    Raises:
        UnreadableValueError: the number is beyond every double, or the scale is none.
    """
    if len(unscaled) > _MAX_BYTES or not 0 <= scale <= MAX_SCALE:
        raise UnreadableValueError(f"expected decimals of {_MAX_BYTES} bytes and scale 0 to {MAX_SCALE}, found another")
    integer = int.from_bytes(unscaled, "big", signed=True)
    digits = str(abs(integer))
    if scale:
        digits = digits.rjust(scale + 1, "0")
        digits = f"{digits[:-scale]}.{digits[-scale:]}"
    return orjson.Fragment(f"-{digits}" if integer < 0 else digits)
