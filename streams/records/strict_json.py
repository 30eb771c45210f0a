"""Strict JSON from untrusted bytes: RFC 8259, UTF-8 throughout, bounded in depth and in cost.

orjson refuses everything that the contract calls malformed, except deep nesting. It also refuses numbers beyond the
largest double, which are valid JSON. So nesting is checked first, and the standard library decides again on a text that
orjson has refused.
"""

from __future__ import annotations

import json
import re
from typing import Final, NoReturn

import numpy as np
import orjson

from streams.exceptions import MalformedJSONError

__all__ = ["MAX_DEPTH", "MalformedJSONError", "loads", "loads_exact"]

MAX_DEPTH: Final = 64
"""Deepest nesting of arrays and objects accepted; the outermost one has depth 1."""

_BOM: Final = b"\xef\xbb\xbf"
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_STEPS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[{]}"))
_PAIRED_ESCAPE: Final = re.compile(
    r"\\(?:[^u]|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u(?![dD][89a-fA-F])[0-9a-fA-F]{4})"
)
# int() refuses thousands of digits and takes quadratic time. No double has 310 digits before its point.
_MAX_INTEGER_CHARACTERS: Final = 310
_BEYOND_DOUBLES: Final = 10**_MAX_INTEGER_CHARACTERS


def loads(raw: bytes) -> object:
    """Decode one JSON text.

    Numbers beyond the largest double become infinite. Integers beyond 64 bits may come back as the nearest
    float: see `loads_exact`. Of a repeated key the last value counts.

    Args:
        raw: the bytes of the record; any content is allowed.

    Raises:
        MalformedJSONError: no UTF-8, no RFC 8259 JSON, NaN or Infinity, a lone surrogate, a byte order mark,
            nothing at all, or nesting over `MAX_DEPTH`.
    """
    _check_depth(raw)
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        pass  # Judged again outside the handler: an error that is raised inside would hold the record.
    return _loads_slowly(raw)


def loads_exact(raw: bytes) -> object:
    """Decode like `loads`, several times slower, keeping every integer literal an `int`.

    An integer literal of more than 310 characters becomes +-10^310, which is beyond every double.

    Raises:
        MalformedJSONError: as `loads`.
    """
    _check_depth(raw)
    return _loads_slowly(raw)


def _check_depth(raw: bytes) -> None:
    # Few brackets cannot nest deeply, and nearly every record has few.
    if raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH:
        return
    steps = _STRING.sub(b"", raw).translate(_STEPS, _NO_BRACKETS)
    depths = np.cumsum(np.frombuffer(steps, dtype=np.int8), dtype=np.int32)
    if depths.max(initial=0) > MAX_DEPTH:
        raise MalformedJSONError(f"expected nesting of at most {MAX_DEPTH}, found deeper nesting")


def _loads_slowly(raw: bytes) -> object:
    if raw.startswith(_BOM):
        raise MalformedJSONError("expected UTF-8 without a byte order mark, found one")
    fault = text = ""
    value: object = None
    try:
        text = raw.decode()
        value = _DECODER.decode(text)
    except UnicodeDecodeError as error:
        fault = f"expected UTF-8, found another byte at {error.start}"
    except json.JSONDecodeError as error:
        fault = f"expected RFC 8259 JSON, found something else at character {error.pos}"
    if fault:
        # Raised outside the handlers: the caught errors hold the record's text.
        raise MalformedJSONError(fault)
    # Valid JSON has backslashes in escapes only, so a remaining backslash starts a surrogate without its partner.
    if "\\" in _PAIRED_ESCAPE.sub("", text):
        raise MalformedJSONError("expected escaped surrogates in pairs, found a lone one")
    return value


def _parse_integer(literal: str) -> int:
    if len(literal) <= _MAX_INTEGER_CHARACTERS:
        return int(literal)
    return -_BEYOND_DOUBLES if literal[0] == "-" else _BEYOND_DOUBLES


def _refuse_constant(_name: str) -> NoReturn:
    raise MalformedJSONError("expected RFC 8259 JSON, found NaN or Infinity")


_DECODER: Final = json.JSONDecoder(parse_int=_parse_integer, parse_constant=_refuse_constant)
