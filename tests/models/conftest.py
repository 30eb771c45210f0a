"""Doubles for the tests of the micro-batcher: an encoder that says what it was asked, and what can stand in its way."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.patience import PATIENCE_S

from models.batching.batcher import MicroBatcher
from models.batching.observing import NullObserver

Batch = Sequence[Sequence[int]]
Hurdle = Callable[[Sequence[str]], NDArray[np.float32] | None]
"""Called with the texts of a call: may raise, take its time, or give another answer."""


def no_hurdle(texts: Sequence[str]) -> None:
    """Let every text pass."""


class DummyEncoder:
    """One token per character between two special ones; an embedding says what the tokens were."""

    name = "dummy"
    dimension = 4
    max_tokens = 64
    weights_digest = "00" * 32
    packed = False
    passes = 1
    token_budget = 1024

    def __init__(self) -> None:
        self.hurdle: Hurdle = no_hurdle
        self.tokenizer_hurdle: Hurdle = no_hurdle
        self.batches: list[list[str]] = []
        self.threads: set[str] = set()

    @property
    def encoded(self) -> Counter[str]:
        return Counter(text for batch in self.batches for text in batch)

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        self.tokenizer_hurdle(texts)
        # Decoded again: like a real tokenizer, it takes no lone surrogate.
        return [[1, *map(ord, text.encode().decode()), 2][: self.max_tokens] for text in texts]

    def embed(self, batch: Batch) -> NDArray[np.float32]:
        self.threads.add(threading.current_thread().name)
        texts = ["".join(map(chr, tokens[1:-1])) for tokens in batch]
        answer = self.hurdle(texts)
        if answer is not None:
            return answer
        self.batches.append(texts)
        return self.expected(texts)

    def expected(self, texts: Sequence[str]) -> NDArray[np.float32]:
        codes = [[ord(letter) for letter in text] for text in texts]
        return np.array([[len(code), sum(code), code[0] if code else 0, 1] for code in codes], dtype=np.float32)

    def warm_up(self) -> None:
        self.embed(self.tokenize(["warm up"]))


class Gate:
    """A hurdle that no call passes until it is opened."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._open = threading.Event()
        self._lock = threading.Lock()
        self.waiting = 0

    def __call__(self, texts: Sequence[str]) -> None:
        with self._lock:
            self.waiting += 1
        self._reached.set()
        assert self._open.wait(timeout=PATIENCE_S)

    async def reached(self) -> None:
        assert await asyncio.to_thread(self._reached.wait, PATIENCE_S)

    def open(self) -> None:
        self._open.set()


class Recorder(NullObserver):
    def __init__(self) -> None:
        self.batches: list[tuple[int, int, int]] = []
        self.depths = [0]
        self.hits = self.misses = self.failures = self.waits = 0

    def batch(self, texts: int, tokens: int, padded_tokens: int, seconds: float) -> None:
        self.batches.append((texts, tokens, padded_tokens))

    def waited(self, seconds: float) -> None:
        self.waits += 1

    def queued(self, texts: int) -> None:
        self.depths.append(texts)

    def cache(self, hits: int, misses: int) -> None:
        self.hits += hits
        self.misses += misses

    def failed(self) -> None:
        self.failures += 1


@pytest.fixture
def dummy() -> DummyEncoder:
    """Give an encoder whose `expected(texts)` are its embeddings, with a hurdle before each kind of call."""
    return DummyEncoder()


@pytest.fixture
def gate(dummy: DummyEncoder) -> Gate:
    """Stop every pass of the dummy encoder until the gate is opened."""
    dummy.hurdle = Gate()
    return dummy.hurdle


@pytest.fixture
def tokenizer_gate(dummy: DummyEncoder) -> Gate:
    """Stop the dummy encoder's tokenizer until the gate is opened."""
    dummy.tokenizer_hurdle = Gate()
    return dummy.tokenizer_hurdle


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def running() -> Callable[..., AbstractAsyncContextManager[MicroBatcher]]:
    """Start a batcher of these options and stop it at the end, as a context manager."""

    @asynccontextmanager
    async def run(encoder: Any, **options: Any) -> AsyncIterator[MicroBatcher]:
        batcher = MicroBatcher(encoder, **options)
        await batcher.start()
        try:
            yield batcher
        finally:
            await batcher.stop()

    return run


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Any]:
    """Poll for a condition."""

    async def poll(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await asyncio.sleep(0.001)

    return poll
