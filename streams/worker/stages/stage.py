"""A stage of a worker: one entity's group, consumer, states, engine and online rows. A worker runs one or two."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from prometheus_client import Counter

from streams.broker.letters import Letters
from streams.broker.throttling import Throttle
from streams.broker.topics.provisioning import Cluster
from streams.inference.loading import Inference
from streams.inference.title_reader import TitleReader
from streams.settings import Settings, WindowEdge
from streams.telemetry.metrics import Metrics
from streams.telemetry.served_log import ServedLog
from streams.telemetry.tally import Tally
from streams.worker.app import App
from streams.worker.applying.held_partitions import HeldPartitions
from streams.worker.engine import Engine
from streams.worker.lifecycle.closing import Closing
from streams.worker.lifecycle.explaining import explain_start
from streams.worker.lifecycle.starting import start_equipped
from streams.worker.lifecycle.state_lock import lock_state
from streams.worker.publishing.online_writer import OnlineWriter
from streams.worker.stage_spec import StageSpec
from streams.worker.stages.building import build
from streams.worker.stages.stores import open_store
from streams.worker.stages.topic_watch import TopicWatch
from streams.worker.state.binding import bind


@dataclass(kw_only=True)
class Shared:
    """What the stages of a worker share.

    Attributes:
        metrics, tally: what is counted.
        throttle: waits out the broker's quotas.
        clock: the wall clock, ms: what features are as of while `window_edge` is `clock`.
        on_failure: told of the error that makes going on unsound.
        as_of: as-of instant of the features (ms) while `window_edge` is `event`; None for nothing.
    """

    metrics: Metrics
    tally: Tally
    throttle: Throttle
    clock: Callable[[], int]
    on_failure: Callable[[BaseException], None]
    as_of: int | None = None


class Stage(ABC):
    """One entity in a worker. Its parts are made and started in the order of its methods.

    Args:
        settings: of the stage: with its own group and folder of local state.
        spec: of the stage.
        shared: with the other stage.

    Attributes:
        app: of Faust, with the consumer.
        engine: takes its partitions over.
        online: writes its rows.
        topics: watches its topics.
        joined: whether its group was joined and its state recovered, once.
    """

    app: App
    engine: Engine[Any]
    online: OnlineWriter
    topics: TopicWatch

    def __init__(self, settings: Settings, spec: StageSpec, shared: Shared) -> None:
        self.settings = settings
        self.spec = spec
        self.shared = shared
        self.joined = False
        self._crash: asyncio.Task[None] | None = None

    def lock(self, closing: Closing) -> None:
        """Take the folder of local state for this process."""
        closing.add(f"lock of {self.spec.name}", partial(asyncio.to_thread, lock_state(self.settings)))

    def bind(self, broker: str, cluster: Cluster) -> None:
        """Bind the local state to the cluster; the settings take in what is known of it."""
        self.settings = self.settings.model_copy(update={"broker": broker, "partitions": cluster.partitions})
        bind(self.settings, cluster)

    async def open_store(self, closing: Closing) -> None:
        """Open the online store, and begin to write rows to it."""
        self.online = OnlineWriter(
            await asyncio.to_thread(open_store, self.settings, self.spec),
            self.shared.metrics,
            freshness_s=self.settings.freshness_ms / 1000,
            batch_rows=self.settings.online_batch_rows,
            on_served=await self.served(closing),
        )
        self.online.start(self.shared.on_failure)
        closing.add(f"online store of {self.spec.name}", self.online.stop)

    def build(self) -> None:
        """Build the app and the engine, which is still to be equipped."""
        held = HeldPartitions[Any]()
        self.watch(held)
        shared = self.shared
        self.app, self.engine = build(
            self.settings,
            self.spec,
            held=held,
            on_released=self.released,
            online=self.online,
            republished=self.republished,
            metrics=shared.metrics,
            throttle=shared.throttle,
            clock=shared.clock,
            on_failure=shared.on_failure,
        )
        names = self.spec.topics(self.settings)
        self.topics = TopicWatch(self.settings, self.spec, names, held.progress, shared.on_failure)

    async def join(self, equipping: asyncio.Task[None], patience_s: float) -> None:
        """Join the group and recover the states, beside what the engine is still equipped with.

        Raises:
            StreamsError: it failed, or nothing moved for `patience_s`.
        """
        explained = partial(explain_start, settings=self.settings)
        await start_equipped(self.app, patience_s, explained, equipping)
        self.joined = True
        self._crash = asyncio.create_task(self._watch_app(), name=f"watch-{self.spec.name}")

    async def settle(self, interrupted: bool) -> None:
        """Take in nothing more, and commit what is applied; nothing of a flow that is cancelled."""
        self.app.consumer.stop_flow()
        if self._crash is not None:
            self._crash.cancel()
        if interrupted:
            self.engine.assignment.lease.end()
        await self.engine.close()
        if not (interrupted or self.app.crashed):
            await self.app.consumer.commit()

    @property
    @abstractmethod
    def republished(self) -> Counter:
        """Counts what is published again on request, or because the online store lacked it."""

    @abstractmethod
    def equip(self, inference: Inference, titles: TitleReader, letters: Letters) -> None:
        """Equip the engine with models and outlets: from now on it takes partitions over.

        Args:
            inference: the models.
            titles: reads titles of items; shared, as what it remembers is.
            letters: where records go that are refused.
        """

    @abstractmethod
    def watch(self, held: HeldPartitions[Any]) -> None:
        """Take note of the partitions that will be held."""

    @abstractmethod
    def released(self) -> None:
        """Take note that partitions are let go."""

    async def served(self, closing: Closing) -> Callable[[Sequence[Any]], None] | None:
        """Return the log of what was served, where one is kept."""
        settings = self.settings
        if settings.served_log is None:
            return None
        shared, serving = self.shared, self.spec.serving
        kept = await asyncio.to_thread(
            ServedLog, settings.served_log, settings.served_log_share, shared.metrics, serving
        )
        closing.add(f"log of {self.spec.name} served", partial(asyncio.to_thread, kept.stop))
        return kept.take

    @abstractmethod
    def start_production(self) -> None:
        """Begin what goes on beside the events."""

    @abstractmethod
    async def stop_production(self) -> None:
        """End it; called once nothing more is published."""

    async def _watch_app(self) -> None:
        await self.app._crashed.wait()
        self.shared.on_failure(self.app.crash_reason or RuntimeError("the Faust app crashed"))

    def as_of(self) -> int | None:
        """Return what features are as of, ms; None for nothing."""
        if self.settings.window_edge is WindowEdge.CLOCK:
            return self.shared.clock()
        return self.shared.as_of

    def failing(self) -> list[str]:
        """Return which dependencies of its own are known to fail."""
        online = getattr(self, "online", None)
        return [] if online is None or online.failing_since is None else ["the online store refuses rows"]
