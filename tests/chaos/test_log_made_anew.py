"""State that speaks of another log is refused with one line, never skipped silently."""

from __future__ import annotations

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from chaos.harness import Cluster
from chaos.servers import BrokerBehindProxy
from support.shoppers import random_lines

from streams.broker.connection import connection
from streams.broker.embedded import EmbeddedBroker
from streams.broker.topics.provisioning import make_topics
from streams.contract import topic_name

pytestmark = pytest.mark.chaos

LINES = random_lines(seed=95, events=600, users=40)


async def worked(cluster):
    """Have a worker apply the lines, and leave."""
    worker = await cluster.start().ready()
    await cluster.feed(LINES)
    await cluster.drained()
    await worker.stop()


async def refused(cluster):
    """Start a worker on the kept state; return the one line with which it refuses."""
    worker = cluster.start()
    assert await worker.ended() == 1
    assert worker.said("ready") is None
    (line,) = worker.plain_lines()
    assert "made anew" in line
    assert not any("error" in entry for entry in worker.entries()), "no traceback stands before it"
    return line


async def test_a_memory_broker_restarted_under_a_kept_state_folder_is_refused(cluster, tmp_path):
    await worked(cluster)
    with EmbeddedBroker() as empty:
        other = await Cluster(tmp_path, empty.url).open()
        try:
            # Refused at an empty log, and refused while the log grows towards the remembered offsets.
            assert "WHEREWITHAL_STATE_DIR" in await refused(other)
            await other.feed(LINES[:100])
            assert "WHEREWITHAL_STATE_DIR" in await refused(other)
            assert await other.behind() == 100
        finally:
            await other.close()


async def test_a_broker_replaced_by_an_empty_one_under_a_running_worker_ends_it_without_a_commit(proxy, tmp_path):
    # As many partitions as the broker gives a topic that is made by being asked for.
    cluster = await Cluster(tmp_path, f"kafka://127.0.0.1:{proxy.port}", partitions=4).open()
    worker = await cluster.start().ready()
    await cluster.feed(LINES)
    await cluster.drained()
    await proxy.refuse()
    empty = BrokerBehindProxy(proxy.port)
    other = None
    try:
        proxy.upstream = empty.port
        proxy.restore()
        other = await Cluster(tmp_path, cluster.settings.broker, partitions=4).open()
        await other.feed(LINES[:100])
        assert await worker.ended() == 1
        (line,) = worker.plain_lines()
        assert "made anew" in line
        assert await other.behind() == 100
    finally:
        if other is not None:
            await other.close()
        await cluster.close()
        empty.stop()


@pytest.mark.parametrize("topic", ["clicks", "reviews"])
async def test_an_input_topic_deleted_and_made_anew_is_refused(cluster, topic):
    await worked(cluster)
    admin = AIOKafkaAdminClient(**connection(cluster.settings))
    await admin.start()
    try:
        await admin.delete_topics([topic_name(cluster.settings, topic)])
    finally:
        await admin.close()
    await make_topics(cluster.settings)
    line = await refused(cluster)
    assert f"{topic}-" in line
    assert "WHEREWITHAL_GROUP" in line
