"""The thread the encoder runs on, off the event loop: one call after another, each item's fault its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np

from models.embedding_cache import Vector
from models.encoder import Encoder
from models.exceptions import EncoderUnavailableError
from models.isolation import Isolated, isolate

T = TypeVar("T")
R = TypeVar("R")

PROBE_TEXT: Final = "probe"
"""What the encoder is asked when one text fails alone: is it the text, or the encoder?"""

_STOP_GRACE_S: Final = 5.0
"""How long `stop` waits for a running call. One takes well under a second; a hung one must not hold up the exit."""

_Call: TypeAlias = tuple[Future[Any], Callable[[], Any]]


class EncoderThread:
    """Calls an encoder on one thread; used from one event loop, and one call at a time.

    Args:
        encoder: called from this thread only, once it is started.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._latest: Future[Any] | None = None

    def start(self) -> None:
        """Start the thread.

        Raises:
            EncoderUnavailableError: a call that hung before the last `stop` still holds the encoder.
        """
        if self._latest is not None and not self._latest.done():
            raise EncoderUnavailableError(
                "expected an idle encoder, found a pass from before stop() that has not returned: restart the process"
            )
        self._calls = SimpleQueue()
        # A daemon, and not an executor's thread: a call that hangs must not keep the process from exiting.
        Thread(target=_serve, args=(self._calls,), name="encoder", daemon=True).start()

    async def stop(self) -> None:
        """Let the thread go, and wait a while for the call that runs on it."""
        self._calls.put(None)
        if self._latest is not None and not self._latest.done():
            await asyncio.wait({asyncio.wrap_future(self._latest)}, timeout=_STOP_GRACE_S)

    def tokenize(self, texts: Sequence[str]) -> asyncio.Future[Isolated[list[int]]]:
        """Turn n texts into n outcomes, each the text's token ids, and the number of calls that failed."""
        return self._submit(self._encoder.tokenize, texts)

    def embed(self, batch: Sequence[Sequence[int]]) -> asyncio.Future[Isolated[Vector]]:
        """Turn n token lists into n outcomes, each a read-only float32[dimension], and the number of failed calls."""
        return self._submit(self._pass, batch)

    def _submit(self, work: Callable[[Sequence[T]], list[R]], items: Sequence[T]) -> asyncio.Future[Isolated[R]]:
        call: Future[Isolated[R]] = Future()
        self._latest = call
        self._calls.put((call, partial(isolate, work, items, self._probe)))
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
            except BaseException as error:  # noqa: BLE001 - handed over to whoever waits for the call
                future.set_exception(error)
