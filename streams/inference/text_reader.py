"""Reading texts: cleaned, judged, embedded by the micro-batcher and projected."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from models.batching.batcher import MicroBatcher
from models.exceptions import TextRejectedError
from models.profile import Projection
from models.sentiment.head import PolarityHead
from models.text.cleaning import clean
from models.text.noise import is_noisy
from streams.records.observer import NOTHING_READ, Reading

_NOISY = Reading(noisy=True, projected=None)


class TextReader:
    """Reads reviews and queries.

    Args:
        batcher: that embeds them.
        projection: P.
        head: that reads polarity in the embedding, before it is projected; None for none.

    Attributes:
        encoded: texts that were given an embedding so far, from the encoder or its cache.
    """

    def __init__(self, batcher: MicroBatcher, projection: Projection, head: PolarityHead | None = None) -> None:
        self._batcher = batcher
        self._projection = projection
        self._head = head
        self.encoded = 0

    async def read(self, texts: Sequence[str]) -> list[Reading | TextRejectedError]:
        """Read texts, each as it came; a text that alone fails to encode has its error in its place.

        Raises:
            EncoderUnavailableError: the encoder is down.
        """
        # In a thread: a hostile text can take a tenth of a second to clean, and the event loop must not wait for it.
        prepared = await asyncio.to_thread(_prepare, texts)
        readings: list[Reading | TextRejectedError] = [_NOISY if text is None else NOTHING_READ for text in prepared]
        counting = [position for position, text in enumerate(prepared) if text]
        if not counting:
            return readings
        outcomes = await self._batcher.encode_each([text for text in prepared if text])
        vectors = [outcome for outcome in outcomes if not isinstance(outcome, TextRejectedError)]
        read = self._read(np.stack(vectors)) if vectors else iter(())
        for position, outcome in zip(counting, outcomes, strict=True):
            readings[position] = outcome if isinstance(outcome, TextRejectedError) else next(read)
        self.encoded += len(vectors)
        return readings

    def _read(self, embeddings: NDArray[np.float32]) -> Iterator[Reading]:
        polarities = [None] * len(embeddings) if self._head is None else self._head.polarity(embeddings).tolist()
        for projected, polarity in zip(self._projection.apply(embeddings), polarities, strict=True):
            yield Reading(noisy=False, projected=projected, polarity=polarity)


def _prepare(texts: Sequence[str]) -> list[str | None]:
    """Return each text cleaned, None for a noisy one."""
    return [None if is_noisy(text) else clean(text) for text in texts]
