"""Reading what a test wrote, down to the worker's verdict on every record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from streams.records.decoder import Decoded, Decoder
from streams.records.ndjson import RejectedLine
from streams.sources.options import SourceOptions
from streams.sources.reading import check_sources, read_sources

Verdict = tuple[int, Decoded]
"""The line of a record, and its event or the reason why it is none."""


@pytest.fixture
def verdicts() -> Callable[..., list[Verdict]]:
    def read(*files: Path, **options: object) -> list[Verdict]:
        asked = SourceOptions(**options)  # type: ignore[arg-type]
        check_sources(files, asked)
        decoder = Decoder()
        return [
            (
                arrived.line,
                record.rejection
                if isinstance(record := arrived.record, RejectedLine)
                else decoder.decode(record.topic, record.key, record.value, 1_795_000_000_000),
            )
            for arrived in read_sources(files, asked)
        ]

    return read
