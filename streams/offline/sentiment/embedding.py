"""The embeddings of many texts, as the worker's micro-batcher would compute them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.batching.batcher import MicroBatcher
from models.encoder.bert import Encoder
from models.exceptions import TextRejectedError
from streams.progress import Progress

_AT_ONCE = 1024


def embed(texts: Sequence[str], encoder: Encoder, progress: Progress | None = None) -> NDArray[np.float32]:
    """Return the embeddings of cleaned texts: float32 [n, dimension].

    Args:
        texts: none empty.
        encoder: its own owner; nobody else uses it meanwhile.
        progress: told of the texts that are read.

    Raises:
        EncoderUnavailableError: the encoder is down.
        TextRejectedError: it fails on one of the texts alone.
    """

    async def read() -> NDArray[np.float32]:
        batcher = MicroBatcher(encoder, queue_texts=_AT_ONCE + 1, cache_texts=0)
        await batcher.start()
        found = np.empty((len(texts), encoder.dimension), np.float32)
        try:
            for begin in range(0, len(texts), _AT_ONCE):
                if progress is not None:
                    progress("reading texts", begin, len(texts))
                part = texts[begin : begin + _AT_ONCE]
                for place, outcome in enumerate(await batcher.encode_each(part), start=begin):
                    if isinstance(outcome, TextRejectedError):
                        raise outcome
                    found[place] = outcome
        finally:
            await batcher.stop()
        return found

    return asyncio.run(read())
