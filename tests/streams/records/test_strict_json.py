from __future__ import annotations

import json
import math
import re
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.exceptions import StreamsError
from streams.records.strict_json import MAX_DEPTH, MalformedJSONError, loads, loads_exact

MALFORMED: dict[str, bytes] = {
    "empty": b"",
    "only spaces": b" \n\t\r ",
    "byte order mark": b"\xef\xbb\xbf{}",
    "byte order mark alone": b"\xef\xbb\xbf",
    "UTF-16 little-endian": '{"a":1}'.encode("utf-16-le"),
    "UTF-16 with its mark": '{"a":1}'.encode("utf-16"),
    "UTF-32": '{"a":1}'.encode("utf-32"),
    "Latin-1 string": b'{"a":"\xe9"}',
    "truncated character": b'"\xe2\x82"',
    "overlong character": b'"\xc0\x80"',
    "beyond the last code point": b'"\xf4\x90\x80\x80"',
    "encoded surrogate": b'"\xed\xa0\x80"',
    "encoded surrogate pair (CESU-8)": b'"\xed\xa0\xbd\xed\xb8\x80"',
    "invalid byte in a key": b'{"\xff":1}',
    "invalid byte after the value": b"{}\xff",
    "invalid byte beside a number beyond the doubles": b'[1e999,"\xff"]',
    "NaN": b"NaN",
    "NaN in an array": b"[NaN]",
    "NaN beside a number beyond the doubles": b"[1e999,NaN]",
    "Infinity": b'{"a":Infinity}',
    "negative Infinity": b"[-Infinity]",
    "nan in small letters": b"nan",
    "inf": b"inf",
    "lone high surrogate": rb'"\ud800"',
    "lone low surrogate": rb'"\udc00"',
    "reversed surrogates": rb'"\udc00\ud800"',
    "high surrogate before a letter": rb'"\ud800\u0061"',
    "high surrogate before a pair": rb'"\ud800\ud83d\ude00"',
    "low surrogate after a pair": rb'"\ud83d\ude00\ude00"',
    "lone surrogate in capitals": rb'"\uD800"',
    "lone surrogate in a key": rb'{"\udfff":1}',
    "lone surrogate in a value that is overwritten": rb'{"a":"\ud800","a":1}',
    "lone surrogate after an escaped backslash": rb'"\\\ud800"',
    "lone surrogate beside a number beyond the doubles": rb'[1e999,"\ud800"]',
    "lone surrogate in a key beside a number beyond the doubles": rb'[1e999,{"\uDC00":1}]',
    "overwritten lone surrogate beside a number beyond the doubles": rb'{"a":"\ud800","a":1e999}',
    "lone surrogate split by an escaped backslash": rb'[1e999,"\ud83d\\\ude00"]',
    "trailing comma in an array": b"[1,]",
    "trailing comma in an object": b'{"a":1,}',
    "trailing garbage": b"{} x",
    "two values": b"{}{}",
    "two lines": b"{}\n{}",
    "trailing null byte": b"{}\x00",
    "unclosed object": b'{"a":1',
    "unclosed string": b'"abc',
    "string that ends in an escape": b'"abc\\',
    "closing only": b"]",
    "mismatched brackets": b"[}",
    "single quotes": b"{'a':1}",
    "bare key": b"{a:1}",
    "number as key": b"{1:2}",
    "comment": b"/**/1",
    "line comment": b"1//",
    "leading zero": b"01",
    "negative leading zero": b"-01",
    "plus sign": b"+1",
    "leading point": b".5",
    "trailing point": b"1.",
    "empty exponent": b"1e",
    "lone minus": b"-",
    "hexadecimal": b"0x10",
    "digits with an underscore": b"1_0",
    "digits of another script": "١".encode(),
    "no-break space": b"\xc2\xa01",
    "form feed": b"\x0c1",
    "newline in a string": b'"a\nb"',
    "tab in a string": b'"a\tb"',
    "null byte in a string": b'"\x00"',
    "unit separator in a string": b'"\x1f"',
    "unknown escape": rb'"\x41"',
    "short escape": rb'"\u12"',
    "escape with a sign": rb'"\u+123"',
    "escape of no hexadecimal": rb'"\u12G4"',
    "True": b"True",
    "cut literal": b"tru",
    "undefined": b"undefined",
    "65 arrays": b"[" * 65 + b"]" * 65,
    "65 objects": b'{"a":' * 65 + b"1" + b"}" * 65,
    "65 mixed": b'[{"a":' * 32 + b"[]" + b"}]" * 32,
    "65 in an unknown corner": b'{"a":[[1],' + b"[" * 63 + b"]" * 63 + b"]}",
    "65 after a string with escaped quotes": rb'["\"]]]]]]",' + b"[" * 64 + b"]" * 64 + b"]",
    "100,000 arrays": b"[" * 100_000,
    "100,000 arrays beside a number beyond the doubles": b"[1e999," + b"[" * 100_000,
    "unclosed string full of brackets": b'"' + b"[" * 100,
    "escaped quotes without an end": b'"' + rb"\"[" * 100_000,
}

