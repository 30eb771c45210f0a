"""What reads topics as they stand does so on Apache Kafka as on the embedded broker."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
from support.encoders import HashEncoder
from support.patience import PATIENCE_S
from support.runs import quick_settings, work
from support.servers.kafka import Kafka
from support.shoppers import random_lines

from streams.broker.connection import new_producer
from streams.cli.main import main
from streams.contract import SCORES, topic_name
from streams.operating.read_back import dead_letters, last_scores
from streams.operating.record_stream import follow_records
from streams.operating.redriving.letters import Choice, Standing
from streams.operating.redriving.redrive import Redrive
from streams.settings import Settings
from streams.worker.flow import Flow

USERS = 8


def test_scores_and_dead_letters_are_read_followed_counted_and_redriven(
    kafka: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = quick_settings(tmp_path, broker=kafka.url, topic_prefix=f"{uuid4().hex[:8]}-")
    asyncio.run(publish_and_read(settings))
    monkeypatch.setenv("WHEREWITHAL_BROKER", kafka.url)
    monkeypatch.setenv("WHEREWITHAL_TOPIC_PREFIX", settings.topic_prefix)
    assert main(["scores", "--segments", "--json"]) == 0
    assert orjson.loads(capsys.readouterr().out)["users"] == USERS


async def publish_and_read(settings: Settings) -> None:
    lines = random_lines(seed=5, events=200, users=USERS)
    broken = {"topic": "clicks", "key": "u1", "raw": "no JSON"}
    async with Flow(settings, encoder=HashEncoder()) as flow:
        await work(flow, [*lines, broken])

    users = {line["value"]["user_id"] for line in lines}
    assert set(await last_scores(settings)) == users
    (letter,) = await dead_letters(settings)
    assert (letter["reason"], letter["raw"]) == ("malformed", "no JSON")

    async with aclosing(follow_records(settings, SCORES)) as scores:
        following = asyncio.ensure_future(anext(scores))
        producer = new_producer(settings)
        await producer.start()
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not following.done():
                    await producer.send_and_wait(topic_name(settings, SCORES), None, key=b"gone")
                    await asyncio.wait({following}, timeout=0.5)
        finally:
            await producer.stop()
        assert following.result() == ("gone", None)

    redrive = Redrive(settings)
    await redrive.survey(Choice())
    await redrive.send()
    assert [one.standing for one in redrive.letters] == [Standing.SENT]
    again = Redrive(settings)
    await again.survey(Choice())
    assert [one.standing for one in again.letters] == [Standing.SENT_BEFORE]
