"""Looking at the cluster and those of its topics that a login may see, all at once and without changing any."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from streams.broker.topics.admin import Admin, Topic
from streams.broker.topics.topic_settings import Configs


class Survey(NamedTuple):
    """What was seen.

    Attributes:
        identity: of the cluster; empty if it has none.
        nodes: number of running nodes.
        seen: the topics that the login may see, whether they exist or not.
        topics: those that exist.
        configs: settings of those of them whose settings the broker tells.
    """

    identity: str
    nodes: int
    seen: Collection[str]
    topics: Mapping[str, Topic]
    configs: Mapping[str, Configs]

    @property
    def counts(self) -> dict[str, int]:
        """The number of partitions of each topic that exists."""
        return {name: topic.partitions for name, topic in self.topics.items()}

    @property
    def replicas(self) -> dict[str, int]:
        """The least number of replicas of a partition, for each topic that exists."""
        return {name: topic.replicas for name, topic in self.topics.items()}


async def survey(admin: Admin, names: Collection[str]) -> Survey:
    """Look at these topics.

    Raises:
        BrokerError: no node answers.
    """
    identity, nodes = await admin.cluster()
    seen = await admin.seen(names)
    topics = await admin.topics(seen)
    return Survey(identity, nodes, seen, topics, await admin.configs(topics))
