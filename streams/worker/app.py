"""The Faust app of a stage: its settings, its table and one agent per input topic."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final

import faust
from aiokafka import TopicPartition
from faust.app.base import BootStrategy
from faust.tables.manager import TableManager
from faust.types import TP

from streams.broker.lease import Lease
from streams.broker.login.options import login_options
from streams.broker.throttling import Throttle
from streams.contract import CLICKS, topic_name
from streams.log import log
from streams.login_settings import Mechanism
from streams.membership_settings import instance_id
from streams.name_settings import group_name
from streams.settings import Settings
from streams.worker.consuming.batch_consumer import BatchTransport
from streams.worker.consuming.losses import Losses
from streams.worker.consuming.raw_schema import RawSchema
from streams.worker.engine import Engine
from streams.worker.state.local_store import LocalStore
from streams.worker.state.recovery import TiedRecovery
from streams.worker.state.state_table import StateTable

COMMIT_SHARE: Final = 0.9
"""Share of the remaining lease for draining and committing together: then the group goes on without this worker."""


class _BootStrategy(BootStrategy):
    """Starts no web server: health and metrics are served by `streams.telemetry.server`, on a thread of its own."""

    enable_web = False


class _Tables(TableManager):
    """Holds the one table, which is there before it starts: Faust waits a second for tables still to be declared."""

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


class App(faust.App):
    """A Faust app without a web server."""

    BootStrategy = _BootStrategy

    async def stop(self) -> None:
        """Stop. One that is cut short leaves nothing behind that outlives the end of the event loop."""
        try:
            await super().stop()
        finally:
            for agent in self.agents.values():
                if agent.supervisor is not None:
                    # Cancelled with its agent, it hears of that end instead of its own, and would start it again.
                    agent.supervisor._stopped.set()
                    agent.supervisor.wakeup()


class GroupMember:
    """This worker in its group, as `streams.worker.engine.Member`.

    Args:
        app: not necessarily started yet.
        table: of that app.
        settings: of the stage.
    """

    def __init__(self, app: App, table: StateTable, settings: Settings) -> None:
        self._app = app
        self._table = table
        self._names = [topic_name(settings, topic) for topic in table.spec.inputs]
        self._clicks = topic_name(settings, CLICKS)

    @property
    def states(self) -> LocalStore:
        """The local store."""
        return self._table.states

    async def committed(self, numbers: Collection[int]) -> Mapping[TopicPartition, int]:
        """Return the committed offsets of the inputs of these partitions, of those that have one."""
        asked = [TP(name, number) for name in self._names for number in numbers]
        offsets: Mapping[TopicPartition, int] = await self._app.consumer.committed_offsets(asked)
        return offsets

    async def begin_at(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit first positions of partitions that nothing was taken in of yet, and go there."""
        await self._app.consumer.begin_at(offsets)

    def hold(self, serial: int, number: int, first: int | None) -> None:
        """Commit clicks of a partition no further than the first whose title waits; None where none waits."""
        self._app.consumer.hold(serial, TP(self._clicks, number), first)

    def rejoin(self) -> None:
        """Leave the partitions and join the group again."""
        self._app.consumer.rejoin()


def create_app(settings: Settings) -> App:
    """Return an app that takes in nothing yet: it is made before the engine, which `attach` ties it to."""
    # Faust calls every slow moment an error; what matters is in our own log, metrics and health.
    for name in ("faust", "mode.timers", TiedRecovery.__module__):
        logging.getLogger(name).setLevel(logging.ERROR)
    return App(
        group_name(settings),
        broker=[f"kafka://{server}" for server in settings.bootstrap_servers],
        broker_credentials=_credentials(settings),
        consumer_group_instance_id=instance_id(settings),
        # The group keeps it of a member, and a restart on another machine has to find the same. Nobody calls it.
        canonical_url="http://worker",
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=settings.heartbeat_interval_s,
        # The broker waits as long for a member to join again as it does for a heartbeat: a lease is good for both.
        broker_rebalance_timeout=settings.session_timeout_s,
        broker_request_timeout=max(settings.request_timeout_s, settings.session_timeout_s),
        broker_commit_interval=settings.commit_interval_s,
        broker_max_poll_records=settings.batch_records,
        # Where there is no position, or none any more, `streams.worker.consuming.losses` decides.
        consumer_auto_offset_reset="none",
        # Bytes that a partition may buffer undecoded. A larger record still comes: a broker returns at least one batch.
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


def attach(
    app: App, table: StateTable, engine: Engine[Any], losses: Losses, settings: Settings, throttle: Throttle
) -> None:
    """Have an app deliver to an engine: its consumer, an agent per input topic, and the recovery of the table.

    Args:
        app: not started yet.
        table: of that app.
        engine: takes over partitions, takes batches, and releases what is revoked.
        losses: judges positions that a log has not.
        settings: of the worker.
        throttle: waits out the broker's quotas.
    """
    # Before the agents, for which Faust would make one of its own.
    app.transport = BatchTransport(app, settings, throttle, losses, engine.begin, table.spec.fetch_wait_ms)

    def agent(topic: str) -> None:
        source = app.topic(topic_name(settings, topic), schema=RawSchema(), allow_empty=True)

        async def take(stream: Any) -> None:
            async for event in stream.noack().events():
                engine.submit(topic, event)

        app.agent(source, name=f"wherewithal.{topic}")(take)

    for topic in table.spec.inputs:
        agent(topic)

    app.tables._recovery = TiedRecovery(
        app, table, engine.take_over, lambda serial: app.consumer.begin_delivery(serial)
    )
    leave_in_order(app, engine.release, lambda: engine.assignment.lease)


def leave_in_order(app: App, release: Callable[[], Awaitable[None]], lease: Callable[[], Lease]) -> None:
    """Have whatever is done with partitions settled and committed before they are given away.

    Args:
        app: not started yet.
        release: settles what is under way, and lets the partitions go.
        lease: returns the lease on them.
    """

    async def let_go(_: Any, revoked: set[TP], **__: Any) -> None:
        patience_s = COMMIT_SHARE * lease().remaining_s
        began = time.monotonic()
        await release()
        if not patience_s:
            # Nothing was taken over, or another worker owns it by now.
            return
        # Waited for, not cancelled: one that comes too late is refused by the group.
        committing = asyncio.ensure_future(app.consumer.commit())
        await asyncio.wait({committing}, timeout=max(0.0, began + patience_s - time.monotonic()))
        if committing.done():
            committing.result()
        else:
            log.warning("the broker takes no commit, leaving the partitions without it")

    app.on_partitions_revoked.connect(let_go, weak=False)


def at_joining(app: App, act: Callable[[], None]) -> None:
    """Have `act` called whenever the app is about to join its group, or has been given partitions."""

    async def tell(*_: Any, **__: Any) -> None:
        act()

    app.on_partitions_revoked.connect(tell, weak=False)
    app.on_partitions_assigned.connect(tell, weak=False)


def _credentials(settings: Settings) -> Any:
    """Return the login of `streams.broker.connection.connection` in the words of Faust."""
    options = login_options(settings)
    mechanism, context = options.get("sasl_mechanism"), options.get("ssl_context")
    if mechanism == Mechanism.OAUTHBEARER:
        return faust.OAuthCredentials(oauth_cb=options["sasl_oauth_token_provider"], ssl_context=context)
    if mechanism is not None:
        return faust.SASLCredentials(
            username=options["sasl_plain_username"],
            password=options["sasl_plain_password"],
            ssl_context=context,
            mechanism=mechanism,
        )
    return None if context is None else faust.SSLCredentials(context=context)
