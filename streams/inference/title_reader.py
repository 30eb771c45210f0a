"""Reading the titles of items, and remembering those that were read last: a shop says the same ones again and again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from models.batching.embedding_cache import EmbeddingCache, text_key
from models.exceptions import TextRejectedError
from streams.inference.text_reader import TextReader
from streams.log import log
from streams.records.observer import NOTHING_READ, Reading
from streams.telemetry.metrics import Metrics

_FAILED: Final = Reading(noisy=True, projected=None)


class TitleReader:
    """Reads titles as texts are read, and keeps what came of it.

    No title is kept, only its digest: a long title takes no more room than a short one. Encoder and projection never
    change in a process, so nothing that is kept grows old.

    Args:
        reader: its own, which counts nobody else's texts.
        remembered: titles, at most.
        metrics: told of the titles that were read.

    Attributes:
        encoded: titles that were given an embedding so far, each once as long as it is remembered.
    """

    def __init__(self, reader: TextReader, remembered: int, metrics: Metrics) -> None:
        self._reader = reader
        self._known = EmbeddingCache[Reading](remembered)
        self._metrics = metrics
        self.encoded = 0

    def known(self, title: str) -> Reading | None:
        """Return what was read in a title, at once; None for one that is still to be read."""
        return self._known.get(text_key(title)) if title else NOTHING_READ

    async def read(self, titles: Sequence[str]) -> list[Reading]:
        """Read titles, each as it came. One that fails alone counts as noisy.

        Raises:
            EncoderUnavailableError: the encoder is down.
        """
        found = await self._reader.read(titles)
        failed = 0
        readings: list[Reading] = []
        for title, outcome in zip(titles, found, strict=True):
            key = text_key(title)
            reading = outcome
            if isinstance(reading, TextRejectedError):
                failed += 1
                reading = _FAILED
            elif reading.projected is not None:
                # A copy, for a row would keep its whole batch in memory as long as it is remembered.
                reading = Reading(noisy=False, projected=reading.projected.copy())
                # Another partition may have had the same title read meanwhile.
                self.encoded += self._known.get(key) is None
            self._known.put(key, reading)
            readings.append(reading)
        if failed:
            log.warning("titles that the encoder fails on alone count as noisy", titles=failed)
        nothing = sum(reading.projected is None for reading in readings) - failed
        for name, number in (("encoded", len(titles) - nothing - failed), ("noisy", nothing), ("failed", failed)):
            self._metrics.titles_read.labels(name).inc(number)
        return readings
