"""The process-wide micro-batcher: many callers on the event loop, one encoder on one thread.

Texts wait in a bounded queue, form batches under a token budget, and run off the event loop. A text that breaks
the encoder is found by halving and rejected alone; an encoder that is down fails its callers, who decide when to
ask again.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final, Protocol, TypeAlias, TypeGuard, TypeVar

import numpy as np

from models.embedding_cache import EmbeddingCache, Vector, text_key
from models.encoder import Encoder
from models.exceptions import BatcherOptionError, EncoderUnavailableError, TextRejectedError

T = TypeVar("T")
R = TypeVar("R")
Outcome: TypeAlias = R | TextRejectedError | EncoderUnavailableError

PROBE_TEXT: Final = "probe"
"""What the encoder is asked when one text fails alone: is it the text, or the encoder?"""

_LOOKAHEAD: Final = 256
"""Texts tokenised ahead of their batch: enough neighbours of like length to pad almost nothing, few enough that
the oldest one never waits long for their tokens."""

_PADDING_DIVISOR: Final = 8
"""The share of a batch that may be padding, one part in 8. On a CPU a pass costs about what 30 tokens cost, so a
long text is better off alone than in the company of many short ones."""

_STOP_GRACE_S: Final = 5.0
"""How long `stop` waits for a running pass. One takes well under a second; a hung one must not hold up the exit."""


class BatchObserver(Protocol):
    """What the batcher tells about itself; every method is called on the event loop and must return at once."""

    def batch(self, texts: int, tokens: int, padded_tokens: int, seconds: float) -> None:
        """`texts` embeddings were made, of `tokens` tokens, at the cost of `padded_tokens`, in `seconds`."""

    def waited(self, seconds: float) -> None:
        """A text waited this long from being queued until its batch began."""

    def queued(self, texts: int) -> None:
        """This many texts are now queued or being encoded, at most `queue_texts`."""

    def cache(self, hits: int, misses: int) -> None:
        """Of the texts just asked for, `hits` cost no pass of their own: cached, or in flight already."""

    def failed(self) -> None:
        """A pass of the encoder raised, gave no usable answer, or outran its time."""


class NullObserver:
    """Listens to nothing."""

    def batch(self, texts: int, tokens: int, padded_tokens: int, seconds: float) -> None:
        """Ignore it."""

    def waited(self, seconds: float) -> None:
        """Ignore it."""

    def queued(self, texts: int) -> None:
        """Ignore it."""

    def cache(self, hits: int, misses: int) -> None:
        """Ignore it."""

    def failed(self) -> None:
        """Ignore it."""


@dataclass(slots=True, eq=False)
class _Job:
    """One distinct text on its way; `waiters` counts the requests that want it."""

    key: bytes
    text: str
    queued_at: float
    future: asyncio.Future[Outcome[Vector]]
    tokens: Sequence[int] = ()
    waiters: int = 0

    @property
    def abandoned(self) -> bool:
        return self.waiters == 0 or self.future.done()


class MicroBatcher:
    """Encodes texts from many callers in batches; one per process, used from one event loop.

    A batch costs its longest text x its number of texts, at most `token_budget` unless a single text is longer. The
    oldest text waiting is in the next batch, and a text waits for company `deadline_s` at most.

    Args:
        encoder: called from the batcher's thread only, once it is started.
        token_budget: the most padded tokens of one pass.
        deadline_s: seconds the oldest text waits for others while the encoder is idle.
        queue_texts: the most texts queued or being encoded; further ones wait before they are queued.
        cache_texts: embeddings remembered, the least recently used let go first.
        timeout_s: seconds one batch may take, halving included.
        observer: told of batches, waits, cache hits and failures.

    Raises:
        BatcherOptionError: `token_budget` or `queue_texts` below 1, or `timeout_s` not above 0.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        token_budget: int = 1024,
        deadline_s: float = 0.005,
        queue_texts: int = 2048,
        cache_texts: int = 50_000,
        timeout_s: float = 60.0,
        observer: BatchObserver | None = None,
    ) -> None:
        if token_budget < 1 or queue_texts < 1 or timeout_s <= 0:
            raise BatcherOptionError(
                f"expected token_budget and queue_texts of at least 1 and timeout_s above 0, "
                f"found {token_budget}, {queue_texts} and {timeout_s}: raise them"
            )
        self._encoder = encoder
        self._token_budget = token_budget
        self._deadline_s = deadline_s
        self._queue_texts = queue_texts
        self._timeout_s = timeout_s
        self._observer: BatchObserver = observer or NullObserver()
        self._cache = EmbeddingCache(cache_texts)
        self._room = asyncio.Semaphore(queue_texts)
        self._arrived = asyncio.Event()
        self._in_flight: dict[bytes, _Job] = {}
        self._queue: deque[_Job] = deque()
        self._window: list[_Job] = []
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._running: Future[Any] | None = None
        self._dispatcher: asyncio.Task[None] | None = None
        self._stalled = False

    @property
    def stalled(self) -> bool:
        """Whether a pass has outrun `timeout_s` and has not returned; until it does, every request is refused."""
        return self._stalled

    async def start(self) -> None:
        """Start the thread and accept texts; does nothing when started already.

        Raises:
            EncoderUnavailableError: a pass that hung before the last `stop` still holds the encoder.
        """
        if self._dispatcher is not None:
            return
        if self._running is not None and not self._running.done():
            raise EncoderUnavailableError(
                "expected an idle encoder, found a pass from before stop() that has not returned: restart the process"
            )
        self._calls = SimpleQueue()
        self._stalled = False
        # A daemon, and not an executor's thread: a pass that hangs must not keep the process from exiting.
        Thread(target=_serve, args=(self._calls,), name="encoder", daemon=True).start()
        self._dispatcher = asyncio.create_task(self._dispatch(), name="micro-batcher")

    async def stop(self) -> None:
        """Refuse new texts, fail the pending ones with EncoderUnavailableError and let the thread go."""
        dispatcher, self._dispatcher = self._dispatcher, None
        if dispatcher is None:
            return
        dispatcher.cancel()
        await asyncio.wait({dispatcher})
        self._calls.put(None)
        if self._running is not None and not self._running.done():
            await asyncio.wait({asyncio.wrap_future(self._running)}, timeout=_STOP_GRACE_S)
        if not dispatcher.cancelled():
            dispatcher.result()

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
        return np.stack(vectors) if vectors else np.zeros((0, self._encoder.dimension), dtype=np.float32)

    async def encode_each(self, texts: Sequence[str]) -> list[Vector | TextRejectedError]:
        """Encode cleaned texts as `encode` does, with a rejected text's error in its place.

        Returns:
            For each text in order, a read-only float32[dimension], or the error that says its position.

        Raises:
            EncoderUnavailableError: the encoder is down, stalled or stopped.
        """
        outcomes: list[Vector | TextRejectedError] = []
        for start in range(0, len(texts), self._queue_texts):
            for outcome in await self._encode_slice(texts[start : start + self._queue_texts]):
                if isinstance(outcome, EncoderUnavailableError):
                    raise EncoderUnavailableError(str(outcome))
                if isinstance(outcome, TextRejectedError):
                    # A job is shared between requests, and in each of them it has another position.
                    outcome = TextRejectedError(str(outcome), len(outcomes))
                outcomes.append(outcome)
        return outcomes

    async def _encode_slice(self, texts: Sequence[str]) -> list[Outcome[Vector]]:
        found: list[Vector | _Job] = []
        hits = 0
        try:
            for text in texts:
                known, hit = await self._find_or_queue(text)
                found.append(known)
                hits += hit
            self._observer.cache(hits, len(texts) - hits)
            futures = {known.future for known in found if isinstance(known, _Job)}
            if futures:
                await asyncio.wait(futures)
        finally:
            for known in found:
                if isinstance(known, _Job):
                    known.waiters -= 1
        return [known.future.result() if isinstance(known, _Job) else known for known in found]

    async def _find_or_queue(self, text: str) -> tuple[Vector | _Job, bool]:
        self._require_running()
        key = text_key(text)
        known = self._known(key)
        hit = known is not None
        if known is None:
            await self._room.acquire()
            # While this request waited for room, another may have queued the same text, or the encoder stalled.
            known = self._known(key)
            hit = known is not None
            if hit or not self._accepting:
                self._room.release()
            self._require_running()
            if known is None:
                known = self._enqueue(key, text)
        if isinstance(known, _Job):
            known.waiters += 1
        return known, hit

    def _known(self, key: bytes) -> Vector | _Job | None:
        vector = self._cache.get(key)
        return self._in_flight.get(key) if vector is None else vector

    def _enqueue(self, key: bytes, text: str) -> _Job:
        loop = asyncio.get_running_loop()
        job = self._in_flight[key] = _Job(key, text, loop.time(), loop.create_future())
        self._queue.append(job)
        self._arrived.set()
        self._observer.queued(len(self._in_flight))
        return job

    @property
    def _accepting(self) -> bool:
        return self._dispatcher is not None and not self._dispatcher.done() and not self._stalled

    def _require_running(self) -> None:
        if not self._accepting:
            found = "a pass that has outrun its time" if self._stalled else "a batcher that is not started"
            raise EncoderUnavailableError(f"expected a running encoder, found {found}: ask again later")

    async def _dispatch(self) -> None:
        try:
            while True:
                await self._collect()
                chosen = form_batch([len(job.tokens) for job in self._window], self._token_budget)
                batch = [self._window[index] for index in chosen]
                taken = set(batch)
                self._window = [job for job in self._window if job not in taken]
                await self._embed(batch)
        finally:
            self._fail_all("expected a running encoder, found the batcher stopped: ask again once it is started")

    async def _collect(self) -> None:
        """Wait until the window holds a batch that is full or due."""
        loop = asyncio.get_running_loop()
        while True:
            self._arrived.clear()
            while self._queue and len(self._window) < _LOOKAHEAD:
                await self._tokenize()
            self._window = [job for job in self._window if not self._dropped(job)]
            if not self._window:
                await self._arrived.wait()
                continue
            padded = len(self._window) * max(len(job.tokens) for job in self._window)
            patience = self._window[0].queued_at + self._deadline_s - loop.time()
            if padded >= self._token_budget or len(self._window) >= _LOOKAHEAD or patience <= 0:
                return
            try:
                # Not wait_for, which in Python 3.11 swallows a cancellation that meets an arrival.
                async with asyncio.timeout(patience):
                    await self._arrived.wait()
            except TimeoutError:
                return

    async def _tokenize(self) -> None:
        jobs: list[_Job] = []
        while self._queue and len(self._window) + len(jobs) < _LOOKAHEAD:
            job = self._queue.popleft()
            if not self._dropped(job):
                jobs.append(job)
        if not jobs:
            return
        outcomes = await self._isolate(self._encoder.tokenize, [job.text for job in jobs])
        for job, tokens in zip(jobs, outcomes, strict=True):
            if isinstance(tokens, Exception):
                self._settle(job, tokens)
            else:
                job.tokens = tokens
                self._window.append(job)

    async def _embed(self, batch: list[_Job]) -> None:
        now = asyncio.get_running_loop().time()
        for job in batch:
            self._observer.waited(now - job.queued_at)
        started = time.perf_counter()
        outcomes = await self._isolate(self._pass, [job.tokens for job in batch])
        seconds = time.perf_counter() - started
        made = [len(job.tokens) for job, outcome in zip(batch, outcomes, strict=True) if _is_vector(outcome)]
        if made:
            self._observer.batch(len(made), sum(made), len(made) * max(made), seconds)
        for job, outcome in zip(batch, outcomes, strict=True):
            self._settle(job, outcome)

    def _pass(self, batch: Sequence[Sequence[int]]) -> list[Vector]:
        vectors = np.asarray(self._encoder.embed(batch), dtype=np.float32)
        if vectors.shape != (len(batch), self._encoder.dimension):
            raise EncoderUnavailableError(
                f"expected embeddings of shape {(len(batch), self._encoder.dimension)}, found {vectors.shape}"
            )
        # One NaN would stay in a user's profile for good.
        if not np.isfinite(vectors).all():
            raise FloatingPointError("expected finite embeddings")
        # Copies, for a view would keep its whole batch in memory as long as it is cached.
        rows = [row.copy() for row in vectors]
        for row in rows:
            row.setflags(write=False)
        return rows

    def _probe(self) -> object:
        return self._pass(self._encoder.tokenize([PROBE_TEXT]))

    async def _isolate(self, work: Callable[[Sequence[T]], list[R]], items: Sequence[T]) -> list[Outcome[R]]:
        call: Future[tuple[list[Outcome[R]], int]] = Future()
        self._running = call
        self._calls.put((call, partial(isolate, work, items, self._probe)))
        answer = asyncio.wrap_future(call)
        await asyncio.wait({answer}, timeout=self._timeout_s)
        if not answer.done():
            self._stalled = True
            self._observer.failed()
            self._fail_all(f"expected a batch within {self._timeout_s:g} s, found it still running: ask again later")
            await asyncio.wait({answer})
            self._stalled = False
        outcomes, failures = answer.result()
        for _ in range(failures):
            self._observer.failed()
        return outcomes

    def _settle(self, job: _Job, outcome: Outcome[Vector]) -> None:
        if _is_vector(outcome):
            # Even after a stall: the work is done, and the caller will ask again.
            self._cache.put(job.key, outcome)
        if not job.future.done():
            job.future.set_result(outcome)
            self._leave(job)

    def _dropped(self, job: _Job) -> bool:
        """Whether nobody waits for a job any more; if so it leaves the queue."""
        if job.abandoned and not job.future.done():
            job.future.cancel()
            self._leave(job)
        return job.future.done()

    def _leave(self, job: _Job) -> None:
        del self._in_flight[job.key]
        self._room.release()
        self._observer.queued(len(self._in_flight))

    def _fail_all(self, message: str) -> None:
        self._queue.clear()
        self._window.clear()
        for job in list(self._in_flight.values()):
            self._settle(job, EncoderUnavailableError(message))


