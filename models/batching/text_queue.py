"""The texts that requests wait for: known ones answered at once, equal ones shared, the others queued in a bound."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from models.batching.embedding_cache import EmbeddingCache, Vector, text_key
from models.batching.isolation import Outcome
from models.batching.observing import BatchObserver
from models.batching.text_room import Room
from models.exceptions import EncoderUnavailableError


@dataclass(slots=True, eq=False)
class Job:
    """One distinct text on its way to its embedding.

    Attributes:
        key: the text's key in the cache.
        text: the cleaned text.
        size: bytes of room that it takes.
        queued_at: seconds on the event loop's clock.
        answer: its outcome.
        tokens: its token ids, once they are known.
        waiters: requests that want it.
    """

    key: bytes
    text: str
    size: int
    queued_at: float
    answer: asyncio.Future[Outcome[Vector]]
    tokens: Sequence[int] = ()
    waiters: int = 0


class TextQueue:
    """Texts queued or being encoded, in a bound, each once however many requests want it; closed at first.

    Args:
        queue_texts: further texts wait before they are queued.
        queue_bytes: of memory; a text that is larger by itself is queued alone.
        cache_texts: embeddings remembered, the least recently used let go first.
        observer: told of the length and of cache hits.
        closed: why requests are refused until it is opened.
    """

    def __init__(
        self, queue_texts: int, queue_bytes: int, cache_texts: int, observer: BatchObserver, closed: str
    ) -> None:
        self._observer = observer
        self._cache = EmbeddingCache[Vector](cache_texts)
        self._room = Room(queue_texts, queue_bytes)
        self._arrived = asyncio.Event()
        self._jobs: dict[bytes, Job] = {}
        self._queue: deque[Job] = deque()
        self._closed: str | None = closed

    def open(self) -> None:
        """Accept requests."""
        self._closed = None

    def close(self, reason: str) -> None:
        """Fail every pending text with EncoderUnavailableError(reason), and refuse requests with it."""
        self._closed = reason
        self._queue.clear()
        for job in list(self._jobs.values()):
            self.settle(job, EncoderUnavailableError(reason))

    async def request(self, texts: Sequence[str]) -> list[Outcome[Vector]]:
        """Wait for the outcome of each text, in order.

        Args:
            texts: at most `queue_texts`.

        Raises:
            EncoderUnavailableError: the queue is closed.
        """
        found: list[Vector | Job] = []
        hits = 0
        try:
            for text in texts:
                known, hit = await self._find_or_queue(text)
                found.append(known)
                hits += hit
            self._observer.cache(hits, len(texts) - hits)
            for known in found:
                # One at a time, most of them done by then: a callback for each costs more than a fast encoder.
                if isinstance(known, Job) and not known.answer.done():
                    await asyncio.wait([known.answer])
        finally:
            for known in found:
                if isinstance(known, Job):
                    known.waiters -= 1
        return [known.answer.result() if isinstance(known, Job) else known for known in found]

    def take(self, most: int) -> list[Job]:
        """Take the oldest texts that are still wanted out of the queue; none only when it is empty or `most` is 0."""
        taken: list[Job] = []
        while self._queue and len(taken) < most:
            job = self._queue.popleft()
            if self.wanted(job):
                taken.append(job)
        return taken

    async def arrival(self) -> None:
        """Wait until a text is queued. Texts queued before are not noticed: take them first."""
        self._arrived.clear()
        await self._arrived.wait()

    def wanted(self, job: Job) -> bool:
        """Whether a request still waits for a text; one that none waits for makes room for another."""
        if not job.waiters and not job.answer.done():
            job.answer.cancel()
            self._leave(job)
        return not job.answer.done()

    def settle(self, job: Job, outcome: Outcome[Vector]) -> None:
        """Answer the requests that wait for a text, and remember an embedding for those to come."""
        if not isinstance(outcome, Exception):
            # Even when they have been failed meanwhile: the work is done, and they will ask again.
            self._cache.put(job.key, outcome)
        if not job.answer.done():
            job.answer.set_result(outcome)
            self._leave(job)

    def forget(self) -> None:
        """Let go of every remembered embedding."""
        self._cache.clear()

    async def _find_or_queue(self, text: str) -> tuple[Vector | Job, bool]:
        """Return the text's embedding or its job, joined, and whether it was known already."""
        self._require_open()
        key = text_key(text)
        known = self._known(key)
        size = 0
        if known is None:
            size = await self._room.enter(text)
            # While this request waited for room, another may have queued the same text, or the queue closed.
            known = self._known(key)
            if known is not None or self._closed is not None:
                self._room.leave(size)
            self._require_open()
        hit = known is not None
        if known is None:
            known = self._enqueue(key, text, size)
        if isinstance(known, Job):
            known.waiters += 1
        return known, hit

    def _known(self, key: bytes) -> Vector | Job | None:
        vector = self._cache.get(key)
        return self._jobs.get(key) if vector is None else vector

    def _enqueue(self, key: bytes, text: str, size: int) -> Job:
        loop = asyncio.get_running_loop()
        job = self._jobs[key] = Job(key, text, size, loop.time(), loop.create_future())
        self._queue.append(job)
        self._arrived.set()
        self._observer.queued(len(self._jobs))
        return job

    def _require_open(self) -> None:
        if self._closed is not None:
            raise EncoderUnavailableError(self._closed)

    def _leave(self, job: Job) -> None:
        del self._jobs[job.key]
        self._room.leave(job.size)
        self._observer.queued(len(self._jobs))
