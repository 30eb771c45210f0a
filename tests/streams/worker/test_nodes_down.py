"""Three nodes of Apache Kafka, of which one dies or hangs."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.encoders import HashEncoder
from support.patience import PATIENCE_S
from support.runs import quick_settings, work
from support.servers.kafka import Kafka, kafka_libraries
from support.shoppers import random_lines

from streams.broker.topics.admin import Admin
from streams.broker.topics.provisioning import check_topics, make_topics
from streams.broker.topics.topic_settings import wanted
from streams.contract import SCORES, changelog_name, topic_name
from streams.settings import Settings
from streams.telemetry.tally import Fate
from streams.worker.flow import Flow

EVENTS = 60


async def test_topics_are_made_and_used_while_a_node_is_down_and_their_replicas_are_judged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kafka_libraries()
    with Kafka(tmp_path / "kafka", nodes=3, properties={"default.replication.factor": 3}) as kafka:

        def named(prefix: str, replication: int = -1) -> Settings:
            return quick_settings(
                tmp_path,
                broker=kafka.url,
                topic_prefix=prefix,
                replication=replication,
                request_timeout_s=PATIENCE_S / 2,
            )

        whole, alone = named("whole-"), named("alone-", replication=1)
        await make_topics(whole)
        async with Admin(whole) as admin:
            assert {topic.replicas for topic in (await admin.topics(wanted(whole))).values()} == {3}
        await make_topics(alone)
        for settings, expected in ((whole, "min.insync.replicas=2"), (alone, "3 replicas")):
            caplog.clear()
            await check_topics(settings)
            told = {(record.fields["topic"], record.fields["expected"]) for record in caplog.records}
            assert told == {(topic_name(settings, SCORES), expected), (changelog_name(settings), expected)}

        kafka.kill(3)
        killed = named("killed-")
        # The answers of all nodes in turn: whichever is asked first, and whoever is the controller.
        assert (await make_topics(killed)).partitions == 3
        async with Flow(killed, encoder=HashEncoder()) as flow:
            await work(flow, random_lines(seed=3, events=EVENTS, users=10))
            assert flow.tally.fates[Fate.APPLIED] == EVENTS

        kafka.start(3)
        kafka.suspend(1)
        try:
            assert (await make_topics(named("hanging-"))).partitions == 3
        finally:
            kafka.resume(1)
