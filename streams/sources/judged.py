"""The verdict on each line of files: the event, and when it arrived; what is refused is counted, with its place."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from streams.progress import Progress
from streams.records.decoder import Decoder
from streams.records.events import Erasure, Event
from streams.records.judging import judge
from streams.records.refusals import Refusals
from streams.records.rejection import Rejection
from streams.sources.options import SourceOptions
from streams.sources.places import Places
from streams.sources.reading import check_sources, packed_bytes, read_sources


def judged(
    decoder: Decoder,
    files: Sequence[Path],
    options: SourceOptions,
    report: Progress,
    refusals: Refusals,
    places: Places,
) -> Iterator[tuple[Event | Erasure, int]]:
    """Yield the sound events and erasures of files, each with the Kafka timestamp of its record, ms.

    A record that has none is taken to arrive now.

    Args:
        decoder: of the deployment.
        files: of events, in the order of arrival.
        options: how they are read.
        report: told of the bytes that were read.
        refusals: counts all others.
        places: finds their places in the files.

    Raises:
        ConfigurationError: a file cannot be read, or all of them are empty.
    """
    check_sources(files, options)
    of, done, now = packed_bytes(files), 0, int(time.time() * 1000)

    def progress(count: int) -> None:
        nonlocal done
        done += count
        report("bytes read", done, of)

    for arrived in read_sources(files, options, progress):
        at = now if arrived.kafka_timestamp is None else arrived.kafka_timestamp
        event = judge(decoder, arrived.record, at)
        if isinstance(event, Rejection):
            refusals.add(event.reason, event.detail, places.position(arrived))
        else:
            yield event, at