WELL_FORMED: dict[str, tuple[bytes, Any]] = {
    "null": (b"null", None),
    "true amid spaces": (b" \t\r\ntrue\n", True),
    "string at the top": (b'"x"', "x"),
    "number at the top": (b"-0.5e1", -5.0),
    "empty object": (b"{}", {}),
    "repeated key: the last counts": (b'{"a":1,"a":2}', {"a": 2}),
    "repeated key, slowly": (b'{"a":1,"a":2,"b":0e999}', {"a": 2, "b": 0.0}),
    "delete is no control character": (b'"\x7f"', "\x7f"),
    "escaped controls": (rb'"\u0000\b\f\n\r\t\/"', "\0\b\f\n\r\t/"),
    "surrogate pair": (rb'"\uD83D\ude00"', "😀"),
    "surrogate pair, slowly": (rb'[1e999,"\uD83D\ude00"]', [math.inf, "😀"]),
    "escaped backslash before ud800": (rb'"\\ud800"', r"\ud800"),
    "escaped backslash before ud800, slowly": (rb'[1e999,"\\ud800"]', [math.inf, r"\ud800"]),
    "byte order mark inside a string": (b'"\xef\xbb\xbf"', "\ufeff"),
    "noncharacter": (b'"\xef\xbf\xbf"', "\uffff"),
    "NaN as a string": (b'"NaN"', "NaN"),
    "beyond the doubles": (b"[1e999,-1e999]", [math.inf, -math.inf]),
    "exponent of many digits": (b"1e" + b"9" * 5_000, math.inf),
    "just rounding to the largest double": (b"1.7976931348623158e308", 1.7976931348623157e308),
    "below the least double": (b"1e-999", 0.0),
    "integer of 64 bits": (b"18446744073709551615", 2**64 - 1),
    "64 arrays": (b"[" * 64 + b"]" * 64, json.loads("[" * 64 + "]" * 64)),
    "64 mixed": (b'[{"a":' * 32 + b"1" + b"}]" * 32, json.loads('[{"a":' * 32 + "1" + "}]" * 32)),
    "many shallow arrays": (b"[" + b"[]," * 500 + b"[]]", [[]] * 501),
    "brackets in a string": (b'"' + b"[{" * 500 + b'"', "[{" * 500),
    "brackets after escaped quotes": (rb'"\"' + b"[" * 500 + rb'\\"', '"' + "[" * 500 + "\\"),
}


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("decode", [loads, loads_exact])
def test_refuses_what_is_no_strict_json(decode: Any, raw: bytes) -> None:
    with pytest.raises(MalformedJSONError, match=r"expected .*, found "):
        decode(raw)


@pytest.mark.parametrize(("raw", "value"), WELL_FORMED.values(), ids=WELL_FORMED)
@pytest.mark.parametrize("decode", [loads, loads_exact])
def test_decodes_all_of_rfc_8259(decode: Any, raw: bytes, value: Any) -> None:
    assert decode(raw) == value


def test_the_error_is_a_value_error_and_of_the_package_and_keeps_nothing_of_the_record() -> None:
    for raw in MALFORMED.values():
        with pytest.raises(MalformedJSONError) as caught:
            loads(raw)
        assert isinstance(caught.value, ValueError)
        assert isinstance(caught.value, StreamsError)
        assert caught.value.__context__ is None
        assert caught.value.__cause__ is None


@pytest.mark.parametrize("digits", [20, 309, 310, 311, 4_301, 1_000_000])
@pytest.mark.parametrize("sign", ["", "-"])
def test_integers_of_any_length_are_decoded_and_stay_integers_when_asked(digits: int, sign: str) -> None:
    raw = (sign + "1" * digits).encode()
    approximate = loads(raw)
    exact = loads_exact(raw)
    assert type(exact) is int
    assert (exact < 0) == (sign == "-")
    assert isinstance(approximate, float | int)
    assert abs(approximate) >= 10 ** min(digits - 1, 308)
    if digits < 310:
        assert exact == int(raw)
    else:
        assert 10**308 < abs(exact) <= 10**310


def test_exact_integers_at_the_edge_of_64_bits() -> None:
    for value in (2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1):
        assert loads_exact(str(value).encode()) == value


# The reference is slow and obvious: the standard library, then a walk over everything it made.


