"""Building the parts of a worker that know one another, in an order in which each is whole once it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from features.users.state import UserState
from streams.broker.letters import Letters
from streams.broker.throttling import Throttle
from streams.inference.loading import Inference
from streams.inference.text_reader import TextReader
from streams.inference.title_reader import TitleReader
from streams.settings import Settings
from streams.telemetry.metrics import Metrics
from streams.telemetry.tally import Tally
from streams.worker.app import App, GroupMember, attach, create_app
from streams.worker.applying.held_partitions import HeldPartitions
from streams.worker.consuming.losses import Losses
from streams.worker.engine import Engine
from streams.worker.equipment import Equipment
from streams.worker.production.served_watch import ServedWatch
from streams.worker.publishing.online_writer import OnlineWriter
from streams.worker.republishing.recovered_erasures import RecoveredErasures
from streams.worker.republishing.resetting import Resetter
from streams.worker.state.recovery_news import RecoveryNews
from streams.worker.state.user_table import UserTable
from streams.worker.users.emitter import AsOf, Emitter


@dataclass(frozen=True)
class Built:
    """An app and an engine that are tied to one another, and who is told of what they serve.

    Attributes:
        app, engine, watch: see above.
        cached_titles: titles that are remembered, at most.
        metrics, throttle, clock, on_failure: see `build`.
    """

    app: App
    engine: Engine
    watch: ServedWatch
    cached_titles: int
    metrics: Metrics
    throttle: Throttle
    clock: Callable[[], int]
    on_failure: Callable[[BaseException], None]

    def equip(self, inference: Inference, *, letters: Letters, online: OnlineWriter, tally: Tally, as_of: AsOf) -> None:
        """Equip the engine with models and outlets: from now on it takes partitions over.

        Args:
            inference: models.
            letters: where records go that are refused.
            online: where rows go.
            tally: counts fates and latencies.
            as_of: the as-of instant of the features.
        """
        equipment = Equipment(
            letters=letters,
            online=online,
            reader=TextReader(inference.batcher, inference.projection, inference.sentiment),
            titles=TitleReader(TextReader(inference.batcher, inference.projection), self.cached_titles, self.metrics),
            emitter=Emitter(inference.encoder, inference.scoring, as_of, self.watch, inference.estimating),
            tally=tally,
            metrics=self.metrics,
            throttle=self.throttle,
            clock=self.clock,
            on_failure=self.on_failure,
        )
        self.engine.equip(inference, equipment)


def build(
    settings: Settings,
    *,
    metrics: Metrics,
    throttle: Throttle,
    clock: Callable[[], int],
    on_failure: Callable[[BaseException], None],
) -> Built:
    """Build the app and the engine of a worker; the engine is still to be equipped.

    The app delivers to the engine, and the engine asks the app's consumer back. So the table of held partitions comes
    first, the app without its agents next, then the engine, and the two are tied last.

    Args:
        settings: with the address of the broker and the number of partitions filled in.
        metrics: what is counted.
        throttle: shared by the clients of the worker.
        clock: the wall clock, ms, by which quiet users become due.
        on_failure: told of the error that makes going on unsound.
    """
    held = HeldPartitions[UserState]()
    watch = ServedWatch(settings, held, metrics, clock, on_failure)
    erasures = RecoveredErasures(settings, lambda: held.partitions, on_failure)
    losses = Losses(settings, metrics)
    news = RecoveryNews(metrics)
    app = create_app(settings)
    table = UserTable(app, settings, on_recovered=news.count, on_erased=erasures.met)
    engine = Engine(
        settings,
        member=GroupMember(app, table, settings),
        held=held,
        losses=losses,
        erasures=erasures,
        resetter=Resetter(settings, held.partitions, clock, metrics, on_failure),
        news=news,
        watchers=watch,
        on_failure=on_failure,
    )
    attach(app, table, engine, losses, settings, throttle)
    return Built(app, engine, watch, settings.cached_titles, metrics, throttle, clock, on_failure)
