"""The path `/republish` of a worker's metrics and health server: GET tells the progress, POST begins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Annotated, Final

import msgspec

from streams.telemetry.server import Answer
from streams.worker.republishing.progress import Progress, of_worker
from streams.worker.republishing.republishing import Republisher

ANSWER_S: Final = 10.0
"""How long the event loop may take to begin."""


Republishers = tuple[Republisher | None, Republisher | None]


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a POST.

    Attributes:
        users_per_s: users, and as many items, published in a second, at most; None for the worker's setting.
    """

    users_per_s: Annotated[int, msgspec.Meta(ge=1)] | None = None


class RepublishEndpoint:
    """Answers on the server's threads; what publishes lives on the event loop.

    Args:
        loop: of the worker.
        republishers: returns that of users and that of items; None for what the worker has not, or not yet.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, republishers: Callable[[], Republishers]) -> None:
        self._loop = loop
        self._republishers = republishers

    def get(self) -> Answer:
        """Return how far the last request is."""
        progress = _progress(self._republishers())
        return _STARTING if progress is None else Answer(200, msgspec.json.encode(progress))

    def post(self, body: bytes) -> Answer:
        """Begin; a run that is under way ends."""
        republishers = self._republishers()
        if all(republisher is None for republisher in republishers):
            return _STARTING
        try:
            request = msgspec.json.decode(body or b"{}", type=Request)
        except msgspec.DecodeError as error:
            return _refusal(400, f'expected {{}} or {{"users_per_s": N}}, found another body: {error}')

        async def begin() -> Progress | None:
            for republisher in republishers:
                if republisher is not None:
                    republisher.begin(request.users_per_s)
            return _progress(republishers)

        asked = asyncio.run_coroutine_threadsafe(begin(), self._loop)
        try:
            return Answer(202, msgspec.json.encode(asked.result(ANSWER_S)))
        except (TimeoutError, CancelledError):
            asked.cancel()
            return _refusal(503, f"the event loop has not answered for {ANSWER_S:g} s")


def _progress(republishers: Republishers) -> Progress | None:
    users, items = (None if one is None else one.progress for one in republishers)
    return of_worker(users, items)


def _refusal(status: int, reason: str) -> Answer:
    return Answer(status, msgspec.json.encode({"reason": reason}))


_STARTING: Final = _refusal(503, "starting, or on its way out: ask again once it is ready")
