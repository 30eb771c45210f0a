"""Twenty thousand users go from four to twelve partitions, by a command that is killed halfway in each table."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from support.command import begin, end, run
from support.deployments import copy_of, deployment, environment_of, shown, worked
from support.oracle import assert_same
from support.servers.brokers import Broker
from support.shoppers import BASE

from streams.broker.topics.log_ends import LogEnds
from streams.contract import SCORES, changelog_name, topic_name
from streams.exceptions import MissingLogError
from streams.settings import Settings

USERS = 20_000

pytestmark = pytest.mark.chaos


def clicks(first: int, action: str) -> list[dict[str, Any]]:
    """One click of every user."""
    return [
        {
            "topic": "clicks",
            "value": {
                "event_id": f"{first}-{number}",
                "user_id": f"user-{number}",
                "item_id": "i",
                "action": action,
                "price": float(1 + number % 97),
                "timestamp": BASE + first * 3_600_000 + number,
            },
        }
        for number in range(USERS)
    ]


def erasures() -> list[dict[str, Any]]:
    """The erasure of every hundredth user."""
    return [
        {"topic": "erasures", "value": {"user_id": f"user-{number}", "timestamp": BASE + 7_200_000}}
        for number in range(0, USERS, 100)
    ]


async def killed_at(process: subprocess.Popen[str], settings: Settings, topic: str, records: int) -> int:
    """Kill a command once a topic of its copy holds so many records; return how many it then holds."""
    partitions = [TopicPartition(topic, number) for number in range(settings.partitions)]
    async with LogEnds(settings) as logs:
        while process.poll() is None:
            try:
                if sum((await logs.of(partitions)).values()) >= records:
                    break
            except MissingLogError:
                # The topics are still to be made.
                continue
        process.send_signal(signal.SIGKILL)
        process.wait()
        return sum((await logs.of(partitions)).values())


async def test_nobody_sees_a_step_though_the_copying_is_killed_halfway(broker: Broker, tmp_path: Path) -> None:
    old = deployment(broker, tmp_path, "old", 4)
    new = copy_of(old, "new", 12)
    other = deployment(broker, tmp_path, "other", 12)
    first, second = [*clicks(1, "view"), *clicks(2, "purchase")], clicks(3, "purchase")
    await worked(old, first, erasures())
    words = ("repartition", "--partitions", 12, "--to-prefix", new.topic_prefix, "--json")
    written = 0
    for topic in (changelog_name(new), topic_name(new, SCORES)):
        process = begin(*words, **environment_of(old))
        written = await killed_at(process, new, topic, USERS // 10)
        assert end(process)[0] == -signal.SIGKILL
        assert USERS // 10 <= written < USERS
    code, out, err = await asyncio.to_thread(run, *words, **environment_of(old))
    assert code == 0, err
    copied = json.loads(out)
    assert copied["states"]["count"] == USERS
    assert copied["scores"]["count"] == USERS - USERS // 100
    users = await worked(new, second)
    assert users == await worked(other, first, erasures(), second)
    assert len(users) == USERS
    one, another = await shown(new, users), await shown(other, users)
    assert_same(one, another)
    assert one.lives == another.lives
