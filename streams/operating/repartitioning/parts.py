"""What is copied, part by part: each stage has a group, inputs of its own, and tables that it wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import TopicPartition

from features.items.entity import ITEM
from features.users.entity import USER
from streams.contract import FACTS, INPUTS, ITEM_SIGNALS, changelog_name, items_changelog_name, published, topic_name
from streams.name_settings import group_name, items_group_name
from streams.operating.repartitioning.tables import Records, States, Table
from streams.settings import Settings


@dataclass(frozen=True)
class Part:
    """A stage, standing still.

    Attributes:
        group: its consumer group, by its name on the broker.
        topics: what the group reads, by their names on the broker.
        tables: what it wrote: its states first, then its records by topic.
    """

    group: str
    topics: Sequence[str]
    tables: Sequence[Table]

    def inputs(self, settings: Settings) -> list[TopicPartition]:
        """Return every partition that the group reads."""
        return [TopicPartition(name, number) for name in self.topics for number in range(settings.partitions)]

    def outputs(self, settings: Settings) -> list[TopicPartition]:
        """Return every partition of the tables."""
        names = [table.name(settings) for table in self.tables]
        return [TopicPartition(name, number) for name in names for number in range(settings.partitions)]


def parts_of(settings: Settings) -> list[Part]:
    """Return the parts of a deployment: its users, and its items if it keeps any."""
    users = Part(
        group_name(settings),
        [topic_name(settings, topic) for topic in INPUTS],
        [States("states", USER, changelog_name), *map(Records, published(settings))],
    )
    items = Part(
        items_group_name(settings),
        [topic_name(settings, FACTS)],
        [States("items", ITEM, items_changelog_name), Records(ITEM_SIGNALS)],
    )
    return [users, items] if settings.items else [users]
