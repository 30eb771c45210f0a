"""The process-wide micro-batcher: many callers on the event loop, one encoder on threads of its own.

Texts wait in a bounded queue, form batches under a token budget, and run off the event loop. A text that breaks
the encoder is found by halving and rejected alone; an encoder that is down fails its callers, who decide when to
ask again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Final, TypeVar

import numpy as np

from models.batching.batch_forming import LOOKAHEAD, batch_cost, form_batch
from models.batching.embedding_cache import Vector
from models.batching.encoder_thread import EncoderThread
from models.batching.isolation import Isolated, Outcome
from models.batching.observing import BatchObserver, NullObserver
from models.batching.text_queue import Job, TextQueue
from models.encoder.bert import Encoder
from models.exceptions import BatcherOptionError, DeviceLostError, EncoderUnavailableError, TextRejectedError

R = TypeVar("R")

_TOKENS_PER_TEXT: Final = 16
"""Fewer than most texts have, so that a window as wide as the budget fills a batch."""

_NOT_RUNNING: Final = (
    "expected a running batcher, found one that is not started or has ended: ask again once it is started"
)


class MicroBatcher:
    """Encodes texts from many callers in batches; one per process, used from one event loop.

    A batch costs its tokens, padding included if the encoder pads: at most `token_budget`, unless a single text is
    longer. The oldest text waiting is in the next batch, and a text waits for company `deadline_s` at most.

    An encoder that takes several passes at once gets them, and the next batch is tokenised and formed meanwhile. Any
    other gets a batch when the last one is done; texts that arrive meanwhile are in it.

    Args:
        encoder: called from the batcher's threads only, once it is started.
        token_budget: the most tokens that one pass computes; None for what the encoder says.
        deadline_s: seconds the oldest text waits for others while the encoder is idle.
        queue_texts: the most texts queued or being encoded; further ones wait before they are queued.
        queue_bytes: the most memory that those take.
        cache_texts: embeddings remembered, the least recently used let go first.
        timeout_s: seconds one batch may take, halving included.
        observer: told of batches, waits, cache hits and failures.

    Raises:
        BatcherOptionError: `token_budget`, `queue_texts` or `queue_bytes` below 1, or `timeout_s` not above 0.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        token_budget: int | None = None,
        deadline_s: float = 0.005,
        queue_texts: int = 2048,
        queue_bytes: int = 16 << 20,
        cache_texts: int = 50_000,
        timeout_s: float = 60.0,
        observer: BatchObserver | None = None,
    ) -> None:
        if token_budget is None:
            token_budget = encoder.token_budget
        if token_budget < 1 or queue_texts < 1 or queue_bytes < 1 or timeout_s <= 0:
            raise BatcherOptionError(
                f"expected token_budget, queue_texts and queue_bytes of at least 1 and timeout_s above 0, "
                f"found {token_budget}, {queue_texts}, {queue_bytes} and {timeout_s}: raise them"
            )
        self._dimension = encoder.dimension
        self._packed = encoder.packed
        self._token_budget = token_budget
        self._lookahead = max(LOOKAHEAD, token_budget // _TOKENS_PER_TEXT)
        # One more than can be computed: it is being formed.
        self._most_batches = encoder.passes + 1 if encoder.passes > 1 else 1
        self._deadline_s = deadline_s
        self._queue_texts = queue_texts
        self._timeout_s = timeout_s
        self._observer: BatchObserver = observer or NullObserver()
        self._queue = TextQueue(queue_texts, queue_bytes, cache_texts, self._observer, _NOT_RUNNING)
        self._thread = EncoderThread(encoder)
        self._dispatcher: asyncio.Task[None] | None = None
        self._batches: set[asyncio.Task[None]] = set()
        self._stalled = 0
        self._device_lost = False

    @property
    def unusable(self) -> str | None:
        """Why only another process can encode again, or None."""
        if self.stalled:
            return f"the encoder took a batch and has not returned within {self._timeout_s:g} s"
        return "the encoder's device takes no calls from this process any more" if self._device_lost else None

    @property
    def stalled(self) -> bool:
        """Whether a pass has outrun `timeout_s` and has not returned; until it does, every request is refused."""
        return self._stalled > 0

    async def start(self) -> None:
        """Start the threads and accept texts; does nothing when started already.

        Raises:
            EncoderUnavailableError: a pass that hung before the last `stop` still holds the encoder.
        """
        if self._dispatcher is not None:
            return
        self._thread.start()
        self._stalled = 0
        self._batches = set()
        self._queue.open()
        self._dispatcher = asyncio.create_task(self._dispatch(), name="micro-batcher")

    async def stop(self) -> None:
        """Refuse new texts, fail the pending ones with EncoderUnavailableError and let the threads go."""
        dispatcher, self._dispatcher = self._dispatcher, None
        if dispatcher is None:
            return
        self._queue.close(_NOT_RUNNING)
        dispatcher.cancel()
        await asyncio.wait({dispatcher})
        if self._batches:
            await asyncio.wait(self._batches)
        await self._thread.stop()
        for task in (dispatcher, *self._batches):
            if not task.cancelled():
                task.result()

    def forget(self) -> None:
        """Let go of every remembered embedding: the cache does not know whose text one was made of."""
        self._queue.forget()

    async def encode(self, texts: Sequence[str]) -> Vector:
        """Encode cleaned texts; waits while the queue is full.

        Args:
            texts: n cleaned texts.

        Returns:
            float32[n, dimension], mean-pooled and not normalised, in the order asked.

        Raises:
            TextRejectedError: one of the texts fails by itself; `position` says which, the first of them.
            EncoderUnavailableError: the encoder is down, stalled or stopped.
        """
        vectors: list[Vector] = []
        for outcome in await self.encode_each(texts):
            if isinstance(outcome, TextRejectedError):
                raise outcome
            vectors.append(outcome)
        return np.stack(vectors) if vectors else np.zeros((0, self._dimension), dtype=np.float32)

    async def encode_each(self, texts: Sequence[str]) -> list[Vector | TextRejectedError]:
        """Encode cleaned texts as `encode` does, with a rejected text's error in its place.

        Returns:
            For each text in order, a read-only float32[dimension], or the error that says its position.

        Raises:
            EncoderUnavailableError: the encoder is down, stalled or stopped.
        """
        outcomes: list[Vector | TextRejectedError] = []
        for start in range(0, len(texts), self._queue_texts):
            for outcome in await self._queue.request(texts[start : start + self._queue_texts]):
                # Made anew: requests share a text, and in each its error has another position and traceback.
                if isinstance(outcome, EncoderUnavailableError):
                    raise EncoderUnavailableError(str(outcome))
                if isinstance(outcome, TextRejectedError):
                    outcome = TextRejectedError(str(outcome), len(outcomes))
                outcomes.append(outcome)
        return outcomes

    async def _dispatch(self) -> None:
        window: list[Job] = []
        try:
            while True:
                if len(self._batches) == self._most_batches:
                    _, self._batches = await asyncio.wait(self._batches, return_when=asyncio.FIRST_COMPLETED)
                window = await self._collect(window)
                chosen = form_batch([len(job.tokens) for job in window], self._token_budget, packed=self._packed)
                batch = [window[index] for index in chosen]
                taken = set(chosen)
                window = [job for index, job in enumerate(window) if index not in taken]
                self._batches.add(asyncio.create_task(self._embed(batch)))
        finally:
            # Also when a fault of the dispatcher itself ends it: no caller may wait for an answer that cannot come.
            self._queue.close(_NOT_RUNNING)
            for task in self._batches:
                task.cancel()

    async def _collect(self, window: list[Job]) -> list[Job]:
        """Add to a window of tokenised texts, the oldest first, until it holds a batch that is full or due."""
        loop = asyncio.get_running_loop()
        while True:
            window = [job for job in window if self._queue.wanted(job)]
            taken = self._queue.take(self._lookahead - len(window))
            if taken:
                window += await self._tokenize(taken)
                continue
            patience = None
            if window:
                cost = batch_cost([len(job.tokens) for job in window], packed=self._packed)
                patience = window[0].queued_at + self._deadline_s - loop.time()
                if cost >= self._token_budget or len(window) >= self._lookahead or patience <= 0:
                    return window
            with suppress(TimeoutError):
                # Not wait_for, which in Python 3.11 swallows a cancellation that meets an arrival.
                async with asyncio.timeout(patience):
                    await self._queue.arrival()

    async def _tokenize(self, jobs: list[Job]) -> list[Job]:
        """Tokenise texts; returns the jobs that can be, and settles the others."""
        outcomes = await self._outcomes_of(self._thread.tokenize([job.text for job in jobs]))
        tokenised: list[Job] = []
        for job, outcome in zip(jobs, outcomes, strict=True):
            if isinstance(outcome, Exception):
                self._queue.settle(job, outcome)
            else:
                job.tokens = outcome
                tokenised.append(job)
        return tokenised

    async def _embed(self, batch: list[Job]) -> None:
        with ExitStack() as on_fault:
            on_fault.callback(self._end)
            now = asyncio.get_running_loop().time()
            for job in batch:
                self._observer.waited(now - job.queued_at)
            started = time.perf_counter()
            outcomes = await self._outcomes_of(self._thread.embed([job.tokens for job in batch]))
            seconds = time.perf_counter() - started
            self._device_lost = any(isinstance(outcome, DeviceLostError) for outcome in outcomes)
            made = [
                len(job.tokens) for job, outcome in zip(batch, outcomes, strict=True) if isinstance(outcome, np.ndarray)
            ]
            if made:
                self._observer.batch(len(made), sum(made), batch_cost(made, packed=self._packed), seconds)
            for job, outcome in zip(batch, outcomes, strict=True):
                self._queue.settle(job, outcome)
            on_fault.pop_all()

    def _end(self) -> None:
        self._queue.close(_NOT_RUNNING)
        # It may be waiting for texts. What ended a batch stays in its task, for `stop`.
        if self._dispatcher is not None:
            self._dispatcher.cancel()

    async def _outcomes_of(self, call: asyncio.Future[Isolated[R]]) -> list[Outcome[R]]:
        """Wait for a call of the encoder's thread; one that outruns its time fails everyone until it returns."""
        await asyncio.wait({call}, timeout=self._timeout_s)
        if not call.done():
            self._stalled += 1
            self._observer.failed()
            self._queue.close(
                f"expected a batch within {self._timeout_s:g} s, found one that has outrun it: ask again later"
            )
            await asyncio.wait({call})
            self._stalled -= 1
            if not self._stalled:
                self._queue.open()
        outcomes, failures = call.result()
        for _ in range(failures):
            self._observer.failed()
        return outcomes
