"""What the item stage must have made of a flow's input, by brute force, and what its logs must hold for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import orjson

from features.items.catalogue import NAMES
from features.items.codec import decode, order
from features.items.row import scalars
from streams.broker.reading import read_topic
from streams.contract import ITEM_SIGNALS, items_changelog_name, topic_name
from streams.records.score_record import newer
from streams.settings import Settings
from support.item_reference import fields
from support.oracle import newest_states
from support.twofold import words
from support.twofold.comparing import differing
from support.twofold.reading import Polarity, Reading, read_file

Lines = Sequence[dict[str, Any]]
Rows = Mapping[str, Mapping[str, Any]]


def read_lines(lines: Lines, polarity: Polarity | None = None, arrived: int | None = None) -> Reading:
    """The contract's reading of lines that arrived at an instant, ms; by default long after the last of them."""
    latest = max(line["value"]["timestamp"] for line in lines) if arrived is None else arrived
    return read_file(map(orjson.dumps, lines), cache(words.embed), polarity, lambda _: latest)


def wanted_items(lines: Lines, as_of: int | None = None) -> dict[str, dict[str, Any]]:
    """The reference's fields of every item, where no polarity head fits."""
    return {item_id: fields(said, as_of) for item_id, said in read_lines(lines).items.items()}


def assert_rows(served: Rows, wanted: Rows) -> None:
    """Every field of every item is what brute force computes from the raw events."""
    assert served.keys() == wanted.keys()
    for item_id, expected in wanted.items():
        wrong = differing(served[item_id], expected)
        assert not wrong, f"{item_id}: (served, wanted) {wrong}"


async def assert_signals(settings: Settings, wanted: Rows) -> int:
    """The last record of an item, which compaction would keep, is the newest, and it is the reference's.

    Returns the records read.
    """
    count, last = 0, dict[str, Any]()
    newest = dict[str, Any]()
    async for records in read_topic(settings, topic_name(settings, ITEM_SIGNALS)):
        for record in records:
            count += 1
            assert record.key is not None
            assert record.value is not None
            signal = last[record.key.decode()] = orjson.loads(record.value)
            if record.key.decode() not in newest or newer(signal, newest[record.key.decode()]):
                newest[record.key.decode()] = signal
    assert last == newest
    assert_rows(last, wanted)
    return count


async def assert_item_changelog(settings: Settings, wanted: Rows) -> int:
    """The last state of an item in the changelog has the highest order and the reference's features.

    Returns the records read.
    """
    count, last = await newest_states(settings, items_changelog_name(settings), order)
    assert {key.decode() for key in last} == wanted.keys()
    for key, value in last.items():
        state, expected = decode(value), wanted[key.decode()]
        assert state.revision == expected["revision"]
        row = dict(zip(NAMES, scalars(state, state.instant(None), state.head), strict=True))
        assert not differing(row, {name: expected[name] for name in NAMES})
    return count
