"""Plain clicks are decoded together, a shorter way; it must never find anything else than the long one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.records.decoder import Decoder
from streams.records.events import Click
from streams.records.plain_clicks import decode_plain_clicks
from streams.records.rejection import Reason, Rejection

NOW = 1_764_000_000_000
CLICK: dict[str, Any] = {
    "event_id": "c-1",
    "user_id": "u1",
    "item_id": "i1",
    "action": "purchase",
    "timestamp": NOW,
    "category": "rock",
    "price": 12.5,
    "quantity": 2,
    "currency": "USD",
    "session_id": "s",
    "title": "a lamp",
    "order_id": "o",
    "unknown": 1,
}


def together(values: Sequence[bytes | None], at: int = NOW) -> list[str]:
    """What records decoded together become; as text, which tells 0.0 from -0.0 and 2 from 2.0."""
    records: list[Any] = [SimpleNamespace(key=b"u1", value=value, timestamp=at) for value in values]
    return [repr(item) for item in Decoder().decode_all("clicks", records)]


def alone(value: bytes | None, at: int = NOW) -> str:
    """What the long way makes of a record."""
    return repr(Decoder().decode("clicks", b"u1", value, at))


def outcomes(value: bytes) -> tuple[str, str]:
    """What both ways make of a record."""
    (found,) = together([value])
    return found, alone(value)


LITERALS = [
    *(
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-0.0",
        "0.0",
        "1",
        "1.0",
        "1e0",
        "2.5",
        "-1",
        "01",
        "1.",
        ".5",
        "+1",
        "1e999",
    ),
    *(
        "1e9",
        "1000000000.0000001",
        "1e-400",
        "1000000",
        "1000001",
        "18446744073709551616",
        "9" * 400,
        "NaN",
        "Infinity",
    ),
    *(
        '""',
        '"USD"',
        '"usd"',
        '"view"',
        '"View"',
        '"2025-01-01T00:00:00Z"',
        '"' + "i" * 256 + '"',
        '"' + "i" * 257 + '"',
    ),
    *(
        '"\\u0061"',
        '"\\ud800"',
        '"\x7f"',
        '"\x01"',
        '"é"',
        '"' + "é" * 128 + '"',
        '"' + "é" * 129 + '"',
        '"' + "爵" * 86 + '"',
        '"\u2028\ufeff\x85"',
        "[]",
        "{}",
        "[[1]]",
        '{"a":1}',
        "nul",
    ),
    *("631151999999", "631152000000", str(NOW + 86_400_000), str(NOW + 86_400_001)),
]


@pytest.mark.parametrize("literal", LITERALS)
@pytest.mark.parametrize("name", CLICK)
def test_every_field_with_every_odd_value_is_judged_alike(name: str, literal: str) -> None:
    members = [f'"{key}":{literal if key == name else json.dumps(value)}' for key, value in CLICK.items()]
    found, expected = outcomes(("{" + ",".join(members) + "}").encode())
    assert found == expected


@pytest.mark.parametrize("name", CLICK)
def test_a_field_that_is_missing_or_repeated_is_judged_alike(name: str) -> None:
    without = {key: value for key, value in CLICK.items() if key != name}
    for text in (
        json.dumps(without),
        json.dumps(CLICK)[:-1] + f', "{name}": 3}}',
        f'{{"{name}": 3, {json.dumps(CLICK)[1:]}',
    ):
        found, expected = outcomes(text.encode())
        assert found == expected


@settings(max_examples=1500, deadline=None)
@given(
    st.integers(0, 260),
    st.integers(0, 6),
    st.binary(max_size=4) | st.text('{}[]",:\\0e-. u', max_size=4).map(str.encode),
)
@example(0, 0, b"\xef\xbb\xbf")
def test_a_damaged_record_is_judged_alike(position: int, removed: int, inserted: bytes) -> None:
    value = json.dumps(CLICK).encode()
    found, expected = outcomes(value[:position] + inserted + value[position + removed :])
    assert found == expected


@settings(max_examples=500, deadline=None)
@given(
    st.fixed_dictionaries(
        {
            "timestamp": st.integers(0, 2 * NOW),
            "price": st.floats(allow_nan=False),
            "quantity": st.integers(-1, 2_000_000),
        },
        optional={
            "user_id": st.text(max_size=3),
            "category": st.text(),
            "brand": st.text(st.characters(exclude_categories=())),
            "currency": st.sampled_from(["USD", "EUR", None]),
        },
    )
)
@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_any_amounts_and_texts_are_judged_alike(ensure_ascii: bool, changes: dict[str, Any]) -> None:
    found, expected = outcomes(json.dumps(CLICK | changes, ensure_ascii=ensure_ascii).encode("utf-8", "surrogatepass"))
    assert found == expected


RECORD = json.dumps(CLICK).encode()
FRAGMENTS = [
    RECORD,
    RECORD[:-1],
    RECORD[1:],
    b'{"a":"}',
    b'{":"}',
    b"{}",
    b"{",
    b"}",
    b"5",
    b"null",
    b" ",
    b"",
    RECORD + b"\n",
    RECORD + b"\n" + RECORD,
    RECORD + RECORD,
    RECORD[:40],
    RECORD[40:],
    RECORD.replace(b"rock", "rök".encode()),
    RECORD.replace(b"rock", "爵士乐".encode()),
    RECORD.replace(b"unknown", b"unkn\xf8wn"),
    RECORD.replace(b"rock", b"r\xc3"),
    b"\xa9" + RECORD,
    RECORD.replace(b"12.5", b"0"),
    RECORD.replace(b"12.5", b"[1]"),
    RECORD.replace(b'"u1"', b'"u2"'),
    RECORD.replace(b"USD", b"EUR"),
    RECORD.replace(b"1764", b"1864"),
]


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS) | st.none() | st.just(RECORD), max_size=5))
@example([b'{"a":"}', b'{":"}'])
@example([RECORD[:40], RECORD[40:]])
@example([RECORD.replace(b"rock", b"r\xc3"), b"\xa9" + RECORD])
@example([RECORD] * 5)
def test_records_decoded_together_are_judged_as_each_alone(values: list[bytes | None]) -> None:
    assert together(values) == [alone(value) for value in values]


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.integers(0, 79), st.sampled_from(FRAGMENTS) | st.none(), max_size=4))
def test_odd_records_among_many_plain_ones_are_judged_as_each_alone(odd: dict[int, bytes | None]) -> None:
    values = [odd.get(number, RECORD.replace(b"c-1", b"c-%d" % number)) for number in range(80)]
    assert together(values) == [alone(value) for value in values]


@pytest.mark.parametrize("timestamp", [253_402_300_799_999, 253_402_300_800_000, 2**63 - 1])
def test_an_instant_after_the_year_9999_is_judged_alike(timestamp: int) -> None:
    value = json.dumps(CLICK | {"timestamp": timestamp}).encode()
    assert together([value], at=2**63 - 1) == [alone(value, at=2**63 - 1)]


def test_an_odd_record_sends_few_others_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []
    decode = Decoder.decode
    monkeypatch.setattr(Decoder, "decode", lambda self, *record: sent.append(record) or decode(self, *record))
    together([RECORD] * 100 + [b"{}"] + [RECORD] * 155)
    assert 1 <= len(sent) <= 16


def test_a_record_over_the_limit_is_too_large_in_company_too() -> None:
    decoder = Decoder(max_record_bytes=len(RECORD))
    longer = RECORD.replace(b'"rock"', b'"rocks"')
    records: list[Any] = [SimpleNamespace(key=b"u1", value=value, timestamp=NOW) for value in (RECORD, longer)]
    first, second = decoder.decode_all("clicks", records)
    assert isinstance(first, Click)
    assert isinstance(second, Rejection)
    assert second.reason is Reason.TOO_LARGE


@pytest.mark.parametrize("value", [RECORD, RECORD.replace(b"rock", "爵士乐".encode())])
def test_plain_clicks_are_decoded_together_up_to_so_many_bytes(value: bytes) -> None:
    assert decode_plain_clicks([value] * 3, 3 * len(value) - 1) is None
    assert repr(decode_plain_clicks([value] * 3, 3 * len(value))) == f"[{', '.join([alone(value)] * 3)}]"
