"""The Faust app: its settings, the user table and one agent per input topic."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Mapping
from typing import Any, Final

import faust
from aiokafka import TopicPartition
from faust.app.base import BootStrategy
from faust.tables.manager import TableManager
from faust.types import TP

from streams.broker.connection import ssl_context
from streams.broker.lease import no_lease
from streams.broker.throttling import Throttle
from streams.contract import CLICKS, ERASURES, INPUTS, REVIEWS, SEARCHES, topic_name
from streams.log import log
from streams.settings import Settings
from streams.worker.consuming.batch_consumer import BatchTransport, RawSchema
from streams.worker.engine import Engine
from streams.worker.state.recovery import TiedRecovery
from streams.worker.state.user_table import UserTable

COMMIT_SHARE: Final = 0.9
"""Of what is left of the lease, for draining and committing together: then the group goes on without this worker."""


class _BootStrategy(BootStrategy):
    """Starts no web server: health and metrics are served by `streams.telemetry.server`, on a thread of its own."""

    enable_web = False


class _Tables(TableManager):
    """Holds the one table, which is there before it starts: Faust waits a second for tables still to be declared."""

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


class App(faust.App):
    """A Faust app whose consumer delivers batches."""

    BootStrategy = _BootStrategy
    settings: Settings
    engine: Engine
    throttle: Throttle

    def _new_transport(self) -> BatchTransport:
        transport = BatchTransport(self.conf.broker_consumer, self)
        transport.settings = self.settings
        transport.lease = no_lease()
        transport.throttle = self.throttle
        transport.on_assigned = self.engine.begin
        transport.losses = self.engine.losses
        return transport


def create_app(settings: Settings, engine: Engine, throttle: Throttle) -> App:
    """Return the app, with agents that hand their batches to the engine."""
    app = App(
        settings.topic_prefix + settings.group,
        broker=[f"kafka://{server}" for server in settings.bootstrap_servers],
        broker_credentials=_credentials(settings),
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=settings.heartbeat_interval_s,
        # The broker waits as long for a member to join again as it does for a heartbeat: a lease is good for both.
        broker_rebalance_timeout=settings.session_timeout_s,
        broker_request_timeout=max(settings.request_timeout_s, settings.session_timeout_s),
        broker_commit_interval=settings.commit_interval_s,
        broker_max_poll_records=settings.batch_records,
        # Where there is no position, or none any more, `streams.worker.consuming.losses` decides.
        consumer_auto_offset_reset="none",
        # What a partition may buffer undecoded; a larger record still comes: a broker returns at least one batch.
        consumer_max_fetch_size=1 << 20,
        datadir=str(settings.state_dir.absolute()),
        # Faust clears its queues once more when streams resume, and a standby would miss what was in them.
        table_standby_replicas=0,
        topic_partitions=settings.partitions,
        TableManager=_Tables,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=False,
        # `streams.worker.state.binding` checks the changelog with the other logs, and says what to do.
        recovery_consistency_check=False,
        web_enabled=False,
        loghandlers=[],
        logging_config=None,
        autodiscover=False,
    )
    app.settings = settings
    app.engine = engine
    app.throttle = throttle
    engine.table = UserTable.of(app, settings)
    engine.rejoin = lambda: app.consumer.rejoin()
    engine.begin_at = lambda offsets: app.consumer.begin_at(offsets)
    names = [topic_name(settings, topic) for topic in INPUTS]

    def agent(topic: str) -> None:
        source = app.topic(topic_name(settings, topic), schema=RawSchema(), allow_empty=True)

        async def take(stream: Any) -> None:
            async for event in stream.noack().events():
                engine.submit(topic, event)

        app.agent(source, name=f"wherewithal.{topic}")(take)

    for topic in (REVIEWS, SEARCHES, CLICKS, ERASURES):
        agent(topic)

    async def committed(numbers: Collection[int]) -> Mapping[TopicPartition, int]:
        offsets: Mapping[TopicPartition, int]
        offsets = await app.consumer.committed_offsets([TP(name, number) for name in names for number in numbers])
        return offsets

    async def let_go(_: Any, revoked: set[TP], **__: Any) -> None:
        patience_s = COMMIT_SHARE * engine.assignment.lease.remaining_s
        began = time.monotonic()
        await engine.release()
        if not patience_s:
            # Nothing was taken over, or it is somebody else's by now.
            return
        # Waited for, not cancelled: one that comes too late is refused by the group.
        committing = asyncio.ensure_future(app.consumer.commit())
        await asyncio.wait({committing}, timeout=max(0.0, began + patience_s - time.monotonic()))
        if committing.done():
            committing.result()
        else:
            log.warning("the broker takes no commit, leaving the partitions without it")

    recovery = TiedRecovery(app, app.tables, beacon=app.tables.beacon, loop=app.tables.loop)
    recovery.table = engine.table
    recovery.take_over = lambda serial, numbers: engine.take_over(serial, numbers, committed)
    recovery.begin_delivery = lambda serial: app.consumer.begin_delivery(serial)
    app.tables._recovery = recovery
    engine.table.on_recovered = engine.count_recovered
    engine.table.on_erased = engine.erasures.met
    app.on_partitions_revoked.connect(let_go, weak=False)
    # Faust calls every slow moment an error; what matters is in our own log, metrics and health.
    logging.getLogger("faust").setLevel(logging.ERROR)
    return app


def _credentials(settings: Settings) -> Any:
    if settings.broker_username is not None and settings.broker_password is not None:
        return faust.SASLCredentials(
            username=settings.broker_username,
            password=settings.broker_password.get_secret_value(),
            ssl_context=ssl_context(settings) if settings.broker_tls else None,
            mechanism="PLAIN",
        )
    return faust.SSLCredentials(context=ssl_context(settings)) if settings.broker_tls else None
