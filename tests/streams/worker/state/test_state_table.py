"""What recovery takes from the changelog: of each user the greatest, and nothing behind a batch that it refuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from aiokafka import ConsumerRecord

from features.observation import Kind, Observation, Source
from features.users import codec
from features.users.codec import decode, encode
from features.users.state import UserState
from streams.contract import changelog_name
from streams.exceptions import StateMismatchError, StreamsError
from streams.records.ndjson import partition_of
from streams.records.withheld import Why, Withheld
from streams.settings import load_settings
from streams.worker.stage_spec import USERS
from streams.worker.state.state_table import StateTable

BASE = 1_764_000_000_000
SETTINGS = load_settings(partitions=1, state_store="memory")


def state(epoch: int, events: int) -> bytes:
    made = UserState()
    for offset in range(events):
        key = offset.to_bytes(8, "big")
        made.apply(Observation(int(Kind.VIEW), int(Source.CLICKS), offset, BASE + offset, key), "e")
    made.epoch = epoch
    return encode(made)


def batch(first: int, records: Sequence[tuple[bytes | None, bytes | None]]) -> Any:
    name = changelog_name(SETTINGS)
    value = [
        ConsumerRecord(name, 0, first + n, BASE, 0, key, state, None, 1, 1, ())
        for n, (key, state) in enumerate(records)
    ]
    return SimpleNamespace(topic=name, partition=0, offset=first + len(records) - 1, value=value)


@pytest.fixture
async def table(tmp_path: Path) -> StateTable:
    app = faust.App("changelog-test", broker="memory://", datadir=tmp_path)
    return StateTable(app, SETTINGS, USERS, on_recovered=lambda _: None, on_erased=lambda *_: None)


def newer_release(version: int) -> bytes:
    return bytes([version]) + state(1, 1)[1:]


def withheld() -> bytes:
    return Withheld.because(Why.TOO_LARGE)


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        (b"u", lambda: newer_release(codec.VERSION + 1), StreamsError),
        (b"u", lambda: b"", StreamsError),
        (None, withheld, StateMismatchError),
        (None, lambda: state(1, 1), StreamsError),
    ],
    ids=["of a newer release", "damaged", "not unpacked", "without a key"],
)
async def test_a_batch_that_cannot_be_taken_in_is_an_error_in_one_line_and_leaves_no_trace(
    table: StateTable, key: bytes | None, value: Callable[[], bytes], error: type[Exception]
) -> None:
    table.take_in(batch(0, [(b"before", state(1, 2))]))
    with pytest.raises(error) as refused:
        table.take_in(batch(1, [(b"beside", state(1, 1)), (key, value())]))
    assert "\n" not in str(refused.value)
    # A start of a release that reads it begins at the batch, not behind it.
    assert table.states.progress(0).offset == 0
    assert table.states.read(0, b"beside") is None
    assert decode(table.states.read(0, b"before") or b"").revision == 2


async def test_whoever_has_an_outranked_record_last_is_remembered_until_written_again(table: StateTable) -> None:
    assert partition_of(b"u", 1, 0) == 0
    table.take_in(batch(0, [(b"u", state(5, 4)), (b"u", state(4, 3)), (b"v", state(5, 1))]))
    progress = table.states.progress(0)
    assert progress.outranked == (b"u",)
    assert decode(table.states.read(0, b"u") or b"").revision == 4
    table.take_in(batch(3, [(b"v", state(6, 2))]))
    assert table.states.progress(0).outranked == (b"u",)
    assert progress.without({b"v": b""}) == progress
    assert progress.without({b"u": b""}).outranked == ()
    # Written again, by whoever did it: the last record of the log is the greatest.
    table.take_in(batch(4, [(b"u", state(5, 4))]))
    assert table.states.progress(0).outranked == ()
