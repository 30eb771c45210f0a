"""The bound on live states is the worker's: whatever partitions it has, they share it."""

from __future__ import annotations

from support.encoders import HashEncoder
from support.runs import quick_settings
from support.shoppers import BASE, arriving

from streams.cli.replay import feed
from streams.operating.drain import Drain
from streams.worker.flow import Flow


def view(user: int) -> dict[str, object]:
    value = {"event_id": "1", "user_id": f"u{user}", "item_id": "i", "action": "view", "timestamp": BASE}
    return {"topic": "clicks", "value": value}


async def test_the_partitions_that_a_worker_has_share_what_it_may_keep(tmp_path):
    async with Flow(quick_settings(tmp_path, partitions=5, cached_users=50), encoder=HashEncoder()) as flow:
        drain = Drain(flow, 100)
        feeder = await feed(flow, drain, arriving([view(number) for number in range(600)]))
        await drain.drained(feeder.ends)
        partitions = flow.engine.partitions.values()
        for partition in partitions:
            # Nobody is busy any more: twice as many others push out who was.
            for number in range(40):
                partition.state_of(f"other{number}")
        kept = [len(partition._live.keys()) for partition in partitions]
        assert all(kept)
        assert sum(kept) <= 50


async def test_a_partition_that_is_alone_has_all_of_it(tmp_path):
    async with Flow(quick_settings(tmp_path, partitions=1, cached_users=40), encoder=HashEncoder()) as flow:
        partition = flow.engine.partitions[0]
        for number in range(100):
            partition.state_of(f"u{number}")
        assert 20 <= len(partition._live.keys()) <= 40
