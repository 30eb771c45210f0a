"""Following the score topic while its broker goes away."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from support.patience import PATIENCE_S
from support.runs import quick_settings

from streams.broker.connection import new_producer
from streams.broker.embedded import EmbeddedBroker
from streams.broker.topics.provisioning import make_topics
from streams.contract import SCORES, topic_name
from streams.exceptions import BrokerError
from streams.operating import record_stream
from streams.operating.record_stream import follow_records


async def test_a_broker_that_answers_no_more_is_told_once_and_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_stream, "QUIET_S", 0.1)
    told: list[BrokerError] = []
    asked: list[object] = []
    ask = record_stream.high_watermarks

    async def high_watermarks(*arguments: Any) -> Any:
        asked.append(arguments)
        return await ask(*arguments)

    async def asked_again(times: int) -> None:
        until = len(asked) + times
        async with asyncio.timeout(PATIENCE_S):
            while len(asked) < until:
                await asyncio.sleep(0.05)

    monkeypatch.setattr(record_stream, "high_watermarks", high_watermarks)
    with EmbeddedBroker() as broker:
        settings = quick_settings(tmp_path, broker=broker.url)
        await make_topics(settings)
        async with aclosing(follow_records(settings, SCORES, told.append)) as scores:
            following_on = asyncio.ensure_future(anext(scores))
            await asked_again(3)
            assert told == [], "a topic that is quiet is none that is silent"
            producer = new_producer(settings)
            await producer.start()
            await producer.send_and_wait(topic_name(settings, SCORES), None, key=b"u")
            await producer.stop()
            assert await asyncio.wait_for(following_on, PATIENCE_S) == ("u", None)
            broker.stop()
            following_on = asyncio.ensure_future(anext(scores))
            async with asyncio.timeout(PATIENCE_S):
                while not told:
                    await asyncio.sleep(0.05)
            await asked_again(3)
            assert len(told) == 1
            assert not following_on.done()
            following_on.cancel()
            await asyncio.gather(following_on, return_exceptions=True)


async def test_a_broker_that_is_not_there_is_named_at_the_start(tmp_path: Path, unused_port: int) -> None:
    settings = quick_settings(tmp_path, broker=f"kafka://127.0.0.1:{unused_port}", request_timeout_s=1.0)
    async with aclosing(follow_records(settings, SCORES)) as scores:
        with pytest.raises(BrokerError, match=f"the broker at 127.0.0.1:{unused_port} refuses connections"):
            await anext(scores)
