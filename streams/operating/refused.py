"""What a run refused: its dead letters read back, counted by kind, and led back to the lines that they come from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import orjson

from streams.broker.reading import read_topic
from streams.contract import DEAD_LETTERS, NO_PARTITION, topic_name
from streams.operating.origins import Origins
from streams.operating.read_back import letter_of
from streams.records.refusals import Position, Refusals
from streams.settings import Settings
from streams.sources.places import Places


async def read_refused(settings: Settings, origins: Origins, places: Places, output: Path | None) -> Refusals:
    """Return what the dead letters of a run tell, refused erasures included.

    Args:
        settings: of the run, which has topics of its own.
        origins: of everything published.
        places: that the origins refer to.
        output: where each letter is written, as a JSON object with `file` and `line`; None for nowhere.

    Raises:
        BrokerError: the topic cannot be read.
    """
    if output is None:
        return await _read(settings, origins, places, None)
    with output.open("wb") as file:
        return await _read(settings, origins, places, file)


async def _read(settings: Settings, origins: Origins, places: Places, file: IO[bytes] | None) -> Refusals:
    refusals = Refusals()
    rejected: dict[int, Iterator[Position]] = {}
    reached: dict[tuple[str, int], int] = {}
    async for records in read_topic(settings, topic_name(settings, DEAD_LETTERS)):
        for record in records:
            letter = letter_of(record)
            topic, partition, offset = letter["topic"], letter["partition"], letter["offset"]
            again = False
            if partition == NO_PARTITION:
                lines = rejected.setdefault(record.partition, origins.rejected(record.partition))
                # A letter that its topic refused in every form leaves a line without one.
                position = next((position for position in lines if position[1] == offset), None)
            else:
                position = origins.position(topic, partition, offset)
                # A record that is delivered twice has two letters. Those of a partition come in its order.
                again = offset <= reached.get((topic, partition), -1)
                reached[topic, partition] = offset
            if not again:
                refusals.add(letter["reason"], letter["detail"], position)
            if file is not None:
                file.write(orjson.dumps(_placed(letter, places, position)) + b"\n")
    return refusals


def _placed(letter: dict[str, Any], places: Places, position: Position | None) -> dict[str, Any]:
    place = places.place(position)
    return letter | ({"file": None, "line": None} if place is None else place.as_dict())
