"""A whole worker in this process: broker (if embedded), topics, models, stores, engine and Faust app."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final

from aiokafka.errors import KafkaError

from features.exceptions import OnlineStoreError, OnlineStoreURLError
from features.online.opening import open_online_store
from features.online.store import OnlineStore
from models.encoder import Encoder
from streams.app import App, create_app
from streams.binding import bind
from streams.broker import EmbeddedBroker
from streams.broker_errors import explained
from streams.engine import Engine
from streams.exceptions import BrokerError, ConfigurationError, StreamsError
from streams.inference import Inference, load_inference
from streams.interpreter import tune_interpreter
from streams.kafka import DEAD_LETTERS, connection, reaching, topic_name
from streams.lease import Lease
from streams.letters import Letters
from streams.log import log
from streams.metrics import Metrics
from streams.online import OnlineWriter
from streams.production import Production
from streams.provisioning import check_topics, make_topics
from streams.publisher import Publisher
from streams.rights import worker_rights
from streams.served_log import ServedLog
from streams.settings import Settings, WindowEdge
from streams.tally import Tally
from streams.tasks import Tasks
from streams.throttling import Throttle
from streams.topic_watch import TopicWatch

START_S: Final = 300.0
"""How long joining the group and recovering the state may take."""

STOP_S: Final = 9.0
"""How long leaving may take; a broker that answers nothing must not keep a worker from ending."""


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
        broker_silent: whether the broker answers nothing; kept by whoever watches the flow.
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
        self._closing = contextlib.AsyncExitStack()
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
        except BaseException:
            await self._closing.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._closing.aclose()
        if self.failed.done() and not self.failed.cancelled():
            self.failed.exception()

    async def wait(self) -> None:
        """Run until the worker fails.

        Raises:
            StreamsError: what ended it.
        """
        await asyncio.shield(self.failed)

    async def _start(self) -> None:
        closing = self._closing
        tune_interpreter()
        if self.settings.embedded:
            self._progress("broker")
            broker = EmbeddedBroker()
            closing.callback(broker.stop)
            broker.start()
            self.settings = self.settings.model_copy(update={"broker": broker.url})
        self._progress("topics")
        cluster = await make_topics(self.settings)
        await check_topics(self.settings)
        self.settings = self.settings.model_copy(update={"partitions": cluster.partitions})
        bind(self.settings, cluster)
        self._progress("models")
        self.inference = await asyncio.to_thread(load_inference, self.settings, self.metrics, self._encoder)
        await self.inference.batcher.start()
        closing.push_async_callback(self.inference.batcher.stop)
        self._progress("stores")
        served = None
        if self.settings.served_log is not None:
            served = await asyncio.to_thread(
                ServedLog, self.settings.served_log, self.settings.served_log_share, self.metrics
            )
            closing.push_async_callback(asyncio.to_thread, served.stop)
        online = OnlineWriter(
            await asyncio.to_thread(self._open_store),
            self.metrics,
            freshness_s=self.settings.freshness_ms / 1000,
            batch_rows=self.settings.online_batch_rows,
            on_served=None if served is None else served.take,
        )
        self._online = online
        online.start(self.fail)
        closing.push_async_callback(online.stop)
        # Of no assignment: a letter that is written twice is known by its place.
        letters = Publisher(self.settings, throttle=self.throttle)
        async with reaching(self.settings):
            await letters.start()
        closing.push_async_callback(letters.abandon)
        self.engine = Engine(
            self.settings,
            self.inference,
            Letters(letters, topic_name(self.settings, DEAD_LETTERS), self.metrics),
            online,
            self.tally,
            self.metrics,
            self.throttle,
            self._as_of,
            self._clock,
            self.fail,
        )
        self.production = Production(self.settings, self.inference, self.engine, self.metrics, self._clock, self.fail)
        # Stopped after the app, whose last micro-batches it still takes in.
        closing.push_async_callback(self.production.stop)
        await self._start_app()

    async def _start_app(self) -> None:
        self._progress("consumer")
        self.app = create_app(self.settings, self.engine, self.throttle)
        self.app.on_startup_finished = None
        self._closing.push_async_callback(self._stop_app)
        starting = asyncio.create_task(self.app.start())
        crashed = asyncio.create_task(self.app._crashed.wait())
        try:
            await asyncio.wait({starting, crashed}, timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            crashed.cancel()
        if not starting.done() or self.app.crashed:
            starting.cancel()
            raise await self._start_error(self.app.crash_reason)
        await starting
        self._watching = asyncio.create_task(self._watch())
        self._closing.callback(self._watching.cancel)
        topics = TopicWatch(self.settings, self.engine.progress, self.fail)
        topics.start()
        self._closing.callback(topics.stop)
        self.production.start()
        self.started = True
        self.metrics.ready.set(1)

    async def _stop_app(self) -> None:
        self.started = False
        self.metrics.ready.set(0)
        self.app.consumer.stop_flow()
        try:
            async with asyncio.timeout(STOP_S):
                await self.engine.release()
                if not self.app.crashed:
                    await self.app.consumer.commit()
                await self.app.stop()
        except TimeoutError:
            log.warning("the consumer did not stop in time, leaving without it", seconds=STOP_S)

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

    def failing_dependency(self) -> str | None:
        """Return which dependency is known to fail, or None: a stall that one explains is waited out."""
        if self._online is not None and self._online.failing_since is not None:
            return "the online store refuses rows"
        if self.engine.encoder_down:
            return "the encoder is down"
        if self.broker_silent:
            return "the broker does not answer"
        return None

    def _open_store(self) -> OnlineStore:
        try:
            store = open_online_store(self.settings.online_url)
            store.ping()
        except OnlineStoreURLError as error:
            raise ConfigurationError(f"WHEREWITHAL_ONLINE_STORE: {error}") from error
        except OnlineStoreError as error:
            raise StreamsError(f"WHEREWITHAL_ONLINE_STORE: {error}") from error
        return store

    def _as_of(self) -> int | None:
        if self.settings.window_edge is WindowEdge.CLOCK:
            return self._clock()
        return self.as_of

    def fail(self, error: BaseException) -> None:
        """End the worker: what `wait` raises is the first error given."""
        if isinstance(error, KafkaError):
            # Its client tells little; what it means may have to be asked of the broker.
            self._explaining.begin(self._fail_explained(error))
        elif self.failed_with is None:
            failure = error if isinstance(error, StreamsError) else StreamsError(f"{type(error).__name__}: {error}")
            if failure is not error:
                failure.__cause__ = error
            self.failed_with = failure
            self.failed.set_exception(failure)

    async def _fail_explained(self, error: KafkaError) -> None:
        self.fail(await self._explained(error))

    async def _explained(self, error: KafkaError) -> BrokerError:
        explanation = await explained(error, connection(self.settings), worker_rights(self.settings))
        explanation.__cause__ = error
        return explanation

    async def _start_error(self, reason: BaseException | None) -> StreamsError:
        if isinstance(reason, StreamsError):
            return reason
        if isinstance(reason, KafkaError):
            return await self._explained(reason)
        return BrokerError(f"the worker could not join its group: {reason or 'no partitions were assigned in time'}")
