"""Watching an artefact's folder: what is put there is loaded, checked, and handed over whole, or refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from models.artefact.files import DOCUMENT_FILE, TENSORS_FILE
from streams.log import log
from streams.tasks import Tasks
from streams.telemetry.metrics import Metrics


class Versioned(Protocol):
    """What an artefact becomes once it is accepted."""

    @property
    def version(self) -> str:
        """The version, as records name it."""


Accepted = TypeVar("Accepted", bound=Versioned)
Fingerprint = tuple[bytes, int, int]
"""The content of the document, and size and modification time (ns) of the tensors."""


class ArtefactWatch(Generic[Accepted]):
    """Has every new artefact in a folder take over.

    A folder whose files still change is left alone, so that one that is being copied is not refused half way: it is
    read when two looks in a row found the same. A refused artefact is not read again until it changes or is asked for.

    Args:
        role: `live`, `shadow` or `capacity`, for log and metrics.
        folder: as written by `train`.
        accept: reads what is in the folder and makes it ready to serve, or raises.
        current: the version that serves now in this role, None for none.
        take: given what was accepted.
        metrics: count what was refused.
        on_failure: told of an error that ends the watch.
    """

    def __init__(
        self,
        role: str,
        folder: Path,
        *,
        accept: Callable[[Path], Accepted],
        current: Callable[[], str | None],
        take: Callable[[Accepted], None],
        metrics: Metrics,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._role = role
        self._folder = folder
        self._accept = accept
        self._current = current
        self._take = take
        # At zero from the start: a series that begins at 1 has no increase to alert on.
        self._refused = metrics.artefact_refused.labels(role)
        self._seen: Fingerprint | None = None
        self._tried: Fingerprint | None = None
        self._asked = asyncio.Event()
        self._tasks = Tasks(f"artefact-{role}", on_failure)

    def start(self, poll_s: float) -> None:
        """Look at the folder every `poll_s` seconds, and when asked to."""
        self._tasks.begin(self._run(poll_s))

    async def stop(self) -> None:
        """Look no more."""
        self._tasks.cancel()
        await self._tasks.ended()

    def ask(self) -> None:
        """Read the folder now, even what was refused before."""
        self._asked.set()

    async def _run(self, poll_s: float) -> None:
        if await asyncio.to_thread(self._fingerprint) is None:
            log.warning("no artefact there yet, waiting for one", role=self._role, folder=str(self._folder))
        while True:
            asked = self._asked.is_set()
            self._asked.clear()
            await self.look(again=asked)
            try:
                async with asyncio.timeout(poll_s):
                    await self._asked.wait()
            except TimeoutError:
                continue

    async def look(self, *, again: bool = False) -> None:
        """Take over what is in the folder, if it is new and has settled; `again` reads it in any case."""
        found = await asyncio.to_thread(self._fingerprint)
        settled = found is not None and found == self._seen and found != self._tried
        self._seen = found
        if settled or again:
            self._tried = found
            await self._read()

    async def _read(self) -> None:
        try:
            found = await asyncio.to_thread(self._accept, self._folder)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a candidate, the worker goes on with the old
            self._refused.inc()
            log.warning(
                "artefact refused, the old one stays",
                role=self._role,
                found=str(error) or type(error).__name__,
                kept=self._current(),
            )
            return
        if found.version != self._current():
            log.info("artefact loaded", role=self._role, scorer=found.version, before=self._current())
            self._take(found)

    def _fingerprint(self) -> Fingerprint | None:
        try:
            tensors = (self._folder / TENSORS_FILE).stat()
            return (self._folder / DOCUMENT_FILE).read_bytes(), tensors.st_size, tensors.st_mtime_ns
        except OSError:
            # Gone, or not there yet: nothing to read, and what scores goes on.
            return None
