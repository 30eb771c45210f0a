"""A producer whose broker goes away before it has told it the topic."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiokafka.errors import UnknownTopicOrPartitionError
from chaos.servers import BrokerBehindProxy
from support.servers.proxy import Proxy

from streams.broker.lease import Lease, LeaseLostError
from streams.broker.publisher import Publisher
from streams.broker.topics.provisioning import make_topics
from streams.contract import CLICKS, SCORES, topic_name
from streams.records.outgoing import Outgoing
from streams.settings import Settings, load_settings


@pytest_asyncio.fixture
async def proxy() -> AsyncIterator[Proxy]:
    async with Proxy() as opened:
        server = BrokerBehindProxy(opened.port)
        opened.upstream = server.port
        yield opened
        server.stop()


async def send_into_nothing(proxy: Proxy, lease: Lease | None) -> None:
    settings: Settings = load_settings(broker=f"kafka://127.0.0.1:{proxy.port}", partitions=1, request_timeout_s=1.0)
    await make_topics(settings)
    publisher = Publisher(settings, lease)
    await publisher.start()
    try:
        # A client keeps what it knows of the topics that it has used, and forgets the others when it asks anew.
        await (await publisher.send(topic_name(settings, CLICKS), 0, [Outgoing(b"u", b"{}")])).settled()
        await publisher._producer.client.force_metadata_update()
        await proxy.refuse()
        await publisher.send(topic_name(settings, SCORES), 0, [Outgoing(b"u", b"{}")])
    finally:
        await publisher.abandon()


async def test_the_partitions_are_lost_if_the_broker_is_away_for_longer_than_the_lease(proxy: Proxy) -> None:
    # It ends before the request timeout does, and well after the producer is started.
    with pytest.raises(LeaseLostError):
        await send_into_nothing(proxy, Lease(60.0, time.monotonic() - 59.5))


async def test_a_topic_that_nobody_tells_of_is_not_there_while_the_lease_holds(proxy: Proxy) -> None:
    with pytest.raises(UnknownTopicOrPartitionError):
        await send_into_nothing(proxy, Lease(3600.0, time.monotonic()))
