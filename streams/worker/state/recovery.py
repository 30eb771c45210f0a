"""Faust's recovery of the table of states, tied to the assignment that it was begun for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka.errors import IllegalStateError, KafkaError
from faust.tables.recovery import Recovery, ServiceStopped
from faust.types import TP
from mode import Service

from features.exceptions import FeaturesError
from streams.exceptions import BrokerError, StreamsError
from streams.worker.state.binding import check_beginning
from streams.worker.state.state_table import StateTable


class TiedRecovery(Recovery):
    """Takes in only what was read for the assignment of now, and lets partitions be taken over only in it.

    Args:
        app: Faust's.
        table: whose changelogs these are.
        take_over: awaited with the serial number of the assignment and the partitions it has recovered, before events
            are delivered; returns whether they may be.
        begin_delivery: told the assignment whose events may be delivered from now on.
    """

    def __init__(
        self,
        app: Any,
        table: StateTable,
        take_over: Callable[[int, set[int]], Awaitable[bool]],
        begin_delivery: Callable[[int], None],
    ) -> None:
        self.table = table
        self.take_over = take_over
        self.begin_delivery = begin_delivery
        super().__init__(app, app.tables, beacon=app.tables.beacon, loop=app.tables.loop)

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        """Take the partitions over, and have events delivered if that went well."""
        # Read together and before anything is awaited: later both may be those of another assignment.
        if generation_id != self._generation_id or not self._current:
            return
        numbers = {tp.partition for tp in self.active_tps}
        try:
            taken = await self.take_over(generation_id, numbers)
        except IllegalStateError:
            raise
        except Exception as error:
            # Faust would go on delivering events to a worker that cannot take them.
            await self.app.crash(_as_ours(error))
            raise
        if taken:
            await super().on_recovery_completed(generation_id)
            self.begin_delivery(generation_id)

    def _set_recovery_started(self) -> None:
        self.signal_recovery_end.clear()
        super()._set_recovery_started()

    async def _build_offsets(self, consumer: Any, tps: set[TP], destination: Any, title: str) -> None:
        held = {tp: -1 if destination[tp] is None else destination[tp] for tp in tps}
        await super()._build_offsets(consumer, tps, destination, title)
        for tp, offset in held.items():
            # Faust would go on at the beginning, and nobody would miss the states before it.
            check_beginning(tp, destination[tp] + 1, offset)

    @Service.task  # type: ignore[untyped-decorator]
    async def _slurp_changelogs(self) -> None:
        """Take in what is read of the changelogs, in place of Faust's own.

        That takes in what an earlier assignment has read, and then skips what it reads again: a batch that was in a
        queue, or waited in front of one, through a rebalance would leave a gap.
        """
        while not self.should_stop:
            message = (await self.tables.changelog_queue.get()).message
            if message.generation_id != self._generation_id or not self._current or message.tp not in self.active_tps:
                continue
            try:
                self.table.take_in(message)
            except StreamsError as error:
                await self.app.crash(error)
                return
            self.active_offsets[message.tp] = max(message.offset, self.active_offsets[message.tp])
            # Faust's event and message refer to each other: without their records.
            message.value = None
            if self.in_recovery and not self.need_recovery():
                self._set_recovery_ended()
                self.signal_recovery_end.set()

    @property
    def _current(self) -> bool:
        """Whether this recovery is that of the assignment of now."""
        return bool(self._generation_id == self.app.consumer_generation_id)

    async def _wait(self, coro: Any, timeout: Any = None) -> None:
        """Wait for a step; one that takes too long ends the worker, where Faust would end the recovery in silence."""
        try:
            await super()._wait(coro, timeout=timeout)
        except ServiceStopped:
            if not (self.should_stop or self.crashed):
                await self.app.crash(
                    BrokerError(
                        f"expected the broker to answer within {timeout:g} s while the state was recovered, found no "
                        "answer: check that it runs, then start the worker again"
                    )
                )
            raise
        except IllegalStateError:
            # The consumer has the next assignment already: this recovery is overtaken, and Faust begins anew.
            raise
        except (KafkaError, FeaturesError, StreamsError, OSError) as error:
            await self.app.crash(_as_ours(error))
            raise


def _as_ours(error: Exception) -> StreamsError | KafkaError:
    # Errors of a client of the broker are explained by the flow, once they end the worker.
    if isinstance(error, StreamsError | KafkaError):
        return error
    ours = StreamsError(f"taking over the partitions failed ({type(error).__name__}: {error}): start the worker again")
    ours.__cause__ = error
    return ours
