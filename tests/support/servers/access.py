"""Access control lists of a node of Apache Kafka, set as its administrator: quicker than by Kafka's own tools."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any, Final

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.admin import CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest

from streams.broker.rights import Operation, Resource, Right

_ANY: Final = 1
_ALLOW: Final = 3
_LITERAL: Final = 3
_PREFIXED: Final = 4
_RESOURCES: Final = {Resource.TOPIC: 2, Resource.GROUP: 3}
_OPERATIONS: Final = {
    Operation.READ: 3,
    Operation.WRITE: 4,
    Operation.CREATE: 5,
    Operation.DELETE: 6,
    Operation.DESCRIBE: 8,
    Operation.DESCRIBE_CONFIGS: 10,
}
POLL_S: Final = 0.02


class Access:
    """Gives and takes the rights of one login.

    Args:
        servers: of the administrator's door.
        login: its name.
    """

    def __init__(self, servers: list[str], login: str) -> None:
        self._servers = servers
        self._principal = f"User:{login}"

    async def become(self, rights: Iterable[Right]) -> None:
        """Take every right from the login, give it these, and wait until the node knows."""
        client = AIOKafkaClient(bootstrap_servers=self._servers)
        await client.bootstrap()
        try:
            (node,) = [broker.nodeId for broker in client.cluster.brokers()]
            everything = (_ANY, None, _ANY, self._principal, None, _ANY, _ANY)
            await client.send(node, DeleteAclsRequest(*everything))
            wanted = [entry for right in rights for entry in self._entries(right)]
            await asyncio.gather(*(client.send(node, CreateAclsRequest(*entry)) for entry in wanted))
            while await self._count(client, node, everything) != len(wanted):
                await asyncio.sleep(POLL_S)
        finally:
            await client.close()

    def _entries(self, right: Right) -> Iterator[tuple[Any, ...]]:
        pattern = _PREFIXED if right.prefixed else _LITERAL
        for operation in right.operations:
            kind = _RESOURCES[right.resource]
            yield kind, right.name, pattern, self._principal, "*", _OPERATIONS[operation], _ALLOW

    async def _count(self, client: AIOKafkaClient, node: int, everything: tuple[Any, ...]) -> int:
        answer = await client.send(node, DescribeAclsRequest(*everything))
        return sum(len(resource[-1]) for resource in answer.resources)
