"""A whole worker in this process: broker (if embedded), topics, models, and the stages that it runs."""

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
from streams.broker.letters import Letters
from streams.broker.publisher import Publisher
from streams.broker.throttling import Throttle
from streams.broker.topics.provisioning import check_topics, make_topics
from streams.contract import CLICKS, DEAD_LETTERS, topic_name
from streams.exceptions import StreamsError
from streams.inference.loading import Inference
from streams.inference.text_reader import TextReader
from streams.inference.title_reader import AT_ONCE, AT_ONCE_ON_A_DEVICE, TitleReader
from streams.settings import Settings
from streams.tasks import Tasks
from streams.telemetry.metrics import Metrics
from streams.telemetry.tally import Tally
from streams.worker.app import at_joining
from streams.worker.consuming.static_member import check_place
from streams.worker.interpreter import tune_interpreter
from streams.worker.lifecycle.closing import Closing
from streams.worker.lifecycle.explaining import as_ours, explain
from streams.worker.linear_algebra import keep_products_on_one_thread
from streams.worker.models import Models
from streams.worker.stages.running import Running
from streams.worker.stages.stage import Shared

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


class Flow(Running):
    """Runs a worker, as an asynchronous context manager.

    Args:
        settings: with `broker` as `embedded`, a broker of its own is started and stopped with it.
        encoder: in place of the one that the settings name.
        keep_latencies: whether the summary has exact percentiles.
        progress: told in a word what is being started.
        clock: the wall clock, ms: what features are as of while `window_edge` is `clock`.

    Attributes:
        settings: with the address of the broker filled in.
        failed: done with the error that ended the worker, if one does.
        failed_with: that error.
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
        self.inference: Inference
        self._encoder = encoder
        self._progress = progress
        self._closing = Closing()
        self._interrupted = False
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.failed_with: StreamsError | None = None
        self.broker_silent = False
        self._explaining = Tasks("broker error", self.fail)
        self.throttle = Throttle(self.metrics)
        self.shared = Shared(
            metrics=self.metrics, tally=self.tally, throttle=self.throttle, clock=clock, on_failure=self.fail
        )
        super().__init__(settings, self.shared)

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
        keep_products_on_one_thread()
        for stage in self.stages:
            stage.lock(closing)
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
        for stage in self.stages:
            stage.bind(self.settings.broker, cluster)
        models = Models(self.settings, self.metrics, self._encoder, at_once=not alone)
        closing.add("encoder", models.stop)
        self._progress("stores")
        for stage in self.stages:
            await stage.open_store(closing)
        # Without a lease: a letter that is written twice is recognised by the place of its record.
        letters = Publisher(self.settings, throttle=self.throttle)
        async with reaching(self.settings):
            await letters.start()
        closing.add("dead letters", letters.abandon)
        for stage in self.stages:
            stage.build()
            stage.online.on_return = self._store_is_back
            # Stopped after the app, whose last micro-batches it still takes in.
            closing.add(f"production of {stage.spec.name}", stage.stop_production)
        equipping = asyncio.create_task(models.given_to(partial(self._equip, letters)), name="equip")
        if alone:
            for stage in self.stages:
                # Not before: the imports hold the interpreter, and the group would be asked that much later.
                at_joining(stage.app, models.begin)
        else:
            self._progress("models")
            # Joining first, a worker whose models cannot be loaded would disturb its group at every start.
            await equipping
        await self._join(equipping)

    def _store_is_back(self) -> None:
        # Whichever stage had rows to write meanwhile has noticed; the store may have lost those of both.
        for stage in self.stages:
            stage.engine.refiller.again()

    def _equip(self, letters: Publisher, inference: Inference) -> None:
        self.inference = inference
        refused = Letters(letters, topic_name(self.settings, DEAD_LETTERS), self.metrics)
        reader = TextReader(inference.batcher, inference.projection)
        at_once = AT_ONCE if inference.loaded.passes == 1 else AT_ONCE_ON_A_DEVICE
        titles = TitleReader(reader, self.settings.cached_titles, self.metrics, at_once)
        for stage in self.stages:
            stage.equip(inference, titles, refused)

    async def _join(self, equipping: asyncio.Task[None]) -> None:
        self._progress("consumer")
        self._closing.add("consumer", self._stop_apps)
        self._closing.add("last commit", self._settle, SETTLE_S)
        joining = [asyncio.ensure_future(stage.join(equipping, START_S)) for stage in self.stages]
        try:
            await asyncio.gather(*joining)
        finally:
            for one in joining:
                one.cancel()
        for stage in self.stages:
            stage.topics.start()
            self._closing.add(f"watch on topics of {stage.spec.name}", stage.topics.stop)
        # The error that ends a worker is told, even if it is told to stop meanwhile.
        explained = partial(self._explaining.ended_or, self.failed)
        self._closing.add("explanation of an error", explained, EXPLAIN_S)
        for stage in self.stages:
            stage.start_production()
        self.started = True
        self.metrics.ready.set(1)

    async def _stop_apps(self) -> None:
        await asyncio.gather(*(stage.app.stop() for stage in self.stages))

    async def _settle(self) -> None:
        """Settle one stage after the other: what users still send reaches the stage of items."""
        self.started = False
        self.metrics.ready.set(0)
        patience_s = SETTLE_S / len(self.stages)
        settling: list[asyncio.Future[None]] = []
        try:
            for stage in self.stages:
                settling.append(asyncio.ensure_future(stage.settle(self._interrupted)))
                # One that cannot settle must not take the time of the other.
                await asyncio.wait(settling[-1:], timeout=patience_s)
            await asyncio.gather(*settling)
        finally:
            for one in settling:
                one.cancel()

    @property
    def as_of(self) -> int | None:
        """The as-of instant of the features (ms) while `window_edge` is `event`; None for nothing."""
        return self.shared.as_of

    @as_of.setter
    def as_of(self, instant: int | None) -> None:
        self.shared.as_of = instant

    def failing_dependencies(self) -> list[str]:
        """Return which dependencies are known to fail."""
        batcher = self.inference.batcher if self.started else None
        waits = any(stage.engine.encoder_down for stage in self.stages) if self.started else False
        known = {
            "the broker does not answer": self.broker_silent,
            _ENCODER_DOWN: batcher is not None and (waits or batcher.unusable is not None),
        }
        of_stages = [what for stage in self.stages for what in stage.failing()]
        return [*dict.fromkeys(of_stages), *(what for what, fails in known.items() if fails)]

    def excuse(self, topic: str) -> str | None:
        """Return which dependency is known to fail that a topic of the contract has to wait for, or None."""
        stage = next(stage for stage in self.stages if topic in stage.spec.inputs)
        waits = topic in stage.spec.texts or (topic == CLICKS and stage.engine.clicks_paused)
        return next((what for what in self.failing_dependencies() if waits or what != _ENCODER_DOWN), None)

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
        for stage in self.stages:
            if hasattr(stage, "topics") and (change := await stage.topics.change()) is not None:
                self.fail(change)
                return
        self.fail(await explain(error, self.settings))
