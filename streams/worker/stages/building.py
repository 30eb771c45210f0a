"""Building the parts of a stage that know one another, in an order in which each is whole once it is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from prometheus_client import Counter

from streams.broker.throttling import Throttle
from streams.settings import Settings
from streams.telemetry.metrics import Metrics
from streams.worker.app import App, GroupMember, attach, create_app
from streams.worker.applying.held_partitions import HeldPartitions
from streams.worker.consuming.losses import Losses
from streams.worker.engine import Engine
from streams.worker.publishing.online_writer import OnlineWriter
from streams.worker.republishing.recovered_erasures import RecoveredErasures
from streams.worker.republishing.refilling import Refiller
from streams.worker.republishing.resetting import Resetter
from streams.worker.stage_spec import StageSpec
from streams.worker.state.recovery_news import RecoveryNews
from streams.worker.state.state_table import StateTable


class Built(NamedTuple):
    """An app and an engine that are tied to one another; the engine is still to be equipped."""

    app: App
    engine: Engine[Any]


def build(
    settings: Settings,
    spec: StageSpec,
    *,
    held: HeldPartitions[Any],
    on_released: Callable[[], None],
    online: OnlineWriter,
    republished: Counter,
    metrics: Metrics,
    throttle: Throttle,
    clock: Callable[[], int],
    on_failure: Callable[[BaseException], None],
) -> Built:
    """Build the app and the engine of a stage.

    The app delivers to the engine, and the engine asks the app's consumer back. So the table of held partitions comes
    first, the app without its agents next, then the engine, and the two are tied last.

    Args:
        settings: of the stage, with the address of the broker and the number of partitions filled in.
        spec: of the stage.
        held: empty, to be filled by the engine.
        on_released: told that partitions are let go.
        online: writes their rows.
        republished: counts what is published again because its rows were lacking.
        metrics: what is counted.
        throttle: shared by the clients of the worker.
        clock: the wall clock, ms, by which what is quiet becomes due.
        on_failure: told of the error that makes going on unsound.
    """
    erasures = RecoveredErasures(settings, lambda: held.partitions, on_failure)
    losses = Losses(settings, spec, metrics)
    news = RecoveryNews(metrics, spec.name)
    app = create_app(settings)
    table = StateTable(app, settings, spec, on_recovered=news.count, on_erased=erasures.met)
    engine = Engine[Any](
        settings,
        spec,
        member=GroupMember(app, table, settings),
        held=held,
        losses=losses,
        erasures=erasures,
        resetter=Resetter(settings, spec, held.partitions, clock, metrics, on_failure),
        refiller=Refiller(held.partitions, online, settings.refresh_users_per_s, republished, on_failure, spec.name),
        news=news,
        on_released=on_released,
        on_failure=on_failure,
    )
    attach(app, table, engine, losses, settings, throttle)
    return Built(app, engine)
