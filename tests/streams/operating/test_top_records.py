"""The highest scores of a topic that holds older records, tombstones and records out of order."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest
from support.servers.brokers import Broker, fresh_prefix
from support.shoppers import BASE

from streams.broker.publisher import Publisher
from streams.broker.topics.provisioning import make_topics
from streams.cli.main import main
from streams.contract import SCORES, topic_name
from streams.operating.read_back import last_scores
from streams.operating.segments import matches, parse_conditions
from streams.operating.top_records import HeightOf, top_records
from streams.records.outgoing import Outgoing
from streams.settings import Settings, load_settings

HOSTILE = "[red]u[/]\x1b[2J\u202e:smile:"


def record(user: str, score: float, prediction: float, revision: int = 1, tier: str = "low") -> dict[str, Any]:
    labels = {"interests": {}, "price_band": "mid", "lifecycle": "active", "intent": "idle"}
    return {
        "user_id": user,
        "score": score,
        "prediction": prediction,
        "tier": tier,
        "expected_spend": 2.0,
        "reasons": [{"feature": "spend_30d", "contribution": 1.0}],
        "labels": labels,
        "revision": revision,
        "event_time": BASE,
        "emitted_at": BASE,
    }


def history() -> list[tuple[str, dict[str, Any] | None]]:
    draw = random.Random(7)
    records: list[tuple[str, dict[str, Any] | None]] = []
    for number in range(600):
        user = f"u{draw.randrange(120)}"
        tier = draw.choice(["low", "high"])
        revision = draw.randrange(1, 9)
        records.append((user, record(user, draw.choice([50.0, 99.9, 100.0]), draw.random(), revision, tier)))
        if number % 50 == 0:
            records.append((f"u{draw.randrange(120)}", None))
    return [*records, (HOSTILE, record(HOSTILE, 100.0, 2.0)), ("gone", record("gone", 100.0, 3.0)), ("gone", None)]


def height_among(conditions: list[str]) -> HeightOf:
    wanted = parse_conditions(conditions)
    return lambda record: (record["score"], record["prediction"]) if matches(record, wanted) else None


@pytest.fixture(scope="module")
def published(shared_broker: str) -> tuple[Broker, Settings]:
    broker = Broker(shared_broker, fresh_prefix())
    settings = load_settings(broker=broker.url, topic_prefix=broker.topic_prefix, partitions=3)

    async def publish() -> None:
        await make_topics(settings)
        publisher = Publisher(settings)
        await publisher.start()
        topic = topic_name(settings, SCORES)
        for user, value in history():
            sent = Outgoing(user.encode(), None if value is None else json.dumps(value).encode())
            partition = 2 if user == HOSTILE else sum(user.encode()) % 3
            await publisher.send(topic, partition, [sent])
        await (await publisher.send(topic, 0, [Outgoing(b"nobody", None)])).acknowledged()
        await publisher.stop()

    asyncio.run(publish())
    return broker, settings


@pytest.mark.parametrize("conditions", [[], ["tier=high"]])
@pytest.mark.parametrize("count", [1, 7, 1000])
def test_the_highest_are_those_of_everybody_newest_record(
    published: tuple[Broker, Settings], count: int, conditions: list[str]
) -> None:
    _, settings = published
    everybody = [
        score for score in asyncio.run(last_scores(settings)).values() if not conditions or score["tier"] == "high"
    ]
    expected = sorted(everybody, key=lambda score: (-score["score"], -score["prediction"], score["user_id"]))[:count]
    assert asyncio.run(top_records(settings, SCORES, count, height_among(conditions))) == expected
    assert len(expected) == min(count, len(everybody)) > 0


def test_an_empty_topic_has_none(published: tuple[Broker, Settings]) -> None:
    _, settings = published
    empty = settings.model_copy(update={"topic_prefix": fresh_prefix()})

    async def asked() -> list[dict[str, Any]]:
        await make_topics(empty)
        return await top_records(empty, SCORES, 3, height_among([]))

    assert asyncio.run(asked()) == []


@pytest.mark.parametrize("words", [["--top", "1"], ["--top", "1", "--json"], ["--where", "tier=low"], ["--json"], []])
def test_a_hostile_id_is_shown_and_not_obeyed(
    published: tuple[Broker, Settings],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    broker, _ = published
    for name, value in broker.environment.items():
        monkeypatch.setenv(name, value)
    assert main(["scores", *words]) == 0
    out = capsys.readouterr().out
    assert "[red]u[/]\\u001b[2J\\u202e:smile:" in out
    assert not set(out) & {"\x1b", "\u202e"}
    if words[-1:] == ["--json"]:
        assert HOSTILE in {json.loads(line)["user_id"] for line in out.splitlines()}
