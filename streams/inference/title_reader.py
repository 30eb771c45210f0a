"""Reading the titles of items, and remembering those that were read last: a shop says the same ones again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from models.batching.embedding_cache import EmbeddingCache, text_key
from models.exceptions import TextRejectedError
from streams.inference.text_reader import TextReader
from streams.log import log
from streams.records.observer import NOTHING_READ, Reading
from streams.telemetry.metrics import Metrics

AT_ONCE: Final = 16
"""Distinct titles that are read together. With half as many the encoder's time for a title grows by a quarter, with
four times as many it falls by 3 %; but what is read together lands together, in a step of the event loop that clicks
wait for, and a review waits behind all of it."""

AT_ONCE_ON_A_DEVICE: Final = 64
"""The same for an encoder that takes several passes at once: on a device of its own, which small ones leave idle."""

_FAILED: Final = Reading(noisy=True, projected=None)


class TitleReader:
    """Reads titles as texts are read, and keeps what came of it.

    No title is kept, only its digest: a long title takes no more room than a short one. Encoder and projection never
    change in a process, so nothing that is kept grows old.

    Args:
        reader: its own, which counts nobody else's texts.
        remembered: titles, at most.
        metrics: told of the titles that were read.
        at_once: distinct titles that a caller should ask for together, at most.

    Attributes:
        at_once: as given.
        encoded: titles that were given an embedding so far, each once as long as it is remembered.
    """

    def __init__(self, reader: TextReader, remembered: int, metrics: Metrics, at_once: int = AT_ONCE) -> None:
        self._reader = reader
        self._known = EmbeddingCache[Reading](remembered)
        self._metrics = metrics
        self.at_once = at_once
        # One caller at a time: texts of shoppers, which wait for the same encoder, have few titles before them.
        self._turn = asyncio.Lock()
        self.encoded = 0

    def known(self, title: str) -> Reading | None:
        """Return what was read in a title, at once; None for one that is still to be read."""
        return self._known.get(text_key(title)) if title else NOTHING_READ

    async def read(self, titles: Sequence[str]) -> dict[str, Reading]:
        """Read titles, each as it came. One that fails alone counts as noisy.

        Raises:
            EncoderUnavailableError: the encoder is down.
        """
        async with self._turn:
            # Another partition may have had some of them read meanwhile.
            readings = {title: reading for title in titles if (reading := self.known(title)) is not None}
            unknown = [title for title in dict.fromkeys(titles) if title not in readings]
            if unknown:
                readings |= await self._read(unknown)
            return readings

    async def _read(self, titles: Sequence[str]) -> dict[str, Reading]:
        readings: dict[str, Reading] = {}
        failed = encoded = 0
        for title, found in zip(titles, await self._reader.read(titles), strict=True):
            if isinstance(found, TextRejectedError):
                failed += 1
                reading = _FAILED
            elif found.projected is None:
                reading = found
            else:
                encoded += 1
                # A copy, for a row would keep its whole batch in memory as long as it is remembered.
                reading = Reading(noisy=False, projected=found.projected.copy())
            self._known.put(text_key(title), reading)
            readings[title] = reading
        if failed:
            log.warning("titles that the encoder fails on alone count as noisy", titles=failed)
        self.encoded += encoded
        for name, number in (("encoded", encoded), ("noisy", len(titles) - encoded - failed), ("failed", failed)):
            self._metrics.titles_read.labels(name).inc(number)
        return readings
