"""An assignment: the partitions of sources that one rebalance gave this process, and all that was made for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from streams.broker.lease import Lease
from streams.broker.publisher import Publisher
from streams.log import log
from streams.rekeying.gate import Gate
from streams.rekeying.lane import Bench, Lane

DRAIN_S: Final = 5.0
"""How long what is sent may take to be acknowledged when partitions move away; the rest is delivered again."""

DRAIN_SHARE: Final = 0.8
"""Share of the remaining lease: the broker waits for this process no longer, and has to hear from it in between."""


class Assignment:
    """What one rebalance gave this process. It ends as a whole.

    Args:
        serial: its number among the assignments of this process, which no two of them share.
        lease: on its partitions; ends with the assignment at the latest. Nothing is sent without it: a process that
            was stopped and goes on must not send again what another one has sent long ago.

    Attributes:
        serial, lease: see above.
        accepting: whether batches are taken.
        ended: whether it has ended, or is about to.
    """

    def __init__(self, serial: int, lease: Lease) -> None:
        self.serial = serial
        self.lease = lease
        self.accepting = False
        self.ended = False
        self._lanes: dict[tuple[str, int], Lane] = {}
        self._publisher: Publisher | None = None
        self._ending: asyncio.Task[None] | None = None
        self._bench: Bench
        self._gate_of: Callable[[str], Gate]

    def open(self, publisher: Publisher, bench: Bench, gate_of: Callable[[str], Gate]) -> None:
        """Accept batches.

        Args:
            publisher: started, under the lease.
            bench: what lanes work with, the publisher among it.
            gate_of: gives the gate of a source.
        """
        self._publisher, self._bench, self._gate_of = publisher, bench, gate_of
        self.accepting = True

    def submit(self, event: Any) -> None:
        """Take a batch, as a Faust event; one of another assignment is not taken."""
        message = event.message
        if not self.accepting or message.generation_id != self.serial:
            return
        place = message.topic, message.partition
        lane = self._lanes.get(place)
        if lane is None:
            lane = self._lanes[place] = Lane(*place, self._gate_of(message.topic), self._bench)
        lane.submit(event)

    async def end(self) -> None:
        """Wait for what is sent, as long as the lease and `DRAIN_S` allow, and let everything go.

        It is done once, however often it is asked for, and to its end, even if the caller stops waiting.
        """
        if self._ending is None:
            self.ended = True
            self.accepting = False
            self._ending = asyncio.create_task(self._end(), name=f"end-{self.serial}")
        await asyncio.shield(self._ending)

    async def _end(self) -> None:
        for lane in self._lanes.values():
            lane.close()
        patience_s = min(DRAIN_S, DRAIN_SHARE * self.lease.remaining_s)
        try:
            await asyncio.wait_for(asyncio.gather(*(lane.drain() for lane in self._lanes.values())), patience_s)
        except TimeoutError:
            log.warning("partitions left unsettled, their last records will be delivered again")
        finally:
            for lane in self._lanes.values():
                lane.stop()
            self._lanes.clear()
            self.lease.end()
            if self._publisher is not None:
                await self._publisher.abandon()