def form_batch(lengths: Sequence[int], token_budget: int) -> list[int]:
    """Choose the next batch: the oldest text, and those nearest to it in length while the budget lasts.

    Args:
        lengths: tokens of each waiting text, the oldest first; at least one.
        token_budget: the most padded tokens, longest x number of texts; a text longer than it goes alone. At
            most an eighth of it is padding.

    Returns:
        Indices into `lengths`, sorted by length; index 0 is always among them.
    """
    by_length = sorted(range(len(lengths)), key=lengths.__getitem__)
    ordered = [lengths[index] for index in by_length]
    low = by_length.index(0)
    high = low + 1
    padding = 0
    while True:
        longest = ordered[high - 1]
        # What the next text costs in padding: a shorter one is padded itself, a longer one pads all the others.
        sides: list[tuple[int, int, int]] = []
        if low > 0:
            sides.append((longest - ordered[low - 1], longest, -1))
        if high < len(ordered):
            sides.append(((ordered[high] - longest) * (high - low), ordered[high], 1))
        most_padding = token_budget // _PADDING_DIVISOR - padding
        sides = [
            (added, longest_then, step)
            for added, longest_then, step in sides
            if longest_then * (high - low + 1) <= token_budget and added <= most_padding
        ]
        if not sides:
            return by_length[low:high]
        added, _, step = min(sides)
        padding += added
        low, high = (low - 1, high) if step < 0 else (low, high + 1)


