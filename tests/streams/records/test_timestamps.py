from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.records.timestamps import _parse_by_parts, parse_rfc3339

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

ACCEPTED = [
    ("1970-01-01T00:00:00Z", 0),
    ("1970-01-01t00:00:00z", 0),
    ("1970-01-01 00:00:00Z", 0),
    ("1970-01-01T00:00:00+00:00", 0),
    ("1970-01-01T00:00:00-00:00", 0),
    ("1970-01-01T08:00:00+08:00", 0),
    ("1969-12-31T18:30:00-05:30", 0),
    ("1970-01-01T23:59:00+23:59", 0),
    ("1969-12-31T00:01:00-23:59", 0),
    ("1985-04-12T23:20:50.52Z", 482_196_050_520),
    ("1996-12-19T16:39:57-08:00", 851_042_397_000),
    ("1937-01-01T12:00:27.87+00:20", -1_041_337_172_130),
    ("1970-01-01T00:00:00.1Z", 100),
    ("1970-01-01T00:00:00.12Z", 120),
    ("1970-01-01T00:00:00.9999Z", 999),
    ("1970-01-01T00:00:00.999999Z", 999),
    ("1970-01-01T00:00:00.9999999999Z", 999),
    ("1970-01-01T00:00:00.0009Z", 0),
    ("1969-12-31T23:59:59.9999Z", -1),
    ("1969-12-31T23:59:59.99999999Z", -1),
    ("1970-01-01T00:00:00." + "0" * 10_000 + "Z", 0),
    ("2024-02-29T00:00:00Z", 1_709_164_800_000),
    ("2000-02-29T00:00:00Z", 951_782_400_000),
    ("0001-01-01T00:00:00Z", -62_135_596_800_000),
    ("0001-01-01T00:00:00+23:59", -62_135_683_140_000),
    ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
    ("9999-12-31T23:59:59-23:59", 253_402_387_139_000),
    # Leap seconds: the two examples of RFC 3339, then the edges.
    ("1990-12-31T23:59:60Z", 662_688_000_000),
    ("1990-12-31T15:59:60-08:00", 662_688_000_000),
    ("2016-12-31T23:59:60.5Z", 1_483_228_800_500),
    ("2017-01-01T08:59:60+09:00", 1_483_228_800_000),
    ("2015-06-30t23:59:60z", 1_435_708_800_000),
    ("9999-12-31T23:59:60Z", 253_402_300_800_000),
]

REFUSED = [
    "",
    "now",
    "1764000000000",
    "2024-01-01",
    "2024-01-01T00:00Z",
    "2024-01-01T00:00:00",
    "2024-01-01T00:00:00.Z",
    "2024-01-01T00:00:00,5Z",
    "2024-01-01T00:00:00.5",
    "2024-01-01T00:00:00 Z",
    "2024-01-01T00:00:00+08",
    "2024-01-01T00:00:00+0800",
    "2024-01-01T00:00:00+8:00",
    "2024-01-01T00:00:00+24:00",
    "2024-01-01T00:00:00+00:60",
    "2024-01-01T00:00:00+00:00:00",
    "2024-01-01T00:00:00+00:00Z",
    "2024-01-01T00:00:00\N{MINUS SIGN}08:00",
    "2024-01-01T00:00:00UTC",
    "2024-01-01T00:00:00Z\n",
    " 2024-01-01T00:00:00Z",
    "2024-01-01T00:00:00Z ",
    "2024-01-01_00:00:00Z",
    "2024-01-01  00:00:00Z",
    "2024-01-01T24:00:00Z",
    "2024-01-01T00:60:00Z",
    "2024-01-01T00:00:61Z",
    "2024-00-01T00:00:00Z",
    "2024-13-01T00:00:00Z",
    "2024-01-00T00:00:00Z",
    "2024-01-32T00:00:00Z",
    "2024-04-31T00:00:00Z",
    "2023-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "-001-01-01T00:00:00Z",
    "+2024-01-01T00:00:00Z",
    "10000-01-01T00:00:00Z",
    "24-01-01T00:00:00Z",
    "2024-1-1T00:00:00Z",
    "20240101T000000Z",
    "2024-W01-1T00:00:00Z",
    "2024-001T00:00:00Z",
    "Mon, 01 Jan 2024 00:00:00 GMT",
    "２０２４-01-01T00:00:00Z",
    "2024-01-01T00:00:0\u0661Z",
    "2024-01-01T00:00:00.\u0661Z",
    # A leap second where none can be.
    "2016-12-31T23:58:60Z",
    "2016-12-31T22:59:60Z",
    "2016-12-31T23:59:60+08:00",
    "2016-12-30T23:59:60Z",
    "2017-01-01T23:59:60Z",
    "0001-01-01T23:59:60+23:59",
    "0001-01-01T00:00:60+00:01",
]


@pytest.mark.parametrize(("text", "milliseconds"), ACCEPTED)
def test_accepts_rfc_3339(text: str, milliseconds: int) -> None:
    assert parse_rfc3339(text) == milliseconds
    assert _parse_by_parts(text) == milliseconds


@pytest.mark.parametrize("text", REFUSED)
def test_refuses_everything_else_without_quoting_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected .*, found ") as caught:
        parse_rfc3339(text)
    assert not text or text not in str(caught.value)
    assert caught.value.__context__ is None


offsets = st.integers(-1439, 1439)


@given(
    st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31)),
    offsets,
    st.sampled_from("Tt "),
    st.integers(0, 12),
)
def test_equals_calendar_arithmetic_in_both_paths(local: datetime, offset: int, separator: str, digits: int) -> None:
    moment = local.replace(tzinfo=timezone(timedelta(minutes=offset)))
    fraction = f"{local.microsecond:06}000000"[:digits]
    cut = moment.replace(microsecond=int(fraction[:3].ljust(3, "0")) * 1000)
    sign = "-" if offset < 0 else "+"
    text = f"{local:%m-%d}{separator}{local:%H:%M:%S}"
    text = f"{local.year:04}-{text}{'.' if fraction else ''}{fraction}"
    text += f"{sign}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
    assert parse_rfc3339(text) == _parse_by_parts(text) == (cut - EPOCH) // timedelta(milliseconds=1)


@given(st.from_regex(r"\A[0-9]{4}-[0-3][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,7})?Z\Z"))
def test_both_paths_refuse_the_same_texts(text: str) -> None:
    def outcome(parse: object) -> int | None:
        assert callable(parse)
        try:
            return int(parse(text))
        except ValueError:
            return None

    assert outcome(parse_rfc3339) == outcome(_parse_by_parts)


@given(st.text(max_size=40))
def test_any_text_gives_an_integer_or_a_value_error(text: str) -> None:
    try:
        result = parse_rfc3339(text)
    except ValueError:
        return
    assert type(result) is int
