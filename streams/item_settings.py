"""Settings of items, the second entity, a part of `streams.settings.Settings`."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field
from pydantic_settings import BaseSettings

from streams.quantities import Hours


class Stages(StrEnum):
    """Which of its two stages a worker runs."""

    BOTH = "both"
    USERS = "users"
    ITEMS = "items"


class ItemSettings(BaseSettings):
    """Whether items are kept beside users, and by which processes."""

    items: bool = Field(True, description="whether facts of items are sent, and signals of items made of them")
    stages: Stages = Field(Stages.BOTH, description="what `worker` runs: `both` stages, `users` or `items` alone")
    facts_retention_h: Hours = Field(
        168.0,
        le=87_600,
        description="how long facts are kept that the item stage may still have to read, when their topic is made",
    )

    @property
    def runs_users(self) -> bool:
        """Whether a worker runs the stage of users."""
        return self.stages is not Stages.ITEMS

    @property
    def runs_items(self) -> bool:
        """Whether a worker runs the stage of items."""
        return self.items and self.stages is not Stages.USERS