def isolate(
    work: Callable[[Sequence[T]], list[R]], items: Sequence[T], probe: Callable[[], object]
) -> tuple[list[Outcome[R]], int]:
    """Do the work on all items, and on a failure halve them until the one that fails alone is found.

    An item is rejected when it fails by itself, a probe then succeeds, and it fails again: so a fault that passes
    in between rejects nothing. When the probe fails too, all items without a result are left undone.

    Args:
        work: gives one result per item, or raises anything.
        items: what to work on.
        probe: raises when the fault does not lie in an item.

    Returns:
        For each item its result or its error, and how many calls failed.
    """
    outcomes: list[Outcome[R] | None] = [None] * len(items)
    failures = 0
    parts = [slice(0, len(items))] if items else []
    while parts:
        part = parts.pop()
        alone = part.stop - part.start == 1
        done = _attempt(partial(_work_on, work, items[part]))
        failures += isinstance(done, _Failure)
        if isinstance(done, _Failure) and alone:
            probed = _attempt(probe)
            if isinstance(probed, _Failure):
                down = EncoderUnavailableError(
                    f"expected an encoder that works, found that a probe text fails too ({probed.kind}: "
                    f"{probed.message}): check the device's memory and the model's files, then ask again"
                )
                return [down if outcome is None else outcome for outcome in outcomes], failures + 1
            done = _attempt(partial(_work_on, work, items[part]))
            failures += isinstance(done, _Failure)
        if not isinstance(done, _Failure):
            outcomes[part] = done
        elif alone:
            outcomes[part.start] = TextRejectedError(
                f"expected a text that can be encoded, found one that fails alone ({done.kind}) while a probe "
                "text succeeds: leave it out"
            )
        else:
            middle = (part.start + part.stop) // 2
            parts += [slice(middle, part.stop), slice(part.start, middle)]
    return [outcome for outcome in outcomes if outcome is not None], failures


@dataclass(frozen=True, slots=True)
class _Failure:
    # Words only: the error's traceback would hold the failed pass's memory while its halves are tried.
    kind: str
    message: str


def _attempt(call: Callable[[], T]) -> T | _Failure:
    try:
        return call()
    except BaseException as error:  # noqa: BLE001 - a panic of the tokenizer's Rust code is no Exception
        return _Failure(type(error).__name__, str(error).partition("\n")[0])


def _work_on(work: Callable[[Sequence[T]], list[R]], items: Sequence[T]) -> list[R]:
    results = work(items)
    if len(results) != len(items):
        raise EncoderUnavailableError(f"expected {len(items)} results, found {len(results)}: mend the encoder")
    return results


def _is_vector(outcome: Outcome[Vector]) -> TypeGuard[Vector]:
    return isinstance(outcome, np.ndarray)


_Call: TypeAlias = tuple[Future[Any], Callable[[], Any]]


def _serve(calls: SimpleQueue[_Call | None]) -> None:
    while (item := calls.get()) is not None:
        future, call = item
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001 - handed over to whoever waits for the call
                future.set_exception(error)
