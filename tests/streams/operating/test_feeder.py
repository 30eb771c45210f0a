"""The records of one line are published together, so that the line that was reached tells where to go on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from streams.broker.publisher import Publisher
from streams.exceptions import RefusedInputError
from streams.operating.feeder import CHUNK_LINES, Feeder
from streams.records.ndjson import Record, RejectedLine
from streams.records.outgoing import Outgoing
from streams.records.rejection import Reason, Rejection
from streams.settings import Settings
from streams.sources.arrived import Arrived


@dataclass
class Written:
    last: int


@dataclass
class Batch:
    taken: int

    async def acknowledged(self) -> Written:
        return Written(self.taken)


@dataclass
class Sink:
    """A publisher whose broker takes everything; it notes how many records came at a time."""

    sizes: list[int] = field(default_factory=list)

    async def send(self, topic: str, partition: int, records: Sequence[Outgoing]) -> Batch:
        self.sizes.append(len(records))
        return Batch(len(records))


async def test_the_records_of_a_line_are_in_one_chunk() -> None:
    lines = [1] * (CHUNK_LINES - 2) + [2] * 300 + [3] * 5
    reached: list[int] = []
    sink = Sink()
    feeder = Feeder(Settings(partitions=1), cast(Publisher, cast(Any, sink)))

    def arrivals() -> Iterator[Arrived]:
        for line in lines:
            reached.append(feeder.reached)
            yield Arrived("orders.ndjson", line, Record("clicks", b"u", b"{}"))

    await feeder.feed(arrivals())
    assert sink.sizes == [CHUNK_LINES + 298, 5]
    assert [line for line in range(4) if line in reached] == [0, 2]
    assert (feeder.reached, feeder.published) == (3, len(lines))


async def test_of_lines_that_end_early_neither_records_nor_letters_are_published_uncounted() -> None:
    refused = RejectedLine("", b"junk", Rejection(Reason.INVALID, "line: expected one, found another"))
    records = [Record("clicks", b"u", b"{}"), refused] * (CHUNK_LINES // 2 + 10)
    sink = Sink()
    feeder = Feeder(Settings(partitions=1), cast(Publisher, cast(Any, sink)))

    def arrivals() -> Iterator[Arrived]:
        for line, record in enumerate(records, 1):
            yield Arrived("orders.ndjson", line, record)
        raise RefusedInputError("too many")

    with pytest.raises(RefusedInputError):
        await feeder.feed(arrivals())
    assert sum(sink.sizes) == feeder.published == feeder.reached == CHUNK_LINES
