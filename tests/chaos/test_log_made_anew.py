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
from streams.name_settings import name_of

pytestmark = pytest.mark.chaos

LINES = random_lines(seed=95, events=600, users=40)


async def worked(cluster):
    """Have a worker apply the lines, and leave."""
    worker = await cluster.start().ready()
    await cluster.feed(LINES)
    await cluster.drained()
    await worker.stop()


async def refused(cluster, stages="both"):
    """Start a worker on the kept state; return the one line with which it refuses."""
    worker = cluster.start(stages=stages)
    assert await worker.ended() == 1
    assert worker.said("ready") is None
    assert not any("error" in entry for entry in worker.entries()), "no traceback stands before it"
    return one_line(worker, stages)


def one_line(worker, stages):
    """Return the one line with which a worker has ended; that of items alone speaks of their own topics."""
    (line,) = worker.plain_lines()
    assert "made anew" in line
    if stages == "items":
        assert "item-facts-" in line or "items-changelog-" in line
    return line


async def test_a_memory_broker_restarted_under_a_kept_state_folder_is_refused(cluster, tmp_path):
    await worked(cluster)
    with EmbeddedBroker() as empty:
        other = await Cluster(tmp_path, empty.url, items=True).open()
        try:
            # Refused at an empty log, and refused while the log grows towards the remembered offsets.
            for stages in ("both", "items"):
                assert "WHEREWITHAL_STATE_DIR" in await refused(other, stages)
            await other.feed(LINES[:100])
            assert "WHEREWITHAL_STATE_DIR" in await refused(other)
            assert await other.behind() == 100
        finally:
            await other.close()


@pytest.mark.parametrize("stages", ["both", "items"])
async def test_a_broker_replaced_by_an_empty_one_under_a_running_worker_ends_it_without_a_commit(
    proxy, tmp_path, stages
):
    # As many partitions as the broker gives a topic that is made by being asked for.
    further = {"partitions": 4, "items": True}
    cluster = await Cluster(tmp_path, f"kafka://127.0.0.1:{proxy.port}", **further).open()
    worker = await cluster.start(stages=stages).ready()
    telling = await cluster.start("users", stages="users").ready() if stages == "items" else None
    await cluster.feed(LINES)
    await cluster.drained()
    if telling is not None:
        await telling.stop()
    await proxy.refuse()
    empty = BrokerBehindProxy(proxy.port)
    other = None
    try:
        proxy.upstream = empty.port
        proxy.restore()
        other = await Cluster(tmp_path, cluster.settings.broker, **further).open()
        await other.feed(LINES[:100])
        assert await worker.ended() == 1
        one_line(worker, stages)
        assert await other.behind() == 100
    finally:
        if other is not None:
            await other.close()
        await cluster.close()
        empty.stop()


@pytest.mark.parametrize("topic", ["clicks", "reviews", "item-facts", "items-changelog"])
async def test_a_topic_deleted_and_made_anew_is_refused(cluster, topic):
    await worked(cluster)
    admin = AIOKafkaAdminClient(**connection(cluster.settings))
    await admin.start()
    try:
        await admin.delete_topics([name_of(cluster.settings, topic)])
    finally:
        await admin.close()
    await make_topics(cluster.settings)
    line = await refused(cluster)
    assert f"{topic}-" in line
    assert "WHEREWITHAL_GROUP" in line
