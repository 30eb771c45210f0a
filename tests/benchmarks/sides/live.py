"""A live stream into the micro-batcher: producers submit groups of texts, and what became of them is written down."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from models.batching.batcher import MicroBatcher
from models.batching.observing import NullObserver
from models.encoder.bert import BertEncoder

GROUP: Final = 32
"""Texts that arrive together, as those of one fetch do."""

QUEUE_TEXTS: Final = {"cuda": 8192, "cpu": 512}


class Recorder(NullObserver):
    """Keeps what the batcher says of itself."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.sizes: Counter[int] = Counter()
        self.texts = self.tokens = 0

    def batch(self, texts: int, tokens: int, padded_tokens: int, seconds: float) -> None:
        # By powers of two: 2^k up to 2^(k+1) - 1.
        self.sizes[1 << (texts.bit_length() - 1)] += 1
        self.texts += texts
        self.tokens += tokens

    def waited(self, seconds: float) -> None:
        self.waits.append(seconds)


async def stream(
    encoder: BertEncoder, source: Iterator[str], seconds: float, texts_per_second: float | None
) -> dict[str, Any]:
    """Send texts for some seconds: at random moments at a rate, or, without one, always as many as the queue takes.

    Returns:
        `tokens_per_second` and `texts_per_second` done while the stream ran, `batch_texts` (histogram, by powers of
        two), percentiles in ms of `wait_ms` (queued until its batch began) and of `answer_ms` (a group, submitted
        until answered), and `behind`: groups not answered when the stream ended.
    """
    recorder, answers = Recorder(), []
    # None is remembered, so none is answered without a pass.
    queue_texts = QUEUE_TEXTS[encoder.device.type]
    batcher = MicroBatcher(encoder, queue_texts=queue_texts, cache_texts=0, observer=recorder)

    async def submit() -> None:
        group = [next(source) for _ in range(GROUP)]
        began = time.perf_counter()
        await batcher.encode(group)
        answers.append(time.perf_counter() - began)

    async def saturate(until: float) -> None:
        while time.perf_counter() < until:
            await submit()

    await batcher.start()
    try:
        began = time.perf_counter()
        if texts_per_second is None:
            producers = {asyncio.create_task(saturate(began + seconds)) for _ in range(queue_texts // GROUP)}
            await asyncio.sleep(seconds)
        else:
            producers = await _arrivals(submit, seconds, texts_per_second / GROUP)
        took = time.perf_counter() - began
        done = {"tokens_per_second": recorder.tokens / took, "texts_per_second": recorder.texts / took}
        behind = sum(not producer.done() for producer in producers)
        await asyncio.gather(*producers)
    finally:
        await batcher.stop()
    return done | {
        "seconds": took,
        "batch_texts": dict(sorted(recorder.sizes.items())),
        "wait_ms": _percentiles(recorder.waits),
        "answer_ms": _percentiles(answers),
        "behind": behind,
    }


async def _arrivals(submit: Any, seconds: float, groups_per_second: float) -> set[asyncio.Task[None]]:
    rng = random.Random(0)
    producers: set[asyncio.Task[None]] = set()
    began = due = time.perf_counter()
    while (due := due + rng.expovariate(groups_per_second)) < began + seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        producers.add(asyncio.create_task(submit()))
    return producers


def _percentiles(values: list[float]) -> dict[str, float]:
    return {f"p{share}": float(np.percentile(values, share)) * 1000 for share in (50, 99)} if values else {}
