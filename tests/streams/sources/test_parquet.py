"""Whatever types the columns of a Parquet file have, its rows are events or refused one by one."""

from __future__ import annotations

import datetime as dt
import decimal
import re
import shutil
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streams.exceptions import ConfigurationError
from streams.records.events import Click
from streams.sources.reading import check_sources, read_sources

NOON = 1_764_000_000_000
"""2025-11-24T16:00:00Z."""

BASE = {
    "topic": ["clicks"] * 2,
    "event_id": ["c1", "c2"],
    "user_id": ["u", "u"],
    "item_id": ["i", "i"],
    "action": ["view", "purchase"],
    "price": [10.5, 20.25],
    "quantity": [1, 2],
    "timestamp": [NOON, NOON],
}
MONEY = [decimal.Decimal("10.50"), decimal.Decimal("20.25")]
WALL = dt.datetime(2025, 11, 24, 16)


def write(folder: Path, name: str = "events.parquet", **columns: Any) -> Path:
    columns = {name: column for name, column in (BASE | columns).items() if column is not None}
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({name: pa.array(*_typed(column)) for name, column in columns.items()}), folder / name)
    return folder / name


def _typed(column: Any) -> tuple[Any, ...]:
    return column if isinstance(column, tuple) else (column,)


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"price": (MONEY, pa.decimal128(18, 2))},
        {"price": (MONEY, pa.decimal256(70, 30))},
        {"price": ["10.50", "20.25"]},
        {"quantity": ([decimal.Decimal(1), decimal.Decimal(2)], pa.decimal128(9, 2))},
        {"quantity": [1.0, 2.0]},
        {"user_id": [b"u", b"u"], "topic": [b"clicks"] * 2, "action": [b"view", b"purchase"]},
        {"timestamp": ([WALL] * 2, pa.timestamp("us"))},
        {"timestamp": ([WALL] * 2, pa.timestamp("ns"))},
        {"timestamp": ([WALL] * 2, pa.timestamp("s", "UTC"))},
        {"timestamp": ([WALL.replace(tzinfo=dt.UTC)] * 2, pa.timestamp("ms", "America/New_York"))},
        {"timestamp": ([NOON * 1000 + 1] * 2, pa.timestamp("us"))},
        {"timestamp": ([NOON * 1_000_000 + 1] * 2, pa.timestamp("ns"))},
        {"timestamp": ([decimal.Decimal(NOON)] * 2, pa.decimal128(20, 0))},
        {"timestamp": [float(NOON)] * 2},
        {"timestamp": [str(NOON)] * 2},
        {"timestamp": ["2025-11-24T16:00:00Z"] * 2},
        {"dwell": [dt.timedelta(seconds=3)] * 2},
        {"payload": [b"\x00\xff", b"\x02"]},
        {"day": [dt.date(2025, 11, 24)] * 2, "clock": [dt.time(3, 4)] * 2},
        {"tags": [["a"], []], "far": ([2**62] * 2, pa.timestamp("ms"))},
        {"context": ([[("a", 1)], [("b", 2)]], pa.map_(pa.string(), pa.int64()))},
        {"nested": [{"money": MONEY[0], "when": WALL, "raw": b"\xff"}] * 2, "big": (["1", "2"], pa.large_string())},
        {"topic": pa.array(["clicks"] * 2).dictionary_encode().to_pylist(), "seq": ([2**64 - 1, 1], pa.uint64())},
    ],
)
def test_other_types_are_the_same_events(tmp_path: Path, verdicts, columns: dict[str, Any]) -> None:
    (_, view), (_, purchase) = verdicts(write(tmp_path, **columns))
    assert isinstance(view, Click)
    assert isinstance(purchase, Click)
    assert (view.user_id, view.price, view.timestamp) == ("u", 10.5, NOON)
    assert (purchase.action, purchase.price, purchase.quantity) == ("purchase", 20.25, 2)


@pytest.mark.parametrize(
    ("columns", "detail"),
    [
        ({"user_id": [b"\xff", b"u"]}, "user_id: expected UTF-8"),
        ({"user_id": [7, 8]}, "user_id: expected a string .*found an integer"),
        ({"price": [float("inf"), 1.0]}, "price: expected a number .*a greater one"),
        ({"quantity": [1.5, 2]}, "quantity: expected an integer"),
        ({"topic": ["orders", "clicks"]}, "line: expected a topic among"),
        ({"timestamp": [dt.date(2025, 11, 24)] * 2}, "timestamp: expected RFC 3339 with an offset"),
        ({"timestamp": [None, NOON]}, "timestamp: expected integer epoch milliseconds"),
        ({"timestamp": ([-(2**62)] * 2, pa.timestamp("ns"))}, "timestamp: .*an earlier instant"),
        ({"category": ([b"\xff", b"a"], pa.binary())}, "category: expected UTF-8"),
        ({"tags": ([[2**62], [1]], pa.list_(pa.timestamp("ms")))}, "row: expected values that Python can hold"),
    ],
)
def test_a_value_that_will_not_do_refuses_its_row(
    tmp_path: Path, verdicts, columns: dict[str, Any], detail: str
) -> None:
    assert re.match(detail, verdicts(write(tmp_path, **columns))[0][1].detail)


