"""The threads the encoder runs on, off the event loop: one call after another on each, each item's fault its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np

from models.batching.embedding_cache import Vector
from models.batching.isolation import Isolated, isolate
from models.encoder.bert import Encoder
from models.exceptions import EncoderUnavailableError

T = TypeVar("T")
R = TypeVar("R")

PROBE_TEXT: Final = "probe"
"""The text that is encoded when one text fails alone: it tells a fault of the text from one of the encoder."""

_STOP_GRACE_S: Final = 5.0
"""How long `stop` waits for a running call. One takes well under a second; a hung one must not hold up the exit."""

_Call: TypeAlias = tuple[Future[Any], Callable[[], Any]]


class EncoderThread:
    """Calls an encoder on one thread; used from one event loop.

    An encoder with several `passes` at once gets a thread for each of them, and one for tokenising. On a CPU such
    passes would only take its cores from each other.

    Args:
        encoder: called from these threads only, once they are started.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._passes = encoder.passes
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._readings = self._calls
        self._unfinished: set[Future[Any]] = set()

    def start(self) -> None:
        """Start the threads.

        Raises:
            EncoderUnavailableError: a call that hung before the last `stop` still holds the encoder.
        """
        if self._unfinished:
            raise EncoderUnavailableError(
                "expected an idle encoder, found a pass from before stop() that has not returned: restart the process"
            )
        self._calls = self._readings = SimpleQueue()
        threads = [("encoder", self._calls)] * self._passes
        if self._passes > 1:
            self._readings = SimpleQueue()
            threads.append(("tokenizer", self._readings))
        for name, calls in threads:
            # Daemons, and not an executor's threads: a call that hangs must not keep the process from exiting.
            Thread(target=_serve, args=(calls,), name=name, daemon=True).start()

    async def stop(self) -> None:
        """Let the threads go, and wait a while for the calls that run on them."""
        for _ in range(self._passes):
            self._calls.put(None)
        if self._readings is not self._calls:
            self._readings.put(None)
        # A copy, because the threads take finished calls out.
        if unfinished := list(self._unfinished):
            await asyncio.wait({asyncio.wrap_future(call) for call in unfinished}, timeout=_STOP_GRACE_S)

    def tokenize(self, texts: Sequence[str]) -> asyncio.Future[Isolated[list[int]]]:
        """Turn n texts into n outcomes, each the text's token ids, and the number of calls that failed."""
        return self._submit(self._readings, self._encoder.tokenize, texts)

    def embed(self, batch: Sequence[Sequence[int]]) -> asyncio.Future[Isolated[Vector]]:
        """Turn n token lists into n outcomes, each a read-only float32[dimension], and the number of failed calls."""
        return self._submit(self._calls, self._pass, batch)

    def _submit(
        self, calls: SimpleQueue[_Call | None], work: Callable[[Sequence[T]], list[R]], items: Sequence[T]
    ) -> asyncio.Future[Isolated[R]]:
        call: Future[Isolated[R]] = Future()
        self._unfinished.add(call)
        call.add_done_callback(self._unfinished.discard)
        calls.put((call, partial(isolate, work, items, self._probe)))
        return asyncio.wrap_future(call)

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


def _serve(calls: SimpleQueue[_Call | None]) -> None:
    while (item := calls.get()) is not None:
        future, call = item
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001 - handed over to the caller
                future.set_exception(error)
