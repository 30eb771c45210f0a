"""Reading texts: cleaned, judged, embedded by the micro-batcher and projected."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.batcher import MicroBatcher
from models.cleaning import clean
from models.exceptions import TextRejectedError
from models.noise import is_noisy
from models.profile import Projection
from streams.observe import NOTHING_READ, Reading

_NOISY = Reading(noisy=True, projected=None)


class TextReader:
    """Reads reviews and queries.

    Attributes:
        encoded: texts that were given an embedding so far, from the encoder or its cache.
    """

    def __init__(self, batcher: MicroBatcher, projection: Projection) -> None:
        self._batcher = batcher
        self._projection = projection
        self.encoded = 0

    async def read(self, texts: Sequence[str]) -> list[Reading | TextRejectedError]:
        """Read texts, each as it came; a text that alone fails to encode has its error in its place.

        Raises:
            EncoderUnavailableError: the encoder is down.
        """
        readings: list[Reading | TextRejectedError] = []
        cleaned: list[str] = []
        counting: list[int] = []
        for position, text in enumerate(texts):
            if is_noisy(text):
                readings.append(_NOISY)
                continue
            readings.append(NOTHING_READ)
            useful = clean(text)
            if useful:
                cleaned.append(useful)
                counting.append(position)
        if not cleaned:
            return readings
        outcomes = await self._batcher.encode_each(cleaned)
        vectors = [outcome for outcome in outcomes if not isinstance(outcome, TextRejectedError)]
        projected = iter(self._projection.apply(np.stack(vectors))) if vectors else iter(())
        for position, outcome in zip(counting, outcomes, strict=True):
            if isinstance(outcome, TextRejectedError):
                readings[position] = outcome
            else:
                readings[position] = Reading(noisy=False, projected=next(projected))
        self.encoded += len(vectors)
        return readings
