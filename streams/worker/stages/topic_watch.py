"""Whether the topics stay as they were found at the start, while a worker runs.

Faust hears of added partitions too, and shares them out: users would be split over two partitions without a word. It
hears nothing of a topic that was deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from streams.broker.topics.counts import partition_counts
from streams.exceptions import BrokerError, MissingLogError, StateMismatchError, StreamsError
from streams.records.placement import added_partitions
from streams.settings import Settings
from streams.tasks import Tasks
from streams.worker.stage_spec import StageSpec
from streams.worker.state.binding import START_OVER, check_ends
from streams.worker.state.local_store import Progress

INTERVAL_S: Final = 10.0
"""How often the topics are looked at. A producer hears of new partitions after minutes."""

APART_S: Final = 2.0
"""How long two looks at a topic that is missing are apart at the least."""

SIGHTINGS: Final = 2
"""How often in a row a topic has to be missing: a node that has just started may not know of it yet."""


class TopicWatch:
    """Looks at the topics from time to time; it says nothing of a broker that does not answer.

    Args:
        settings: of the stage, with the number of partitions found at the start.
        spec: of the stage.
        names: of its topics on the broker.
        progress: tells how far the local state of each assigned partition is.
        on_failure: told of what ends the worker.
    """

    def __init__(
        self,
        settings: Settings,
        spec: StageSpec,
        names: Iterable[str],
        progress: Callable[[], Mapping[int, Progress]],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._settings = settings
        self._spec = spec
        self._progress = progress
        self._names = list(names)
        self._missing: dict[str, int] = {}
        self._reached: Mapping[int, Progress] = {}
        self._tasks = Tasks("topic-watch", on_failure)

    def start(self) -> None:
        """Begin to watch."""
        self._tasks.begin(self._run())

    async def stop(self) -> None:
        """Watch no more."""
        self._tasks.cancel()
        await self._tasks.ended()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                await self.look()
            except BrokerError:
                continue

    async def change(self) -> StreamsError | None:
        """Return what has become of the topics, to explain an error that may come of it; None for nothing known."""
        try:
            missing: dict[str, int] = {}
            for sighting in range(SIGHTINGS):
                await asyncio.sleep(APART_S if sighting else 0)
                await self._look(missing)
                if not missing:
                    return None
        except (StateMismatchError, MissingLogError) as error:
            return error
        except BrokerError:
            return None
        return None

    async def look(self) -> None:
        """Look once.

        Raises:
            BrokerError: the broker does not answer.
            StateMismatchError: partitions were added, or a topic was deleted or made anew.
        """
        await self._look(self._missing)

    async def _look(self, missing: dict[str, int]) -> None:
        """Look once, counting in `missing` how often in a row a topic was."""
        counts = await partition_counts(self._settings, self._names)
        known = self._settings.partitions
        if changed := {name: count for name, count in counts.items() if count > known}:
            raise added_partitions(changed, known, f"the state of {self._spec.changelog(self._settings)!r}")
        if fewer := {name: count for name, count in counts.items() if count < known}:
            name, count = next(iter(fewer.items()))
            raise StateMismatchError(
                f"expected the topic {name!r} to have {known} partitions, found {count}: it was made anew while the "
                f"worker ran; {START_OVER}"
            )
        for name in self._names:
            if name in counts:
                missing.pop(name, None)
            else:
                missing[name] = missing.get(name, 0) + 1
        for name, times in missing.items():
            if times >= SIGHTINGS:
                raise StateMismatchError(
                    f"expected the topic {name!r}, found none: it was deleted while the worker ran; restore it, or "
                    f"{START_OVER}"
                )
        # A worker that is on its way out holds no partition any more.
        self._reached = self._progress() or self._reached
        if not missing:
            await check_ends(self._settings, self._spec, self._reached)
