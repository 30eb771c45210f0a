"""Lines in a shop's own shape become exactly these records, and every record passes the decoder.

`python tests/streams/records/shapes/test_golden.py` writes the expectations anew, to be read before they are kept.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from streams.records.decoder import Decoder
from streams.records.ndjson import Record, RejectedLine
from streams.records.rejection import Rejection
from streams.records.shapes.auto import auto
from streams.records.shapes.ga4 import ga4
from streams.records.shapes.segment import segment
from streams.records.shapes.translated import Translate, Translated

GOLDEN = Path(__file__).parent / "golden"
SHAPES = {"segment": segment, "ga4": ga4}
NOW = 1_795_000_000_000


def lines(name: str) -> list[bytes]:
    return (GOLDEN / f"{name}.ndjson").read_bytes().splitlines()


def shown(translated: Translated) -> dict[str, Any]:
    """A line as the golden file has it."""
    found: dict[str, Any] = {"source": translated.source}
    if translated.left_out:
        found["left_out"] = translated.left_out
    found["records"] = [
        {"refused": record.topic, "detail": record.rejection.detail}
        if isinstance(record, RejectedLine)
        else {"topic": record.topic, "key": (record.key or b"").decode(), "value": orjson.loads(record.value)}
        for record in translated.records
    ]
    return found


@pytest.mark.parametrize("name", SHAPES)
def test_lines_become_the_records_of_the_golden_file(name: str) -> None:
    expected = [json.loads(line) for line in (GOLDEN / f"{name}.expected.ndjson").read_text().splitlines()]
    assert [shown(SHAPES[name](line)) for line in lines(name)] == expected


@pytest.mark.parametrize("name", SHAPES)
def test_every_record_passes_the_decoder(name: str) -> None:
    decoder = Decoder(currency="EUR")
    records = [record for line in lines(name) for record in SHAPES[name](line).records if isinstance(record, Record)]
    faults = [
        decoded
        for record in records
        if isinstance(decoded := decoder.decode(record.topic, record.key, record.value, NOW), Rejection)
    ]
    assert len(records) >= 10
    # One item of the export has a price in dollars alone.
    expected = ["currency: expected the deployment's own, EUR, found another"] if name == "ga4" else []
    assert [fault.detail for fault in faults] == expected


@pytest.mark.parametrize("name", SHAPES)
def test_a_line_tells_its_shape(name: str) -> None:
    shape: Translate = SHAPES[name]
    told = [line for line in lines(name) if auto(line).source != "own"]
    assert [auto(line) for line in told] == [shape(line) for line in told]
    # Without the fields that tell a shape, a line is one of the contract's that is refused.
    assert {tuple(type(record) for record in auto(line).records) for line in lines(name) if line not in told} == {
        (RejectedLine,)
    }


@pytest.mark.parametrize("name", SHAPES)
def test_event_ids_are_unique_and_stay_the_same(name: str) -> None:
    def ids() -> list[tuple[str, str]]:
        return [
            (record.topic, orjson.loads(record.value)["event_id"])
            for line in lines(name)
            for record in SHAPES[name](line).records
            if isinstance(record, Record)
        ]

    assert len(set(ids())) == len(ids())
    assert ids() == ids()


def test_events_of_one_instant_have_ids_of_their_own_without_a_place_in_their_bundle() -> None:
    row = {"event_name": "view_item", "event_timestamp": "1764000000000000", "user_pseudo_id": "u"}
    written = [orjson.dumps(row | {"items": [{"item_id": item}]}) for item in ("a", "b", "a")]
    first, second, again = (shown(ga4(line))["records"][0]["value"]["event_id"] for line in written)
    assert first == again != second


if __name__ == "__main__":
    for each, translate in SHAPES.items():
        text = "".join(json.dumps(shown(translate(line)), ensure_ascii=False) + "\n" for line in lines(each))
        (GOLDEN / f"{each}.expected.ndjson").write_text(text)
