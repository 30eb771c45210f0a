"""A whole worker in this process: broker (if embedded), topics, models, stores, engine and Faust app."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Final

from aiokafka.errors import KafkaError

from models.encoder.bert import Encoder
from streams.broker.connection import reaching
from streams.broker.embedded import EmbeddedBroker
from streams.broker.lease import Lease
from streams.broker.letters import Letters
from streams.broker.publisher import Publisher
from streams.broker.throttling import Throttle
from streams.broker.topics.provisioning import check_topics, make_topics
from streams.contract import DEAD_LETTERS, TEXTS, topic_name
from streams.exceptions import StreamsError
from streams.inference.active_capacity import PURPOSE
from streams.inference.loading import Inference
from streams.log import log
from streams.settings import Settings, WindowEdge
from streams.tasks import Tasks
from streams.telemetry.metrics import Metrics
from streams.telemetry.served_log import ServedLog
from streams.telemetry.tally import Tally
from streams.worker.app import App, at_joining
from streams.worker.building import Built, build
from streams.worker.consuming.static_member import check_place
from streams.worker.engine import Engine
from streams.worker.interpreter import tune_interpreter
from streams.worker.lifecycle.closing import Closing
from streams.worker.lifecycle.explaining import as_ours, explain, explain_start
from streams.worker.lifecycle.starting import start_equipped
from streams.worker.lifecycle.state_lock import lock_state
from streams.worker.models import Models
from streams.worker.production.model_watch import Production
from streams.worker.publishing.online_writer import OnlineWriter
from streams.worker.republishing.owed import Owed
from streams.worker.state.binding import bind
from streams.worker.stores import open_store
from streams.worker.topic_watch import TopicWatch

START_S: Final = 300.0
"""How long joining the group and recovering the state may stand still."""

STOP_S: Final = 12.0
"""How long leaving may take: neither a broker nor a store that answers nothing must keep a worker from ending."""

INTERRUPTED_S: Final = 1.0
"""How long leaving may take where the flow is cancelled: nothing is settled then."""

EXPLAIN_S: Final = 3.0
"""What is left for explaining an error, of a worker that is to stop."""

SETTLE_S: Final = 7.0
"""The part of `STOP_S` that settling and committing may take."""

_ENCODER_DOWN: Final = "the encoder is down"


class Flow:
    """Runs a worker, as an asynchronous context manager.

    Args:
        settings: with `broker` as `embedded`, a broker of its own is started and stopped with it.
        encoder: in place of the one that the settings name.
        keep_latencies: whether the summary has exact percentiles.
        progress: told in a word what is being started.
        clock: the wall clock, ms: what features are as of while `window_edge` is `clock`.

    Attributes:
        settings: with the address of the broker filled in.
        as_of: as-of instant of the features (ms) while `window_edge` is `event`; None for nothing.
        failed: done with the error that ended the worker, if one does.
        failed_with: that error.
        started: whether the group is joined and the state recovered.
        broker_silent: whether the broker answers nothing; kept by the monitor.
        throttle: the client quotas of the broker.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        encoder: Encoder | None = None,
        keep_latencies: bool = False,
        progress: Callable[[str], None] = lambda _: None,
        clock: Callable[[], int] = lambda: int(time.time() * 1000),
    ) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.tally = Tally(self.metrics, keep_latencies)
        self.as_of: int | None = None
        self.app: App
        self.engine: Engine
        self.inference: Inference
        self.production: Production
        self._encoder = encoder
        self._progress = progress
        self._clock = clock
        self._closing = Closing()
        self._interrupted = False
        self._watching: asyncio.Task[None] | None = None
        self._online: OnlineWriter | None = None
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.failed_with: StreamsError | None = None
        self.started = False
        self.broker_silent = False
        self._explaining = Tasks("broker error", self.fail)
        self.throttle = Throttle(self.metrics)

    async def __aenter__(self) -> Flow:
        try:
            await self._start()
        except BaseException as error:
            await self._close(error)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close(error)
        if self.failed.done() and not self.failed.cancelled():
            self.failed.exception()

    async def _close(self, error: BaseException | None) -> None:
        self._interrupted = isinstance(error, asyncio.CancelledError)
        failures = await self._closing.close(INTERRUPTED_S if self._interrupted else STOP_S)
        if failures and error is None:
            raise failures[0]

    async def wait(self) -> None:
        """Run until the worker fails.

        Raises:
            StreamsError: what ended it.
        """
        await asyncio.shield(self.failed)

    async def _start(self) -> None:
        closing = self._closing
        tune_interpreter()
        closing.add("lock", partial(asyncio.to_thread, lock_state(self.settings)))
        alone = self.settings.embedded
        if alone:
            self._progress("broker")
            broker = EmbeddedBroker()
            closing.add("broker", partial(asyncio.to_thread, broker.stop))
            broker.start()
            self.settings = self.settings.model_copy(update={"broker": broker.url})
        self._progress("topics")
        cluster = await make_topics(self.settings)
        check_place(self.settings, cluster.identity)
        await check_topics(self.settings)
        self.settings = self.settings.model_copy(update={"partitions": cluster.partitions})
        bind(self.settings, cluster)
        models = Models(self.settings, self.metrics, self._encoder, at_once=not alone)
        closing.add("encoder", models.stop)
        self._progress("stores")
        self._owed = Owed(self.settings.state_dir)
        served = None
        if self.settings.served_log is not None:
            served = await asyncio.to_thread(
                ServedLog, self.settings.served_log, self.settings.served_log_share, self.metrics
            )
            closing.add("log of what was served", partial(asyncio.to_thread, served.stop))
        online = OnlineWriter(
            await asyncio.to_thread(open_store, self.settings, self._owed),
            self.metrics,
            freshness_s=self.settings.freshness_ms / 1000,
            batch_rows=self.settings.online_batch_rows,
            on_served=None if served is None else served.take,
        )
        self._online = online
        online.start(self.fail)
        closing.add("online store", online.stop)
        # Without a lease: a letter that is written twice is recognised by the place of its record.
        letters = Publisher(self.settings, throttle=self.throttle)
        async with reaching(self.settings):
            await letters.start()
        closing.add("dead letters", letters.abandon)
        built = build(
            self.settings, metrics=self.metrics, throttle=self.throttle, clock=self._clock, on_failure=self.fail
        )
        self.app, self.engine = built.app, built.engine
        self._topics = TopicWatch(self.settings, self.engine.held.progress, self.fail)
        # Stopped after the app, whose last micro-batches it still takes in.
        closing.add("models in production", self._stop_production)
        equipping = asyncio.create_task(models.given_to(partial(self._equip, built, letters, online)), name="equip")
        if alone:
            # Not before: the imports hold the interpreter, and the group would be asked that much later.
            at_joining(self.app, models.begin)
        else:
            self._progress("models")
            # Joining first, a worker whose models cannot be loaded would disturb its group at every start.
            await equipping
        await self._start_app(equipping)

    def _equip(self, built: Built, letters: Publisher, online: OnlineWriter, inference: Inference) -> None:
        self.inference = inference
        self.production = Production(
            self.settings, inference, self.engine, built.watch, self.tally, self._owed, self.metrics, self.fail
        )
        if inference.estimating is not None:
            log.warning(PURPOSE, scorer=inference.estimating.version, fitted=inference.estimating.fitted)
        refused = Letters(letters, topic_name(self.settings, DEAD_LETTERS), self.metrics)
        built.equip(inference, letters=refused, online=online, tally=self.tally, as_of=self._as_of)

    async def _start_app(self, equipping: asyncio.Task[None]) -> None:
        self._progress("consumer")
        self._closing.add("consumer", self.app.stop)
        self._closing.add("last commit", self._settle, SETTLE_S)
        await start_equipped(self.app, START_S, partial(explain_start, settings=self.settings), equipping)
        self._watching = asyncio.create_task(self._watch())
        self._topics.start()
        self._closing.add("watch on topics", self._topics.stop)
        # The error that ends a worker is told, even if it is told to stop meanwhile.
        explained = partial(self._explaining.ended_or, self.failed)
        self._closing.add("explanation of an error", explained, EXPLAIN_S)
        self.production.start()
        self.production.republisher.refill()
        self.started = True
        self.metrics.ready.set(1)

    async def _stop_production(self) -> None:
        if self.engine.equipped:
            await self.production.stop()

    async def _settle(self) -> None:
        """Take in nothing more, and commit what is applied; nothing of a flow that is cancelled."""
        self.started = False
        self.metrics.ready.set(0)
        self.app.consumer.stop_flow()
        if self._watching is not None:
            self._watching.cancel()
        if self._interrupted:
            self.lease.end()
        await self.engine.close()
        if not (self._interrupted or self.app.crashed):
            await self.app.consumer.commit()

    async def _watch(self) -> None:
        await self.app._crashed.wait()
        self.fail(self.app.crash_reason or RuntimeError("the Faust app crashed"))

    @property
    def lease(self) -> Lease:
        """The lease on the partitions assigned now; an expired one while there are none."""
        return self.engine.assignment.lease

    def reload(self) -> None:
        """Read the artefact folders now; a worker that is not started yet reads them anyway."""
        if self.started:
            self.production.reload()

    def failing_dependencies(self) -> list[str]:
        """Return which dependencies are known to fail."""
        batcher = self.inference.batcher if self.started else None
        known = {
            "the online store refuses rows": self._online is not None and self._online.failing_since is not None,
            "the broker does not answer": self.broker_silent,
            _ENCODER_DOWN: batcher is not None and (self.engine.encoder_down or batcher.unusable is not None),
        }
        return [what for what, fails in known.items() if fails]

    def excuse(self, topic: str) -> str | None:
        """Return which dependency is known to fail that a topic of the contract has to wait for, or None."""
        return next((what for what in self.failing_dependencies() if topic in TEXTS or what != _ENCODER_DOWN), None)

    def _as_of(self) -> int | None:
        if self.settings.window_edge is WindowEdge.CLOCK:
            return self._clock()
        return self.as_of

    def fail(self, error: BaseException) -> None:
        """End the worker: what `wait` raises is the first error given."""
        if isinstance(error, KafkaError):
            # A client's error says little; its meaning may have to be asked of the broker.
            self._explaining.begin(self._fail_explained(error))
        elif self.failed_with is None:
            self.failed_with = as_ours(error)
            self.failed.set_exception(self.failed_with)

    async def _fail_explained(self, error: KafkaError) -> None:
        # A client reports a topic that is gone, or made anew, in many ways, and few of them name it.
        self.fail(await self._topics.change() or await explain(error, self.settings))
