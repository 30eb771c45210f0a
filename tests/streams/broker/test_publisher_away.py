"""A producer whose broker went away before it had told it the topic."""

from __future__ import annotations

import asyncio
import gc
import time
from pathlib import Path
from typing import Any, NoReturn

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError, UnknownTopicOrPartitionError
from support.runs import quick_settings

from streams.broker.lease import Lease, LeaseLostError
from streams.broker.publisher import Publisher
from streams.broker.topics.provisioning import make_topics
from streams.contract import SCORES, topic_name
from streams.records.outgoing import Outgoing

pytestmark = pytest.mark.usefixtures("broker")

LONG_S = 3600.0


async def sent(folder: Path, lease: Lease | None, error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    """Send with a client that could not learn of the topic within the request timeout, as aiokafka reports it."""
    settings = quick_settings(folder, partitions=1)
    await make_topics(settings)
    publisher = Publisher(settings, lease)
    await publisher.start()

    async def no_answer(*_: object, **__: object) -> NoReturn:
        raise error

    monkeypatch.setattr(publisher._producer, "send_batch", no_answer)
    try:
        await publisher.send(topic_name(settings, SCORES), 0, [Outgoing(b"u", b"{}")])
    finally:
        await publisher.abandon()


@pytest.mark.parametrize("error", [UnknownTopicOrPartitionError, KafkaTimeoutError])
async def test_the_partitions_are_lost_if_the_broker_is_away_for_longer_than_the_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    with pytest.raises(LeaseLostError):
        await sent(tmp_path, Lease(1.0, time.monotonic() - LONG_S), error, monkeypatch)


@pytest.mark.parametrize("error", [UnknownTopicOrPartitionError, KafkaTimeoutError])
@pytest.mark.parametrize("lease", [None, Lease(LONG_S, time.monotonic())])
async def test_the_error_is_told_while_the_lease_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception], lease: Lease | None
) -> None:
    with pytest.raises(error):
        await sent(tmp_path, lease, error, monkeypatch)


async def test_what_is_let_go_unsent_is_no_crash_in_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = quick_settings(tmp_path, partitions=2)
    await make_topics(settings)
    publisher = Publisher(settings, Lease(LONG_S, time.monotonic()))
    await publisher.start()
    client = publisher._producer.client
    asked, gone, close = asyncio.Event(), asyncio.Event(), client.close

    async def no_answer(*_: object, **__: object) -> NoReturn:
        asked.set()
        await gone.wait()
        raise KafkaConnectionError

    async def close_and_tell() -> None:
        gone.set()
        await close()

    monkeypatch.setattr(client, "send", no_answer)
    monkeypatch.setattr(client, "close", close_and_tell)
    unheard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
    name = topic_name(settings, SCORES)
    sent = [await publisher.send(name, partition, [Outgoing(b"u", b"{}")]) for partition in (0, 0, 1)]
    await asked.wait()
    await publisher.abandon()
    assert [one.taken for one in sent] == [0, 0, 0]
    del publisher, sent
    gc.collect()
    await asyncio.sleep(0)
    assert unheard == []
