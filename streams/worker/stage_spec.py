"""What tells the two stages of a worker apart: whose states they keep, what they read, and where these go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from features.entity import Entity
from features.items.entity import ITEM
from features.online.item_views import ITEMS as ITEM_ROWS
from features.online.user_views import USERS as USER_ROWS
from features.online.views import Serving
from features.users.entity import USER
from streams.broker.topics.topic_settings import wanted_by_items, wanted_by_users
from streams.contract import FACTS, INPUTS, ITEM_SIGNALS, TEXTS, published
from streams.name_settings import items_group_name, name_of
from streams.settings import EARLIEST, Settings
from streams.telemetry.served_log import ITEMS_FOLDER


@dataclass(frozen=True, kw_only=True)
class StageSpec:
    """A stage, as the machinery that both share knows it.

    Attributes:
        name: of the stage, as metrics and the log have it; its table is called so too.
        entity: whose states it keeps.
        serving: how its rows lie in the online store.
        inputs: topics of the contract that it reads, in the order of `offsets` in a state.
        texts: those of them whose records wait for the encoder.
        outputs: the compacted topics of the contract that it publishes to.
        topics: all that it reads or writes, by name on the broker, with the settings that they are made with.
        fetch_wait_ms: longest the broker holds an empty fetch (see `streams.worker.consuming.consumer_thread`).
        own_settings: from the settings of the worker, those of the stage: its group, and its folder of local state.
    """

    name: str
    entity: Entity[Any]
    serving: Serving[Any]
    inputs: tuple[str, ...]
    texts: tuple[str, ...]
    outputs: Callable[[Settings], tuple[str, ...]]
    topics: Callable[[Settings], Mapping[str, Mapping[str, str]]]
    fetch_wait_ms: int
    own_settings: Callable[[Settings], Settings]

    def changelog(self, settings: Settings) -> str:
        """The name on the broker of the changelog of its table."""
        return name_of(settings, f"{self.name}-changelog")


def _of_items(settings: Settings) -> Settings:
    """Return settings by which a second group keeps its states apart, and shares the online store."""
    group = items_group_name(settings)
    log = None if settings.served_log is None else settings.served_log / ITEMS_FOLDER
    return settings.model_copy(
        update={
            "group_id": group,
            "items_group_id": group,
            "state_dir": settings.state_dir / "items",
            "online_store": settings.online_url,
            "served_log": log,
            # Whatever the input began with: a fact that is there is of an event that a user has.
            "start_from": EARLIEST,
        }
    )


USERS: Final = StageSpec(
    name="users",
    entity=USER,
    serving=USER_ROWS,
    inputs=INPUTS,
    texts=TEXTS,
    outputs=published,
    topics=wanted_by_users,
    fetch_wait_ms=10,
    own_settings=lambda settings: settings,
)

ITEMS: Final = StageSpec(
    name="items",
    entity=ITEM,
    serving=ITEM_ROWS,
    inputs=(FACTS,),
    texts=(),
    outputs=lambda _: (ITEM_SIGNALS,),
    topics=wanted_by_items,
    # Nobody waits for an item as a page waits for its shopper, and an idle consumer asks seldom enough.
    fetch_wait_ms=50,
    own_settings=_of_items,
)


def specs_of(settings: Settings) -> list[StageSpec]:
    """Return the stages that a worker of these settings runs, that of users first."""
    return [*([USERS] if settings.runs_users else []), *([ITEMS] if settings.runs_items else [])]
