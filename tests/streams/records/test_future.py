"""What is too far ahead of its record, whichever way it is decoded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from support.raw_records import DAY, NOW, decode, record

from streams.records.decoder import Decoder
from streams.records.events import LATEST_MS, Click
from streams.records.future import is_future
from streams.records.rejection import Rejection


@pytest.mark.parametrize(
    ("timestamp", "arrived", "expected"),
    [
        (NOW, NOW, False),
        (NOW + DAY, NOW, False),
        (NOW + DAY + 1, NOW, True),
        (NOW, NOW * 2, False),
        (LATEST_MS, 2**63 - 1, False),
        (LATEST_MS + 1, 2**63 - 1, True),
        (0, -1, False),
    ],
)
def test_an_event_is_future_when_it_is_ahead_of_its_record_by_more_than_the_tolerance(
    timestamp: int, arrived: int, expected: bool
) -> None:
    assert is_future(timestamp, arrived, DAY) is expected


@pytest.mark.parametrize(("ahead", "expected"), [(DAY, Click), (DAY + 1, Rejection)])
def test_clicks_decoded_together_and_alone_have_one_verdict(ahead: int, expected: type) -> None:
    value = record("clicks", timestamp=NOW + ahead)
    together: Any = [SimpleNamespace(key=b"u1", value=value, timestamp=NOW) for _ in range(3)]
    alone = decode("clicks", value)
    assert type(alone) is expected
    assert Decoder().decode_all("clicks", together) == [alone] * 3
