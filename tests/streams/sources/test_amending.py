"""Ids and times become what an option says, and everything else keeps its bytes."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.records.ndjson import Record
from streams.sources.amending import amended, local_instant
from streams.sources.options import SourceOptions

BERLIN = ZoneInfo("Europe/Berlin")
BOTH = SourceOptions(integer_ids=True, timezone=BERLIN)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2025-11-24", 1_763_938_800_000),
        ("20251124", 1_763_938_800_000),
        (20251124, 1_763_938_800_000),
        ("2025-11-24 17:00", 1_764_000_000_000),
        ("2025-11-24T17:00:01", 1_764_000_001_000),
        (" 2025-11-24t17:00:01.9999 ", 1_764_000_001_999),
        ("2025-11-24 17:00:01,5", 1_764_000_001_500),
        ("1969-12-31T23:59:59.999", -3_600_001),
        # Summer time ends at 03:00: half past two comes twice, and the first counts.
        ("2025-10-26 02:30", 1_761_438_600_000),
        # It begins at 02:00: half past two does not come.
        ("2025-03-30 02:30", 1_743_298_200_000),
        ("2025-11-24T17:00:00Z", None),
        ("2025-11-24T17:00:00+01:00", None),
        ("2025-02-30", None),
        ("2025-11-24 24:00", None),
        ("24.11.2025", None),
        (1_764_000_000_000, None),
        (True, None),
        (None, None),
        ([], None),
    ],
)
def test_local_times(written: object, expected: int | None) -> None:
    assert local_instant(written, BERLIN) == expected


@given(st.integers() | st.floats() | st.text(max_size=40) | st.from_regex(r"\d{4}-?\d\d-?\d\d([T ]\d\d:\d\d(:\d\d)?)?"))
def test_no_value_raises(value: object) -> None:
    assert isinstance(local_instant(value, BERLIN), int | None)


@given(st.binary(), st.sampled_from([BOTH, SourceOptions()]))
def test_any_bytes_of_a_record_are_kept_or_valid(value: bytes, options: SourceOptions) -> None:
    assert amended(Record("clicks", b"u", value), options).value == value


def test_ids_and_time_are_changed_and_the_key_follows() -> None:
    event = {
        "user_id": 7,
        "item_id": 8.0,
        "session_id": 1.5,
        "event_id": True,
        "quantity": 2,
        "timestamp": "2025-11-24",
    }
    found = amended(Record("clicks", None, orjson.dumps(event)), BOTH)
    changed = {"user_id": "7", "item_id": "8", "timestamp": 1_763_938_800_000}
    assert (found.key, orjson.loads(found.value)) == (b"7", event | changed)
    # A key that the line gives stays, right or wrong.
    assert amended(Record("clicks", b"k", orjson.dumps(event)), BOTH).key == b"k"


def test_what_needs_no_change_keeps_its_bytes() -> None:
    value = b'{"user_id" : "u", "price": 1.50, "timestamp": 1764000000000}'
    assert amended(Record("clicks", b"u", value), BOTH).value is value
    large = b'{"user_id": 123456789012345678901234567890}'
    assert amended(Record("clicks", None, large), BOTH).value is large
