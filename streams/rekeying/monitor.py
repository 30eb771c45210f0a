"""Watching a process that re-keys: lag, progress, the number of partitions, and what it says of itself."""

from __future__ import annotations

import asyncio
import gc
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from faust.types import TP

from streams.broker.topics.counts import partition_counts
from streams.broker.topics.log_ends import Bounds
from streams.contract import INPUTS, topic_name
from streams.exceptions import BrokerError, BrokerRefusalError, MissingLogError, StateMismatchError, StreamsError
from streams.log import log
from streams.rekeying.flow import Flow
from streams.telemetry.rekey_metrics import LEFT_OUT, REFUSED, TAKEN
from streams.worker.lag import Behind, LagGauges, behind, deliveries
from streams.worker.lifecycle.awaited import awaited
from streams.worker.lifecycle.standstill import Standstills
from streams.worker.log_watch import LogWatch

INTERVAL_S: Final = 2.0

COUNT_EVERY: Final = 5
"""Looks between two at the number of partitions of the inputs."""

COLLECT_EVERY: Final = 150
"""Looks between two for all garbage; the old generation is not collected by itself (`streams.worker.interpreter`)."""

LOOP_SILENCE_S: Final = 30.0
"""An event loop that has not run this task for so long is stuck."""

REGISTRY_S: Final = 2.0
"""For how long values wait for the schema registry before it is named, s. Its patience is a setting of its own."""

STOPPING: Final = "stopping"

_GROUP: Final = "group"

_STEPS: Final = {
    "topics": "starting: waiting for the broker to tell its topics, and to make those that are missing",
    STOPPING: "stopping: waiting for what is sent",
}


class StalledError(StreamsError):
    """Something that a restart may mend made no progress, and no dependency is known to fail."""


