"""Watching a worker: lag, table size, and whether it makes the progress that a live worker makes."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from faust.types import TP

from streams.broker.topics.log_ends import Bounds
from streams.contract import topic_name
from streams.exceptions import BrokerRefusalError, MissingLogError, StateMismatchError, StreamsError
from streams.log import log
from streams.worker.flow import Flow
from streams.worker.lag import Behind, LagGauges, behind, check_ends, deliveries, show_only
from streams.worker.lifecycle.awaited import awaited
from streams.worker.lifecycle.standstill import Standstills
from streams.worker.log_watch import LogWatch
from streams.worker.readiness import Readiness
from streams.worker.stages.stage import Stage

INTERVAL_S: Final = 2.0

COLLECT_S: Final = 300.0
"""How often all garbage is looked for: it takes a fraction of a second for every million live objects."""

LOOP_SILENCE_S: Final = 30.0
"""An event loop that has not run this task for so long is stuck."""

_HEARTBEATS: Final = "heartbeats"
_RECOVERY: Final = "recovery"
_ENCODER: Final = "encoder"


class StalledError(StreamsError):
    """Something that a restart may mend made no progress, and no dependency is known to fail."""


class Monitor:
    """Keeps the gauges of a flow, and judges its health.

    Args:
        flow: not necessarily started yet.
        stall_s: how long what has work to do may make no progress before something is wrong.
        clock: seconds, monotonic, by which that is judged.
        readiness: told what the worker waits for; it knows the steps of its start.
    """

    def __init__(
        self,
        flow: Flow,
        stall_s: float,
        clock: Callable[[], float] = time.monotonic,
        readiness: Readiness | None = None,
    ) -> None:
        self._flow = flow
        self._readiness = Readiness() if readiness is None else readiness
        self._stall_s = stall_s
        self._beat = time.monotonic()
        self._clock = clock
        self._still = Standstills(clock)
        self._stalled: str | None = None
        self._logs = LogWatch(flow, LagGauges(flow.metrics), clock)
        self._topics = {
            topic_name(stage.settings, topic): topic for stage in flow.stages for topic in stage.spec.inputs
        }
        self._judged: set[str] = set()

    async def run(self) -> None:
        """Watch until cancelled; a stall that nothing explains ends the flow, so that its supervisor restarts it."""
        try:
            await self._run()
        finally:
            await self._logs.forget_broker()

    async def _run(self) -> None:
        collected = time.monotonic()
        while True:
            self._beat = time.monotonic()
            self._readiness.look(self._flow)
            if self._flow.started:
                await self.look()
            elif self._readiness.joining:
                await self._ask_while_joining()
            self._flow.metrics.ready.set(0 if self.ready() else 1)
            if time.monotonic() - collected > COLLECT_S:
                # The old generation is not collected by itself (`streams.worker.interpreter`), and there cycles of the
                # libraries end.
                gc.collect()
                collected = time.monotonic()
            await asyncio.sleep(INTERVAL_S)

    def live(self) -> str | None:
        """Return why the process should be restarted, or None."""
        if self._flow.failed_with is not None:
            return str(self._flow.failed_with)
        silence = time.monotonic() - self._beat
        if silence > LOOP_SILENCE_S:
            return f"the event loop has not run for {silence:.0f} s"
        return self._stalled

    def ready(self) -> str | None:
        """Return why the process cannot do its work now, a reason a line, or None."""
        return self.live() or "\n".join(self._readiness.missing(self._flow)) or None

    async def look(self) -> None:
        """Look at everything once."""
        stages = self._flow.stages
        # Before the broker is asked: a log never ends before what was settled of it earlier.
        settled = {stage.spec.name: _settled(stage) for stage in stages}
        every = {tp: position for of_stage in settled.values() for tp, position in of_stage.items()}
        bounds = await self._bounds([tp for stage in stages for tp in _assigned(stage)])
        try:
            check_ends(every, bounds)
        except StateMismatchError as error:
            self._flow.fail(error)
            return
        await self._show({tp: behind(bounds[tp], position) for tp, position in every.items() if tp in bounds})
        self._judged = {_ENCODER}
        for stage in stages:
            of_stage = settled[stage.spec.name]
            found = {tp: behind(bounds[tp], position) for tp, position in of_stage.items() if tp in bounds}
            self._judge_partitions(stage, found)
            self._judge_recovery(stage)
            self._judge_group(stage)
        self._still.keep(self._judged)
        self._judge_encoder()

    async def _show(self, found: Mapping[TP, Behind]) -> None:
        stages = self._flow.stages
        await self._logs.show(self._topics, found, deliveries(*(stage.app.consumer for stage in stages)))
        sizes = {
            (stage.spec.name, str(number)): float(one.states.size(number))
            for stage in stages
            for number, one in stage.engine.partitions.items()
        }
        show_only(self._flow.metrics.table_bytes, sizes.items())

    def _judge_partitions(self, stage: Stage, found: Mapping[TP, Behind]) -> None:
        consumer: Any = stage.app.consumer
        for tp, (messages, position) in found.items():
            if not consumer.delivering or self._waits or self._flow.excuse(self._topics[tp.topic]) is not None:
                continue
            name = f"{tp.topic}-{tp.partition}"
            self._judged.add(name)
            still = self._still.seconds(name, position, well=messages == 0)
            self._judge(still, f"{name} has {messages} records and made no progress for")

    def _judge_recovery(self, stage: Stage) -> None:
        consumer: Any = stage.app.consumer
        name = f"{_RECOVERY} of {stage.spec.name}"
        self._judged.add(name)
        if consumer.delivering or not _assigned(stage) or self._waits:
            self._still.forget(name)
            return
        what, position = awaited(stage.app)
        self._judge(self._still.seconds(name, position), f"expected {what}, found no progress for")

    @property
    def _waits(self) -> bool:
        """Whether nothing can get on: the broker does not answer, or has told this worker to wait."""
        return self._flow.broker_silent or self._flow.throttle.active

    def _judge_group(self, stage: Stage) -> None:
        name = f"{_HEARTBEATS} of {stage.spec.name}"
        self._judged.add(name)
        if self._waits:
            self._still.forget(name)
            return
        still = self._still.seconds(name, None, well=not stage.engine.assignment.lease.expired)
        group = f"the group of {stage.spec.name}" if len(self._flow.stages) > 1 else "the group"
        self._judge(still, f"{group} has answered no heartbeat and made no progress for")

    def _judge_encoder(self) -> None:
        """End a worker whose encoder only another process can use: it would wait for it for ever."""
        why = self._flow.inference.batcher.unusable
        still = self._still.seconds(_ENCODER, None, well=why is None)
        self._judge(still, f"{why}, and texts have waited for it for")

    def _judge(self, still_s: float, what: str) -> None:
        """End the flow if something has stood still for too long."""
        if still_s > self._stall_s and self._stalled is None:
            self._stalled = f"{what} {still_s:.0f} s"
            log.error("stalled, ending so that the supervisor restarts this worker", reason=self._stalled)
            self._flow.fail(StalledError(self._stalled))

    async def _bounds(self, assigned: list[TP]) -> dict[TP, Bounds]:
        """Return where these logs begin and end; nothing while the broker does not answer, or refuses."""
        try:
            return await self._logs.bounds(assigned)
        except (BrokerRefusalError, MissingLogError) as error:
            self._flow.fail(error)
            return {}

    async def _ask_while_joining(self) -> None:
        """Find out whether the broker answers; a start finds by itself what it does not give."""
        topic = next(iter(self._topics))
        with contextlib.suppress(BrokerRefusalError, MissingLogError):
            await self._logs.bounds([TP(topic, 0)])


def _assigned(stage: Stage) -> list[TP]:
    """Return the partitions of the inputs that a stage is given now."""
    consumer: Any = stage.app.consumer
    names = {topic_name(stage.settings, topic) for topic in stage.spec.inputs}
    return [tp for tp in consumer.assignment() if tp.topic in names]


def _settled(stage: Stage) -> dict[TP, int]:
    """Return before which offset nothing is left to do, of those of its partitions of which that is known."""
    consumer: Any = stage.app.consumer
    return {tp: position for tp in _assigned(stage) if (position := consumer.standing(tp)) is not None}
