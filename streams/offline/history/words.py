"""What is read of the texts and titles of a history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.exceptions import TextRejectedError
from streams.inference.loading import Inference
from streams.inference.text_reader import TextReader
from streams.offline.history.pace import Pace
from streams.records.events import Click, Event, text_of, title_of
from streams.records.observer import NOTHING_READ, Reading

TEXTS_AT_ONCE: Final = 2048
"""Number of texts handed to the micro-batcher together, from which it sorts and fills batches."""

TITLES_KEPT: Final = 200_000
"""Titles whose readings are kept from one bucket to the next, 0.6 kB each: a shop has few, and every bucket has all."""

Texts = dict[str, Reading | TextRejectedError]
"""What was read of each text or title."""


class Words:
    """Reads texts bucket by bucket; titles are kept.

    Args:
        inference: encoder, projection and polarity head; its batcher is started before anything is read.
        pace: told of what is read.
    """

    def __init__(self, inference: Inference, pace: Pace) -> None:
        self._reader = TextReader(inference.batcher, inference.projection, inference.sentiment)
        self._title_reader = TextReader(inference.batcher, inference.projection)
        self._titles: Texts = {}
        self._pace = pace

    @property
    def texts_read(self) -> int:
        """The number of distinct texts per bucket that got an embedding."""
        return self._reader.encoded

    @property
    def titles_read(self) -> int:
        """The number of distinct titles that got an embedding."""
        return self._title_reader.encoded

    async def read(self, events: Sequence[Event]) -> Texts:
        """Read the texts and the titles of the events of a bucket; return the texts.

        Raises:
            EncoderUnavailableError: the encoder is down.
        """
        texts: Texts = {}
        await self._read(self._reader, map(text_of, events), texts, self._pace.texts_read)
        await self._keep_titles(map(title_of, events), self._pace.texts_read)
        return texts

    def of(self, texts: Texts, event: Event) -> Reading | None:
        """Return what was read of an event; None where the encoder refuses its text."""
        if isinstance(event, Click):
            return _of_title(self._titles.get(title_of(event)))
        found = texts.get(text_of(event), NOTHING_READ)
        return None if isinstance(found, TextRejectedError) else found

    async def embedded(self, titles: Iterable[str]) -> dict[str, NDArray[np.float64] | None]:
        """Return the projected embedding of each title, float64[64]; None for one that says nothing.

        Raises:
            EncoderUnavailableError: the encoder is down.
        """
        wanted = set(titles)
        # They are those of events that were read once and told of.
        await self._keep_titles(wanted, lambda _: None)
        return {title: _of_title(self._titles.get(title)).projected for title in wanted}

    async def _keep_titles(self, titles: Iterable[str], tell: Callable[[int], None]) -> None:
        if len(self._titles) > TITLES_KEPT:
            self._titles.clear()
        await self._read(self._title_reader, titles, self._titles, tell)

    async def _read(
        self, reader: TextReader, words: Iterable[str], readings: Texts, tell: Callable[[int], None]
    ) -> None:
        """Add the reading of each text that has none yet; `tell` counts those that are done."""
        counts = Counter(filter(None, words))
        texts = [text for text in counts if text not in readings]
        tell(counts.total() - sum(counts[text] for text in texts))
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            some = texts[start : start + TEXTS_AT_ONCE]
            readings.update(zip(some, await reader.read(some), strict=True))
            tell(sum(counts[text] for text in some))


def _of_title(reading: Reading | TextRejectedError | None) -> Reading:
    # A title that fails alone counts as noisy, and the click is none the worse for it.
    return reading if isinstance(reading, Reading) else NOTHING_READ