def test_text_that_is_no_utf8_refuses_its_row_alone(tmp_path: Path, verdicts) -> None:
    broken = pa.array([b"\xff", b"u"]).cast(pa.binary()).view(pa.string())
    pq.write_table(pa.table(BASE | {"user_id": broken}), tmp_path / "events.parquet")
    (_, refused), (_, click) = verdicts(tmp_path / "events.parquet")
    assert "expected values that Python can hold" in refused.detail
    assert click.user_id == "u"


def test_records_of_a_sink_keep_their_key_and_their_bytes(tmp_path: Path) -> None:
    values = ['{"user_id": "u", "a": 1.50}', '{bad", "topic": "x"', None, b"\xff"]
    flat = dict.fromkeys(BASE)
    keyed = write(tmp_path, "k", **flat | {"topic": ["clicks"] * 3, "key": ["k", None, "w"], "value": values[:3]})
    records = [arrived.record for arrived in read_sources([keyed])]
    assert [(record.key, record.value) for record in records] == [
        (b"k", values[0].encode()),
        (None, values[1].encode()),
        (b"w", b""),
    ]
    bare = write(tmp_path, "b", **flat | {"topic": ["clicks"] * 2, "value": values[:2]})
    assert [arrived.record.key for arrived in read_sources([bare])] == [b"u", None]
    struct = write(tmp_path, "s", **flat | {"topic": ["clicks"], "value": [{"user_id": "u", "price": MONEY[0]}]})
    assert [arrived.record.value for arrived in read_sources([struct])] == [b'{"user_id":"u","price":10.50}']


def test_ids_that_are_whole_numbers_are_taken_if_asked(tmp_path: Path, verdicts) -> None:
    file = write(tmp_path, user_id=[10482, 7], item_id=[42.0, 43.0], event_id=[None, 3])
    (_, first), (_, second) = verdicts(file, integer_ids=True)
    assert (first.user_id, first.item_id, second.event_id) == ("10482", "42", "3")
    assert len(first.event_id) == 32


def test_local_times_are_those_of_the_zone(tmp_path: Path, verdicts) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    wall = ([dt.datetime(2025, 11, 24, 17), dt.datetime(2025, 7, 1)], pa.timestamp("us"))
    (_, winter), (_, summer) = verdicts(write(tmp_path, timestamp=wall), timezone=berlin)
    assert (winter.timestamp, summer.timestamp) == (NOON, 1_751_320_800_000)
    ((_, day), _) = verdicts(write(tmp_path, timestamp=[dt.date(2025, 7, 1)] * 2), timezone=berlin)
    assert day.timestamp == 1_751_320_800_000


def test_a_folder_of_spark_is_read_with_the_columns_of_its_names(tmp_path: Path, verdicts) -> None:
    root = tmp_path / "events.parquet"
    for day, topic in (("2025-11-25", "clicks"), ("2025-11-24", "clicks")):
        write(
            root / f"date={day}" / f"topic={topic}",
            "part-0.snappy.parquet",
            topic=None,
            event_id=[f"{day}a", f"{day}b"],
        )
    (root / "_SUCCESS").touch()
    (root / "date=2025-11-24" / ".part-0.crc").write_bytes(b"crc")
    assert [event.event_id for _, event in verdicts(root)] == [
        "2025-11-24a",
        "2025-11-24b",
        "2025-11-25a",
        "2025-11-25b",
    ]


def test_the_bytes_decide_and_not_the_name(tmp_path: Path, verdicts) -> None:
    file = write(tmp_path, "EVENTS.PARQUET")
    shutil.copy(file, tmp_path / "events.ndjson")
    assert verdicts(file) == verdicts(tmp_path / "events.ndjson")


def test_a_file_without_the_columns_or_cut_off_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"expected the columns `topic` and `value`.*found no `user_id`"):
        check_sources([write(tmp_path, user_id=None)])
    file = write(tmp_path)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ConfigurationError, match="expected a Parquet file, found none that reads"):
        check_sources([file])


def test_a_file_that_is_damaged_inside_is_named_with_the_row_that_was_reached(tmp_path: Path) -> None:
    file = write(
        tmp_path, **{name: column * 20_000 for name, column in BASE.items()} | {"event_id": [*map(str, range(40_000))]}
    )
    damaged = bytearray(file.read_bytes())
    damaged[2000:9000] = bytes(7000)
    file.write_bytes(damaged)
    check_sources([file])
    with pytest.raises(ConfigurationError, match=r"events.parquet, after line \d+.*: expected a Parquet file"):
        list(read_sources([file]))