class Pairs(list[tuple[str, Any]]):
    """An object with its repeated keys still there."""


def reference(raw: bytes) -> Any:
    if raw.startswith(b"\xef\xbb\xbf"):
        raise ValueError("byte order mark")

    def refuse(name: str) -> Any:
        raise ValueError(name)

    return plain(json.loads(raw.decode(), object_pairs_hook=Pairs, parse_constant=refuse), 1)


def plain(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**64:
        return float(value)
    elif isinstance(value, list):
        if depth > MAX_DEPTH:
            raise ValueError("too deep")
        if isinstance(value, Pairs):
            return {plain(key, depth): plain(item, depth + 1) for key, item in value}
        return [plain(item, depth + 1) for item in value]
    return value


def outcome(decode: Any, raw: bytes) -> str:
    try:
        return repr(plain_numbers(decode(raw)))
    except ValueError:
        return "malformed"


def plain_numbers(value: Any) -> Any:
    """Large integers as floats, so that both ways of decoding them compare equal."""
    if isinstance(value, dict):
        return {key: plain_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain_numbers(item) for item in value]
    if type(value) is int and not -(2**63) <= value < 2**64:
        return float(value)
    return value


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
fragments = st.sampled_from(
    [
        *[bytes([byte]) for byte in b'[]{}:,"\\/ \t\n-+.eE0123456789utfn\x00\x1f\x7f\xff\xc0\xed\xa0\x80'],
        *[rb"\ud83d", rb"\ude00", rb"\uD800", rb"\u0041", rb"\\", rb"\"", b"1e999", b"-1e999", b"0e999"],
        *[b"NaN", b"Infinity", b"true", b"null", b'"a":', b'{"a":1}', b"18446744073709551616", b"\xef\xbb\xbf"],
        *[b"[" * 64, b"]" * 64, b'{"":' * 64, b"}" * 64, "😀".encode(), b'"', b'""', b"[", b"]"],
    ]
)


@settings(max_examples=300)
@given(json_values, st.booleans())
def test_agrees_with_the_reference_on_any_json(value: Any, ascii_only: bool) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert outcome(loads, raw) == outcome(reference, raw) == outcome(loads_exact, raw)


@settings(max_examples=500)
@given(json_values, st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3), fragments), max_size=3))
def test_agrees_with_the_reference_on_mutated_json(value: Any, edits: list[tuple[int, int, bytes]]) -> None:
    raw = json.dumps(value).encode()
    for position, removed, inserted in edits:
        position %= len(raw) + 1
        raw = raw[:position] + inserted + raw[position + removed :]
    assert outcome(loads, raw) == outcome(reference, raw) == outcome(loads_exact, raw)


@settings(max_examples=800)
@given(st.lists(fragments, max_size=12).map(b"".join))
def test_agrees_with_the_reference_on_fragments(raw: bytes) -> None:
    assert outcome(loads, raw) == outcome(reference, raw) == outcome(loads_exact, raw)


@settings(max_examples=300)
@given(st.lists(st.sampled_from([rb"\ud83d", rb"\uDE00", rb"\\", rb"\u0061", rb"\n", b"a", b"u"]), max_size=8))
def test_agrees_with_the_reference_on_escapes(parts: list[bytes]) -> None:
    raw = b'["' + b"".join(parts) + b'"]'
    assert outcome(loads, raw) == outcome(reference, raw) == outcome(loads_exact, raw)


@settings(max_examples=200)
@given(st.integers(60, 68), st.sampled_from(["[]", "{}"]), st.text(alphabet='[{]}"\\', max_size=80))
def test_depth_is_counted_outside_strings_only(depth: int, kind: str, text: str) -> None:
    quoted = json.dumps(text).encode()
    if kind == "[]":
        raw = b"[" + quoted + b"," + b"[" * (depth - 1) + b"]" * depth
    else:
        raw = b"{" + quoted + b":" + b'{"":' * (depth - 1) + quoted + b"}" * depth
    if depth > MAX_DEPTH:
        with pytest.raises(MalformedJSONError, match="nesting"):
            loads(raw)
    else:
        assert loads(raw) == json.loads(raw)


@settings(max_examples=300)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_both_decoders_read_a_number_alike(number: float) -> None:
    for raw in (repr(number).encode(), f"{number:.17e}".encode(), orjson.dumps(number)):
        assert repr(loads(raw)) == repr(loads_exact(raw)) == repr(float(raw))


def test_messages_are_made_of_fixed_words_and_positions() -> None:
    messages = set()
    for raw in MALFORMED.values():
        with pytest.raises(MalformedJSONError) as caught:
            loads(raw)
        messages.add(re.sub(r"\d+", "N", str(caught.value)))
    assert len(messages) <= 6
