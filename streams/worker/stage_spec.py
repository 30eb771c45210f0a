"""What tells the two stages of a worker apart: whose states they keep, what they read, and where these go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from features.entity import Entity
from features.users.entity import USER
from streams.contract import INPUTS, TEXTS, published
from streams.name_settings import name_of
from streams.settings import Settings


@dataclass(frozen=True, kw_only=True)
class StageSpec:
    """A stage, as the machinery that both share knows it.

    Attributes:
        name: of the stage, as metrics and the log have it; its table is called so too.
        entity: whose states it keeps.
        inputs: topics of the contract that it reads, in the order of `offsets` in a state.
        texts: those of them whose records wait for the encoder.
        outputs: the compacted topics of the contract that it publishes to.
        own_settings: from the settings of the worker, those of the stage: its group, and its folder of local state.
    """

    name: str
    entity: Entity[Any]
    inputs: tuple[str, ...]
    texts: tuple[str, ...]
    outputs: Callable[[Settings], tuple[str, ...]]
    own_settings: Callable[[Settings], Settings]

    def changelog(self, settings: Settings) -> str:
        """The name on the broker of the changelog of its table."""
        return name_of(settings, f"{self.name}-changelog")


USERS: Final = StageSpec(
    name="users", entity=USER, inputs=INPUTS, texts=TEXTS, outputs=published, own_settings=lambda settings: settings
)