class Monitor:
    """Keeps the gauges of a flow, and judges its health.

    Args:
        flow: not necessarily started yet.
        clock: seconds, monotonic.
    """

    def __init__(self, flow: Flow, clock: Callable[[], float] = time.monotonic) -> None:
        self._flow = flow
        self._clock = clock
        self._beat = clock()
        self._step = ""
        self._missing: tuple[str, ...] = ("starting",)
        self._still = Standstills(clock)
        self._logs = LogWatch(flow, LagGauges(flow.metrics), clock)
        self._topics = {source.topic: source.topic for source in flow.settings.rekey_topics}
        self._behind = 0
        self._before: Counter[str] = Counter()

    def begin(self, step: str) -> None:
        """Take note of the step of a start, or of an end, that begins."""
        self._step = step
        self._missing = self._look_what_is_missing()
        log.info("starting" if step != STOPPING else "stopping, waiting for what is sent", what=step)

    async def run(self) -> None:
        """Watch until cancelled."""
        looks = 0
        try:
            while True:
                self._beat = self._clock()
                if self._flow.started:
                    await self.look()
                    if looks % COUNT_EVERY == 0:
                        await self._count_partitions()
                self._missing = self._look_what_is_missing()
                self._flow.metrics.ready.set(0 if self.ready() else 1)
                looks += 1
                if looks % COLLECT_EVERY == 0:
                    gc.collect()
                await asyncio.sleep(INTERVAL_S)
        finally:
            await self._logs.forget_broker()

    async def tell(self, interval_s: float) -> None:
        """Write a line `status` at every interval, in seconds, until cancelled; none with an interval of 0."""
        if interval_s:
            await asyncio.sleep(min(INTERVAL_S * COUNT_EVERY, interval_s))
            while True:
                self.write_status()
                await asyncio.sleep(interval_s)

    def write_status(self) -> None:
        """Write a line; its counts are those since the last one."""
        now = self._counts()
        since, self._before = now - self._before, now
        consumer: Any = self._flow.app.consumer if self._flow.started else None
        log.info(
            "status",
            taken=since[TAKEN],
            left_out=since[LEFT_OUT],
            refused=since[REFUSED],
            events=since["events"],
            partitions=0 if consumer is None else len(consumer.assignment()),
            lag=self._behind,
            waiting_for=list(self._missing),
        )

    def live(self) -> str | None:
        """Return why the process should be restarted, or None."""
        if self._flow.failed_with is not None:
            return str(self._flow.failed_with)
        silence = self._clock() - self._beat
        return f"the event loop has not run for {silence:.0f} s" if silence > LOOP_SILENCE_S else None

    def ready(self) -> str | None:
        """Return why the process cannot do its work now, a reason a line, or None. Any thread may ask."""
        return self.live() or "\n".join(self._missing) or None

    async def look(self) -> None:
        """Look at everything once."""
        consumer: Any = self._flow.app.consumer
        assigned = [tp for tp in consumer.assignment() if tp.topic in self._topics]
        # Before the broker is asked: a log never ends before what was settled of it earlier.
        settled = {tp: position for tp in assigned if (position := consumer.standing(tp)) is not None}
        bounds = await self._bounds(assigned)
        self._check_ends(settled, bounds)
        found = {tp: behind(bounds[tp], position) for tp, position in settled.items() if tp in bounds}
        self._behind = sum(one.messages for one in found.values())
        await self._logs.show(self._topics, found, deliveries(consumer))
        self._judge(found, consumer)

    def _look_what_is_missing(self) -> tuple[str, ...]:
        flow = self._flow
        missing = ["the broker does not answer"] if flow.broker_silent else []
        if not flow.started:
            missing.append(_STEPS.get(self._step, "starting: waiting for the group to assign partitions"))
        elif not flow.app.consumer.delivering:
            missing.append(f"joining the group again: waiting for {awaited(flow.app).what}")
        elif self._waits_for_registry:
            missing.append("waiting for the schema registry")
        elif held := flow.rekeyer.held_back:
            missing.append(f"judging the first records of {', '.join(held)}")
        return tuple(missing)

    @property
    def _waits_for_registry(self) -> bool:
        return self._flow.started and self._flow.values.waited_s > REGISTRY_S

    def _counts(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for counter, label in ((self._flow.metrics.records, "outcome"), (self._flow.metrics.events, "")):
            for family in counter.collect():
                for sample in family.samples:
                    if sample.name.endswith("_total"):
                        counts[sample.labels.get(label, "events")] += int(sample.value)
        return counts

    def _check_ends(self, settled: Mapping[TP, int], bounds: Mapping[TP, Bounds]) -> None:
        for tp, offset in settled.items():
            if tp in bounds and offset > bounds[tp].end:
                self._flow.fail(
                    StateMismatchError(
                        f"{tp.topic}-{tp.partition} ends at offset {bounds[tp].end}, but {offset} was reached: the "
                        "topic was made anew while it was read; set WHEREWITHAL_REKEY_GROUP_ID to a new name to start "
                        "over"
                    )
                )

    async def _count_partitions(self) -> None:
        """End the process if the inputs have other partitions than users were placed by."""
        names = [topic_name(self._flow.settings, topic) for topic in INPUTS]
        try:
            counts = await partition_counts(self._flow.settings, names)
        except BrokerError:
            return
        changed = {name: count for name, count in counts.items() if count != self._flow.settings.partitions}
        for name, count in changed.items():
            self._flow.fail(
                StateMismatchError(
                    f"expected the topic {name!r} to have {self._flow.settings.partitions} partitions, found {count}: "
                    "users would be looked for where their events are not; stop, and start again once the workers run "
                    "with the new number (docs/operating.md, More partitions)"
                )
            )

    def _judge(self, found: Mapping[TP, Behind], consumer: Any) -> None:
        """End the process if something has stood still for too long, so that its supervisor restarts it."""
        flow = self._flow
        if flow.broker_silent or flow.throttle.active:
            self._still.keep(())
            return
        self._judge_one(_GROUP, None, not flow.rekeyer.assignment.lease.expired, "the group has answered no heartbeat")
        judged = found if consumer.delivering and not self._waits_for_registry else {}
        names = {tp: f"{tp.topic}-{tp.partition}" for tp in judged}
        for tp, name in names.items():
            messages, position = judged[tp]
            self._judge_one(name, position, messages == 0, f"{name} has {messages} records")
        # Those that wait, or are another process's now, begin anew when they are back.
        self._still.keep({_GROUP, *names.values()})

    def _judge_one(self, name: str, position: object, well: bool, what: str) -> None:
        still_s = self._still.seconds(name, position, well=well)
        if still_s > self._flow.settings.stall_s and self._flow.failed_with is None:
            reason = f"{what} and made no progress for {still_s:.0f} s"
            log.error("stalled, ending so that the supervisor restarts this process", reason=reason)
            self._flow.fail(StalledError(reason))

    async def _bounds(self, assigned: list[TP]) -> dict[TP, Bounds]:
        """Return where these logs begin and end; nothing while the broker does not answer, or refuses."""
        try:
            return await self._logs.bounds(assigned)
        except (BrokerRefusalError, MissingLogError) as error:
            self._flow.fail(error)
            return {}
