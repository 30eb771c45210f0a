"""The stages that a worker runs, and what others ask of them."""

from __future__ import annotations

from typing import TypeVar

from streams.broker.lease import Lease
from streams.settings import Settings
from streams.worker.app import App
from streams.worker.engine import Engine
from streams.worker.production.model_watch import Production
from streams.worker.republishing.republishing import Republisher
from streams.worker.stage_spec import ITEMS, USERS
from streams.worker.stages.item_stage import ItemStage
from streams.worker.stages.stage import Shared, Stage
from streams.worker.stages.user_stage import UserStage
from streams.worker.users.user_equipment import UserEquipment

K = TypeVar("K", bound=Stage)


class Running:
    """One stage or two.

    Args:
        settings: of the worker.
        shared: by the stages.

    Attributes:
        stages: those that this worker runs, that of users first.
        started: whether their groups are joined and their states recovered.
    """

    def __init__(self, settings: Settings, shared: Shared) -> None:
        self.started = False
        self.stages: list[Stage] = []
        if settings.runs_users:
            self.stages.append(UserStage(USERS.own_settings(settings), USERS, shared))
        if settings.runs_items:
            self.stages.append(ItemStage(ITEMS.own_settings(settings), ITEMS, shared))

    @property
    def users(self) -> UserStage:
        """The stage of users.

        Raises:
            LookupError: this worker runs none.
        """
        for stage in self.stages:
            if isinstance(stage, UserStage):
                return stage
        raise LookupError("expected a worker with the stage of users, found one of items alone")

    @property
    def items(self) -> ItemStage | None:
        """The stage of items; None where this worker runs none."""
        return next((stage for stage in self.stages if isinstance(stage, ItemStage)), None)

    @property
    def app(self) -> App:
        """The Faust app of the stage of users."""
        return self.users.app

    @property
    def engine(self) -> Engine[UserEquipment]:
        """The engine of the stage of users."""
        return self.users.engine

    @property
    def production(self) -> Production:
        """The models at work in the stage of users."""
        return self.users.production

    @property
    def republishers(self) -> tuple[Republisher | None, Republisher | None]:
        """What publishes users again, and what publishes items again; None for what is not run, or not started."""
        users = next((stage.production.republisher for stage in self._started(UserStage)), None)
        return users, next((stage.republisher for stage in self._started(ItemStage)), None)

    def _started(self, kind: type[K]) -> list[K]:
        return [stage for stage in self.stages if self.started and isinstance(stage, kind)]

    @property
    def lease(self) -> Lease:
        """The lease on the partitions of users assigned now; an expired one while there are none."""
        return self.engine.assignment.lease

    def reload(self) -> None:
        """Read the artefact folders now; a worker that is not started yet reads them anyway."""
        for stage in self._started(UserStage):
            stage.production.reload()
