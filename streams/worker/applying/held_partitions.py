"""The partitions that a worker holds now, for everything that looks at states from outside of an assignment."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Generic

from features.entity import S
from streams.worker.applying.decay import Decay
from streams.worker.applying.partition import Partition
from streams.worker.state.local_store import Progress


class HeldPartitions(Generic[S]):
    """The partitions of a stage that are taken over and not on their way out.

    It is made before the engine, which fills and empties it.

    Attributes:
        partitions: by number; the same mapping for good.
        decays: the keepers of their quiet keys, by number; the same mapping for good.
    """

    def __init__(self) -> None:
        self.partitions: dict[int, Partition[S]] = {}
        self.decays: dict[int, Decay[S]] = {}
        self._some = asyncio.Event()

    def hold(self, partitions: Mapping[int, Partition[S]], decays: Mapping[int, Decay[S]]) -> None:
        """Add partitions that were just taken over."""
        self.partitions.update(partitions)
        self.decays.update(decays)
        if self.partitions:
            self._some.set()

    def let_go(self) -> None:
        """Hold nothing: nothing from outside may touch a partition that is on its way out."""
        self._some.clear()
        self.partitions.clear()
        self.decays.clear()

    async def some(self) -> dict[int, Partition[S]]:
        """Wait until partitions are held, through a rebalance for example, and return them."""
        await self._some.wait()
        return dict(self.partitions)

    def serving(self) -> bool:
        """Return whether any partition is held."""
        return bool(self.partitions)

    def progress(self) -> dict[int, Progress]:
        """Return how far the local state of each partition is."""
        return {number: partition.states.progress(number) for number, partition in self.partitions.items()}

    def find(self, key: str) -> S | None:
        """Return the state of a key; None if no partition's store has one."""
        encoded = key.encode()
        for number, partition in self.partitions.items():
            if partition.states.read(number, encoded) is not None:
                return partition.state_of(key)
        return None

    async def settle(self) -> None:
        """Wait until everything touched in any partition is durable and published."""
        await asyncio.gather(*(partition.settled() for partition in self.partitions.values()))
