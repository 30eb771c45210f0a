"""What an operator does to the partitions of a running Kafka, with Kafka's own tools."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from chaos.harness import Cluster
from support.patience import PATIENCE_S
from support.servers.kafka import Kafka

from streams.broker.connection import connection

OFFSETS: Final = "__consumer_offsets"
"""Its only partition's leader is the coordinator of every group."""

_POLL_S: Final = 0.2


class Operator:
    """Moves the partitions of one test's topics, and of the topic of the groups' offsets.

    Args:
        nodes: of the Kafka.
        cluster: of the test.
    """

    def __init__(self, nodes: Kafka, cluster: Cluster) -> None:
        self._nodes = nodes
        self._cluster = cluster

    async def partitions(self) -> list[dict[str, Any]]:
        """Return topic, partition, leader, replicas and ISR of every partition; none while no node can tell."""
        admin = AIOKafkaAdminClient(**connection(self._cluster.settings))
        try:
            await admin.start()
            topics = await admin.describe_topics()
        except KafkaError:
            return []
        finally:
            await admin.close()
        mine = (OFFSETS, self._cluster.settings.topic_prefix)
        return [
            one | {"topic": each["topic"]}
            for each in topics
            for one in each["partitions"]
            if each["topic"].startswith(mine)
        ]

    async def in_sync(self) -> None:
        """Wait until every partition has all of its replicas in sync."""
        await self._until(lambda one: set(one["isr"]) == set(one["replicas"]))

    async def coordinator(self) -> int:
        """Return the node that coordinates the workers' group."""
        return await self.leader(OFFSETS)

    async def leader(self, topic: str) -> int:
        """Return the node that leads the first partition of a topic."""
        found: int = next(
            one["leader"] for one in await self.partitions() if (one["topic"], one["partition"]) == (topic, 0)
        )
        return found

    async def reassign(self, placed: Callable[[Sequence[int]], list[int]]) -> None:
        """Give every partition the replicas that `placed` makes of those it has, and wait until it has them alone."""
        wanted = {(one["topic"], one["partition"]): placed(one["replicas"]) for one in await self.partitions()}
        plan = [{"topic": topic, "partition": number, "replicas": nodes} for (topic, number), nodes in wanted.items()]
        path = self._cluster.folder / "plan.json"
        path.write_text(json.dumps({"version": 1, "partitions": plan}))
        await self._tool("reassign.ReassignPartitionsCommand", "--reassignment-json-file", str(path), "--execute")

        def there(one: dict[str, Any]) -> bool:
            nodes = wanted[one["topic"], one["partition"]]
            return list(one["replicas"]) == nodes and set(one["isr"]) == set(nodes)

        await self._until(there)

    async def elect(self) -> None:
        """Make the first replica of every partition its leader."""
        await self._tool("LeaderElectionCommand", "--election-type", "preferred", "--all-topic-partitions")
        await self._until(lambda one: one["leader"] == one["replicas"][0])

    async def _tool(self, name: str, *arguments: str) -> None:
        servers = ("--bootstrap-server", ",".join(self._nodes.servers))
        await asyncio.to_thread(self._nodes.tool, f"org.apache.kafka.tools.{name}", *servers, *arguments)

    async def _until(self, condition: Callable[[dict[str, Any]], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                found = await self.partitions()
                if found and all(map(condition, found)):
                    return
                await asyncio.sleep(_POLL_S)
