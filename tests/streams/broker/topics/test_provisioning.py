"""Making topics on Apache Kafka, and judging those that somebody else made or changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.metadata import MetadataRequest
from support.logs import alter, configs_of
from support.runs import quick_settings
from support.servers.kafka import Kafka

from streams.broker.topics.admin import Admin
from streams.broker.topics.provisioning import check_topics, make_topics
from streams.broker.topics.topic_settings import wanted
from streams.contract import CLICKS, DEAD_LETTERS, INPUTS, SCORES, changelog_name, topic_name
from streams.exceptions import BrokerError, StateMismatchError
from streams.settings import Settings

DAY_MS = 86_400_000


@pytest.fixture
def settings(kafka: Kafka, tmp_path: Path) -> Settings:
    return quick_settings(tmp_path, broker=kafka.url, topic_prefix=f"{uuid4().hex[:8]}-")


def warnings(caplog: pytest.LogCaptureFixture) -> set[tuple[str, str]]:
    """The topics warned of, each with what was expected."""
    found = [record.fields for record in caplog.records if record.name == "wherewithal"]
    return {(fields["topic"], fields["expected"]) for fields in found}


async def test_topics_bound_how_long_they_keep_what_was_erased(settings: Settings) -> None:
    await make_topics(settings)
    for name in (topic_name(settings, SCORES), changelog_name(settings)):
        found = await configs_of(settings, name)
        assert found["cleanup.policy"] == "compact"
        assert int(found["min.compaction.lag.ms"]) == DAY_MS
        assert int(found["max.compaction.lag.ms"]) == 2 * DAY_MS
        assert int(found["segment.ms"]) == DAY_MS
    for topic in (*INPUTS, DEAD_LETTERS):
        found = await configs_of(settings, topic_name(settings, topic))
        assert found["cleanup.policy"] == "delete"
        assert int(found["segment.ms"]) == DAY_MS
    for topic in INPUTS:
        assert (await configs_of(settings, topic_name(settings, topic)))["message.timestamp.type"] == "LogAppendTime"


async def test_the_replication_is_the_brokers_own_unless_it_is_set(settings: Settings) -> None:
    assert settings.replication == -1
    await make_topics(settings)
    async with Admin(settings) as admin:
        assert {topic.replicas for topic in (await admin.topics(wanted(settings))).values()} == {1}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"replication": 3}, "InvalidReplicationFactorError: Unable to replicate the partition 3 time"),
        ({"topic_prefix": "x" * 240}, "InvalidTopic"),
    ],
    ids=["replicas", "name"],
)
async def test_the_reason_of_the_broker_for_making_no_topic_is_in_the_line(
    settings: Settings, change: dict[str, Any], reason: str
) -> None:
    with pytest.raises(BrokerError) as refused:
        await make_topics(settings.model_copy(update=change))
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


async def test_topics_are_waited_for_until_each_partition_has_a_leader(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    unready = {"no topic": 2, "no partition": 2, "no leader": 2}
    send = AIOKafkaClient.send

    async def slowly(self: AIOKafkaClient, node: int, request: Any, **options: Any) -> Any:
        answer = await send(self, node, request, **options)
        if isinstance(request, MetadataRequest) and answer.topics and not any(topic[0] for topic in answer.topics):
            stage = next((name for name, left in unready.items() if left), None)
            if stage is not None:
                unready[stage] -= 1
                answer.topics = [_unready(topic, stage) for topic in answer.topics]
        return answer

    monkeypatch.setattr(AIOKafkaClient, "send", slowly)
    assert (await make_topics(settings)).partitions == 3
    assert not any(unready.values())


def _unready(topic: Any, stage: str) -> Any:
    code, name, internal, partitions = topic
    if stage == "no topic":
        return (3, name, internal, [])
    if stage == "no partition":
        return (code, name, internal, [])
    return (5, name, internal, [(5, number, -1, *rest) for _, number, _, *rest in partitions])


@pytest.mark.parametrize(
    ("topic", "configs", "expected"),
    [
        (SCORES, {"cleanup_policy": "delete"}, "cleanup.policy=compact, found delete"),
        ("changelog", {"cleanup_policy": "delete"}, "cleanup.policy=compact, found delete"),
        ("changelog", {"cleanup_policy": "compact,delete"}, "cleanup.policy=compact, found compact,delete"),
        ("changelog", {"max_message_bytes": "1000"}, "max.message.bytes=1048576, found 1000"),
        (CLICKS, {"cleanup_policy": "compact"}, "cleanup.policy=delete, found compact"),
        (DEAD_LETTERS, {"cleanup_policy": "compact"}, "cleanup.policy=delete, found compact"),
    ],
)
async def test_settings_that_cost_committed_events_are_refused_in_one_line(
    settings: Settings, topic: str, configs: dict[str, str], expected: str
) -> None:
    await make_topics(settings)
    name = changelog_name(settings) if topic == "changelog" else topic_name(settings, topic)
    await check_topics(settings)
    await alter(settings, name, **configs)
    with pytest.raises(StateMismatchError) as refused:
        await check_topics(settings)
    line = str(refused.value)
    assert f"the topic {name!r}: expected {expected}" in line
    assert f"--entity-name {name} --add-config {expected.split(',')[0]}" in line
    assert "\n" not in line


async def test_a_changelog_that_deletes_nothing_beside_compacting_is_taken(settings: Settings) -> None:
    await make_topics(settings)
    await alter(
        settings, changelog_name(settings), cleanup_policy="compact,delete", retention_ms="-1", retention_bytes="-1"
    )
    await check_topics(settings)


async def test_settings_that_may_cost_something_are_warned_of(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    await make_topics(settings)
    await check_topics(settings)
    assert warnings(caplog) == set()
    await alter(
        settings,
        changelog_name(settings),
        min_compaction_lag_ms="0",
        max_compaction_lag_ms="9223372036854775807",
    )
    await alter(settings, topic_name(settings, CLICKS), retention_ms="1000", max_message_bytes="9000000")
    await check_topics(settings)
    assert {(topic.removeprefix(settings.topic_prefix), expected) for topic, expected in warnings(caplog)} == {
        ("wherewithal-users-changelog", f"min.compaction.lag.ms={DAY_MS}"),
        ("wherewithal-users-changelog", f"max.compaction.lag.ms={2 * DAY_MS}"),
        ("clicks", f"retention.ms={DAY_MS}"),
        ("dead-letters", "max.message.bytes=9065536"),
    }
