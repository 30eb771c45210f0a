"""The topics and the ends of their logs, on a real broker."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from support.servers.brokers import Broker

from streams.broker.connection import connection, new_consumer
from streams.broker.publisher import Publisher, Written
from streams.broker.reading import read_topic
from streams.broker.topics.admin import Admin, Made
from streams.broker.topics.counts import partition_counts
from streams.broker.topics.log_ends import high_watermarks
from streams.broker.topics.provisioning import make_topics
from streams.contract import CLICKS, INPUTS, REVIEWS, SCORES, TOPICS, changelog_name, topic_name
from streams.exceptions import BrokerError, ConfigurationError
from streams.records.outgoing import Outgoing
from streams.settings import MAX_TOPIC_BYTES, Settings, load_settings


@pytest.fixture
def kind(pytestconfig: pytest.Config) -> str:
    """Which broker the tests of this process have."""
    return str(pytestconfig.getoption("broker"))


@pytest.fixture
def settings(broker: Broker) -> Settings:
    return load_settings(broker=broker.url, partitions=3)


async def publish(settings: Settings, topic: str, partition: int, batches: list[list[bytes]]) -> list[Written]:
    """Publish batches one after the other; return where the broker put the records of each."""
    publisher = Publisher(settings)
    await publisher.start()
    try:
        return [
            await (await publisher.send(topic, partition, [Outgoing(b"k", value) for value in batch])).acknowledged()
            for batch in batches
        ]
    finally:
        await publisher.stop()


async def values(settings: Settings, topic: str) -> list[bytes]:
    return [record.value async for records in read_topic(settings, topic) for record in records]


async def test_the_high_watermark_is_right_where_list_offsets_is_not(settings: Settings, kind: str) -> None:
    await make_topics(settings)
    name = topic_name(settings, CLICKS)
    await publish(settings, name, 0, [[b"v"] * 10] * 3)
    partition = TopicPartition(name, 0)
    consumer = new_consumer(settings)
    await consumer.start()
    try:
        listed = (await consumer.end_offsets([partition]))[partition]
    finally:
        await consumer.stop()
    # If this fails the embedded broker was mended, and the watermark below is still to be right.
    assert listed == {"embedded": 21, "kafka": 30}[kind]
    assert await high_watermarks(settings, [partition]) == {partition: 30}


async def test_the_high_watermark_of_an_empty_partition_is_zero(settings: Settings) -> None:
    await make_topics(settings)
    every = [TopicPartition(topic_name(settings, topic), number) for topic in INPUTS for number in range(3)]
    filled = every[4]
    await publish(settings, filled.topic, filled.partition, [[b"v"] * 5, [b"v"]])
    assert await high_watermarks(settings, every) == dict.fromkeys(every, 0) | {filled: 6}
    assert await high_watermarks(settings, []) == {}


@pytest.mark.parametrize("batches", [[1], [1, 1], [7, 1], [1, 7], [100, 1, 100], [2] * 20])
async def test_the_high_watermark_is_one_past_the_last_record_however_it_was_batched(
    settings: Settings, batches: list[int]
) -> None:
    await make_topics(settings)
    partition = TopicPartition(topic_name(settings, CLICKS), 2)
    await publish(settings, partition.topic, 2, [[b"v"] * size for size in batches])
    assert await high_watermarks(settings, [partition]) == {partition: sum(batches)}


async def test_the_acknowledgement_of_a_send_says_where_its_records_lie(settings: Settings) -> None:
    await make_topics(settings)
    name = topic_name(settings, CLICKS)
    written = await publish(settings, name, 0, [[b"v"] * 10] * 3 + [[b"v"]])
    assert written == [(0, 9, 10), (10, 19, 10), (20, 29, 10), (30, 30, 1)]
    # More than one batch holds: the last record is that of the last of several batches.
    assert await publish(settings, name, 1, [[b"x" * 300_000] * 10, []]) == [(0, 9, 10), (-1, -1, 0)]


async def test_a_record_of_the_largest_size_does_not_hide_the_end(settings: Settings) -> None:
    await make_topics(settings)
    name = topic_name(settings, CLICKS)
    await publish(settings, name, 1, [[b"x" * MAX_TOPIC_BYTES], [b"y"]])
    assert await high_watermarks(settings, [TopicPartition(name, 1)]) == {TopicPartition(name, 1): 2}
    assert [len(value) for value in await values(settings, name)] == [MAX_TOPIC_BYTES, 1]


async def test_making_topics_twice_makes_them_once_and_says_the_same(settings: Settings) -> None:
    first = await make_topics(settings)
    assert first.partitions == 3
    assert first.identity
    await publish(settings, topic_name(settings, CLICKS), 0, [[b"v"]])
    assert await make_topics(settings) == first
    assert await values(settings, topic_name(settings, CLICKS)) == [b"v"]


async def test_two_workers_that_make_the_topics_at_once_agree(settings: Settings) -> None:
    one, other = await asyncio.gather(make_topics(settings), make_topics(settings))
    assert one == other == await make_topics(settings)


async def test_topics_that_exist_keep_their_number_of_partitions(settings: Settings) -> None:
    await make_topics(settings)
    assert (await make_topics(settings.model_copy(update={"partitions": 5}))).partitions == 3


async def make(settings: Settings, **partitions: int) -> None:
    """Make topics of the contract as somebody else would."""
    topics = [Made(topic_name(settings, topic), count, 1, {}) for topic, count in partitions.items()]
    async with Admin(settings) as admin:
        await admin.create(topics)
        await admin.led([topic.name for topic in topics])


async def test_a_missing_topic_is_made_like_those_that_exist(settings: Settings) -> None:
    await make(settings, clicks=2, reviews=2)
    assert (await make_topics(settings)).partitions == 2
    names = [changelog_name(settings), *(topic_name(settings, topic) for topic in TOPICS)]
    assert await partition_counts(settings, names) == dict.fromkeys(names, 2)


async def test_topics_of_unequal_numbers_of_partitions_are_refused_before_any_is_made(settings: Settings) -> None:
    await make(settings, clicks=3, reviews=2)
    with pytest.raises(BrokerError) as refused:
        await make_topics(settings)
    line = str(refused.value)
    assert "the same number of partitions" in line
    assert f"{topic_name(settings, REVIEWS)} 2" in line
    assert f"{topic_name(settings, CLICKS)} 3" in line
    assert "\n" not in line
    assert await partition_counts(settings, [topic_name(settings, SCORES)]) == {}


async def test_every_topic_of_the_contract_and_the_changelog_is_made_behind_the_prefix(settings: Settings) -> None:
    await make_topics(settings)
    admin = AIOKafkaAdminClient(**connection(settings))
    await admin.start()
    found = {name for name in await admin.list_topics() if name.startswith(settings.topic_prefix)}
    await admin.close()
    assert found == {settings.topic_prefix + topic for topic in TOPICS} | {changelog_name(settings)}


async def test_a_topic_is_read_from_its_beginning_to_its_end_in_the_order_of_its_partitions(settings: Settings) -> None:
    await make_topics(settings)
    name = topic_name(settings, CLICKS)
    written = {number: [b"%d/%d" % (number, n) for n in range(500)] for number in (0, 2)}
    for number, batch in written.items():
        await publish(settings, name, number, [batch[:1], batch[1:300], batch[300:]])
    found = await values(settings, name)
    assert [value for value in found if value.startswith(b"0/")] == written[0]
    assert [value for value in found if value.startswith(b"2/")] == written[2]
    assert len(found) == 1000


async def test_an_empty_topic_is_read_at_once_and_a_missing_one_is_named(settings: Settings) -> None:
    with pytest.raises(BrokerError, match=f"expected a topic '{topic_name(settings, CLICKS)}', found none"):
        await values(settings, topic_name(settings, CLICKS))
    await make_topics(settings)
    assert await values(settings, topic_name(settings, CLICKS)) == []


async def test_records_written_while_a_topic_is_read_are_beyond_its_end(settings: Settings) -> None:
    await make_topics(settings)
    name = topic_name(settings, CLICKS)
    await publish(settings, name, 0, [[b"before"] * 3])
    found = []
    async for records in read_topic(settings, name):
        found += [record.value for record in records]
        await publish(settings, name, 0, [[b"meanwhile"]])
        assert len(found) < 10, "it reads what it makes be written"
    assert found[:3] == [b"before"] * 3


async def test_a_broker_that_is_not_there_is_one_line_with_its_address(unused_port: int) -> None:
    settings = load_settings(broker=f"kafka://127.0.0.1:{unused_port}", request_timeout_s=2.0)
    for work in (make_topics(settings), high_watermarks(settings, [TopicPartition("t", 0)]), values(settings, "t")):
        with pytest.raises(BrokerError) as refused:
            await work
        line = str(refused.value)
        assert f"127.0.0.1:{unused_port}" in line
        assert "WHEREWITHAL_BROKER" in line
        assert "\n" not in line


def test_every_client_shares_address_credentials_and_patience() -> None:
    plain = connection(load_settings(broker="kafka://a:1,b:2", request_timeout_s=3.0))
    assert plain == {"bootstrap_servers": ["a:1", "b:2"], "request_timeout_ms": 3000, "security_protocol": "PLAINTEXT"}
    secured = connection(
        load_settings(broker="kafka://a:1", broker_username="me", broker_password="secret", broker_tls=True)
    )
    assert secured["security_protocol"] == "SASL_SSL"
    assert (secured["sasl_plain_username"], secured["sasl_plain_password"]) == ("me", "secret")
    assert secured["ssl_context"].check_hostname


def test_a_ca_file_that_cannot_be_read_is_a_wrong_setting(tmp_path: object) -> None:
    with pytest.raises(ConfigurationError, match="WHEREWITHAL_BROKER_CA_FILE: expected CA certificates"):
        connection(load_settings(broker="kafka://a:1", broker_tls=True, broker_ca_file=f"{tmp_path}/none.pem"))
