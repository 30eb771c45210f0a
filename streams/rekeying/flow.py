"""A whole process that re-keys: topics, values, rekeyer and Faust app."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Final

from aiokafka.errors import KafkaError

from streams.broker.connection import connection
from streams.broker.errors.explaining import explained
from streams.broker.rights import rights_in_words
from streams.broker.throttling import Throttle
from streams.broker.topics.provisioning import make_sent_topics
from streams.contract import rekey_group_name
from streams.encodings.encoding import Encoding
from streams.encodings.reading import open_values
from streams.exceptions import BrokerError, StreamsError
from streams.rekeying.app import SourceMember, attach
from streams.rekeying.beginning import Beginnings
from streams.rekeying.rekeyer import Rekeyer
from streams.rekeying.sources import check_sources, count_sources
from streams.rekeying.watched_values import WatchedValues
from streams.settings import Settings
from streams.tasks import Tasks
from streams.telemetry.rekey_metrics import RekeyMetrics
from streams.worker.app import App, create_app
from streams.worker.interpreter import tune_interpreter
from streams.worker.lifecycle.closing import Closing
from streams.worker.lifecycle.explaining import as_ours
from streams.worker.lifecycle.starting import start_app

START_S: Final = 300.0
"""How long joining the group may stand still."""

STOP_S: Final = 12.0
"""How long leaving may take: a broker that answers nothing must not keep a process from ending."""

SETTLE_S: Final = 7.0
"""The part of `STOP_S` that settling and committing may take."""

EXPLAIN_S: Final = 3.0
"""What is left for explaining an error, of a process that is to stop."""


class Flow:
    """Re-keys, as an asynchronous context manager.

    Args:
        settings: of the process.
        progress: told in a word what is being started.

    Raises:
        ConfigurationError: there is no schema registry for an encoding that needs one.

    Attributes:
        values: takes values to JSON.
        settings: with the group of the process and the number of partitions of the inputs filled in.
        failed: done with the error that ended the process, if one does.
        failed_with: that error.
        started: whether the group is joined.
        broker_silent: whether the broker answers nothing; kept by the monitor.
        throttle: the client quotas of the broker.
    """

    app: App
    rekeyer: Rekeyer

    def __init__(self, settings: Settings, progress: Callable[[str], None] = lambda _: None) -> None:
        self.settings = settings
        self.values = WatchedValues(open_values(settings, Encoding(settings.rekey_encoding)))
        self.metrics = RekeyMetrics()
        self.throttle = Throttle(self.metrics)
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.failed_with: StreamsError | None = None
        self.started = False
        self.broker_silent = False
        self._progress = progress
        self._closing = Closing()
        self._watching: asyncio.Task[None] | None = None
        self._explaining = Tasks("broker error", self.fail)

    async def __aenter__(self) -> Flow:
        try:
            await self._start()
        except BaseException:
            await self._closing.close(STOP_S)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        failures = await self._closing.close(STOP_S)
        if self.failed.done() and not self.failed.cancelled():
            self.failed.exception()
        if failures and error is None:
            raise failures[0]

    async def wait(self) -> None:
        """Run until the process fails.

        Raises:
            StreamsError: what ended it.
        """
        await asyncio.shield(self.failed)

    async def _start(self) -> None:
        tune_interpreter()
        check_sources(self.settings)
        self._progress("topics")
        await count_sources(self.settings)
        cluster = await make_sent_topics(self.settings)
        found: dict[str, Any] = {
            "partitions": cluster.partitions,
            "group_id": rekey_group_name(self.settings),
            "rekey_group_id": rekey_group_name(self.settings),
            # A place in the group is kept for the sake of a state, and this process has none.
            "group_instance_id": None,
        }
        self.settings = settings = self.settings.model_copy(update=found)
        self.app = create_app(settings)
        beginnings = Beginnings(settings, self.metrics)
        self.rekeyer = Rekeyer(
            settings,
            member=SourceMember(self.app),
            values=self.values,
            beginnings=beginnings,
            metrics=self.metrics,
            throttle=self.throttle,
            on_failure=self.fail,
        )
        attach(self.app, self.rekeyer, beginnings, settings, self.throttle)
        self._progress("consumer")
        self._closing.add("consumer", self.app.stop)
        self._closing.add("last commit", self._settle, SETTLE_S)
        self.rekeyer.start()
        await start_app(self.app, START_S, self._explained_start)
        self._watching = asyncio.create_task(self._watch())
        # The error that ends a process is told, even if it is told to stop meanwhile.
        explained = partial(self._explaining.ended_or, self.failed)
        self._closing.add("explanation of an error", explained, EXPLAIN_S)
        self.started = True

    async def _settle(self) -> None:
        """Take in nothing more, and commit what is acknowledged."""
        self.started = False
        self.metrics.ready.set(0)
        if self._watching is not None:
            self._watching.cancel()
        self.app.consumer.stop_flow()
        await self.rekeyer.close()
        if not self.app.crashed:
            await self.app.consumer.commit()

    async def _watch(self) -> None:
        await self.app._crashed.wait()
        self.fail(self.app.crash_reason or RuntimeError("the Faust app crashed"))

    def fail(self, error: BaseException) -> None:
        """End the process: what `wait` raises is the first error given."""
        if isinstance(error, KafkaError):
            # A client's error says little; its meaning may have to be asked of the broker.
            self._explaining.begin(self._fail_explained(error))
        elif self.failed_with is None:
            self.failed_with = as_ours(error)
            self.failed.set_exception(self.failed_with)

    async def _fail_explained(self, error: KafkaError) -> None:
        self.fail(await self._explained(error))

    async def _explained(self, error: KafkaError) -> BrokerError:
        found = await explained(error, connection(self.settings), rights_in_words("rekey", self.settings))
        found.__cause__ = error
        return found

    async def _explained_start(self, reason: BaseException | None) -> StreamsError:
        if isinstance(reason, StreamsError):
            return reason
        if isinstance(reason, KafkaError):
            return await self._explained(reason)
        return BrokerError(f"the process could not join its group: {reason or 'the consumer ended'}")
