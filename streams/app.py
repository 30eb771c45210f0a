"""The Faust app: its settings, the user table and one agent per input topic."""

from __future__ import annotations

import logging
from typing import Any

import faust
from faust.app.base import BootStrategy
from faust.tables.manager import TableManager
from faust.types import TP

from streams.engine import Engine
from streams.kafka import CLICKS, ERASURES, INPUTS, REVIEWS, SEARCHES, ssl_context, topic_name
from streams.lease import Lease
from streams.settings import Settings
from streams.table import UserTable
from streams.transport import BatchTransport, RawSchema, partitions_of


class _BootStrategy(BootStrategy):
    """Starts no web server: health and metrics are served by `streams.server`, on a thread of its own."""

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
    lease: Lease

    def _new_transport(self) -> BatchTransport:
        transport = BatchTransport(self.conf.broker_consumer, self)
        transport.settings = self.settings
        transport.lease = self.lease
        return transport

    def on_rebalance_end(self) -> None:
        """Have events delivered from now on."""
        super().on_rebalance_end()
        self.consumer.begin_delivery()


def create_app(settings: Settings, engine: Engine, lease: Lease) -> App:
    """Return the app, with agents that hand their batches to the engine."""
    app = App(
        settings.topic_prefix + settings.group,
        broker=[f"kafka://{server}" for server in settings.bootstrap_servers],
        broker_credentials=_credentials(settings),
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=settings.heartbeat_interval_s,
        # Faust's join waits for half of it, so it is the start-up time too.
        broker_rebalance_timeout=settings.session_timeout_s / 2,
        broker_request_timeout=max(settings.request_timeout_s, settings.session_timeout_s),
        broker_commit_interval=settings.commit_interval_s,
        broker_max_poll_records=settings.batch_records,
        consumer_auto_offset_reset="earliest",
        # What a partition may buffer undecoded; a larger record still comes: a broker returns at least one batch.
        consumer_max_fetch_size=1 << 20,
        datadir=str(settings.state_dir.absolute()),
        # Faust clears its queues once more when streams resume, and a standby would miss what was in them.
        table_standby_replicas=0,
        topic_partitions=settings.partitions,
        topic_replication_factor=settings.replication,
        TableManager=_Tables,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=False,
        # `streams.binding` checks the changelog with the other logs, and says what to do.
        recovery_consistency_check=False,
        web_enabled=False,
        loghandlers=[],
        logging_config=None,
        autodiscover=False,
    )
    app.settings = settings
    app.lease = lease
    engine.table = UserTable.of(app, settings)
    engine.rejoin = lambda: app.consumer.rejoin()
    names = [topic_name(settings, topic) for topic in INPUTS]

    def agent(topic: str) -> None:
        source = app.topic(topic_name(settings, topic), schema=RawSchema(), allow_empty=True)

        async def take(stream: Any) -> None:
            async for event in stream.noack().events():
                engine.submit(topic, event)

        app.agent(source, name=f"wherewithal.{topic}")(take)

    for topic in (REVIEWS, SEARCHES, CLICKS, ERASURES):
        agent(topic)

    async def take_over(numbers: set[int]) -> None:
        committed = await app.consumer.committed_offsets([TP(name, number) for name in names for number in numbers])
        await engine.recovered(numbers, committed)

    async def let_go(_: Any, revoked: set[TP], **__: Any) -> None:
        await engine.release(partitions_of(revoked, names))
        await app.consumer.commit()

    engine.table.on_complete = take_over
    engine.table.on_recovered = engine.count_recovered
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
