"""Two deployments on one broker: one that has known its users for long, and the one that they move to."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from features.observation import Kind, Observation, Source
from features.users.codec import encode, order, substance
from features.users.state import UserState
from streams.broker.publisher import Publisher
from streams.broker.reading import read_topic
from streams.broker.topics.provisioning import make_topics
from streams.contract import SCORES, changelog_name, topic_name
from streams.operating.read_back import Scores, known_users, last_scores
from streams.operating.repartitioning.target import settings_behind
from streams.records.outgoing import Outgoing
from streams.records.placement import partition_of_key
from streams.settings import Settings
from streams.worker.flow import Flow
from support.encoders import HashEncoder
from support.plain_feast import served_features
from support.runs import quick_settings, work
from support.servers.brokers import Broker
from support.shoppers import BASE


def silent(what: str, done: int, of: int | None) -> None:
    """Nobody looks at the progress."""


def deployment(broker: Broker, folder: Path, name: str, partitions: int, **settings: Any) -> Settings:
    return quick_settings(
        folder / name,
        broker=broker.url,
        topic_prefix=f"{broker.topic_prefix}{name}-",
        partitions=partitions,
        online_store=f"sqlite:///{folder / name}.db",
        **settings,
    )


def copy_of(settings: Settings, name: str, partitions: int) -> Settings:
    """The settings of a copy, as an operator has them: other names, another folder, the same online store."""
    target = settings_behind(settings, f"{settings.topic_prefix}{name}-", {}, partitions)
    return target.model_copy(update={"state_dir": settings.state_dir.with_name(f"{settings.state_dir.name}-{name}")})


async def worked(settings: Settings, *parts: list[dict[str, Any]]) -> list[str]:
    """Have a worker apply parts of a history and the facts that are left, then end; return the users it knows."""
    async with Flow(settings, encoder=HashEncoder()) as flow:
        # With nothing to feed, facts are waited for as well: a worker that is only started may end before it has read
        # them.
        for part in parts or ([],):
            await work(flow, part)
        return known_users(flow)


@dataclass(frozen=True)
class Shown:
    """What readers see of users."""

    features: dict[str, dict[str, Any]]
    scores: Scores

    @property
    def lives(self) -> dict[str, int]:
        return {user: score["life"] for user, score in self.scores.items()}


async def shown(settings: Settings, users: list[str]) -> Shown:
    rows = await asyncio.to_thread(served_features, settings, settings.state_dir / "feast", users)
    return Shown({row["user_id"]: row for row in rows}, await last_scores(settings))


async def states_of(settings: Settings) -> dict[bytes, tuple[int, bytes]]:
    """The partition and the newest state of each user in a changelog."""
    found: dict[bytes, tuple[int, bytes]] = {}
    async for records in read_topic(settings, changelog_name(settings)):
        for record in records:
            if record.value is not None:
                known = found.get(record.key)
                if known is None or order(record.value) >= order(known[1]):
                    found[record.key] = record.partition, record.value
    return found


def state_of(number: int, sequence: int = 3) -> bytes:
    """The state of somebody with some events, and every tenth of whom was erased."""
    known = UserState()
    for offset in range(sequence):
        known.apply(
            Observation(Kind.VIEW, Source.CLICKS, offset, BASE + number, offset.to_bytes(8, "big")), "an-encoder"
        )
    if number % 10 == 0:
        known.erase(BASE + number, 7, Source.ERASURES)
    known.epoch = 5
    return encode(known)


def score_of(user: str, revision: int = 3) -> bytes:
    rank = {"life": 0, "revision": revision, "event_time": BASE, "emitted_at": BASE}
    return orjson.dumps({"user_id": user, "score": 50.0} | rank)


async def write(settings: Settings, topic: str, records: Iterable[tuple[str, bytes | None]]) -> None:
    """Append records to a topic, each in the partition of its key."""
    by_partition: defaultdict[int, list[Outgoing]] = defaultdict(list)
    for user, value in records:
        by_partition[partition_of_key(user.encode(), settings.partitions)].append(Outgoing(user.encode(), value))
    publisher = Publisher(settings)
    await publisher.start()
    for number, some in by_partition.items():
        await (await publisher.send(topic, number, some)).acknowledged()
    await publisher.stop()


async def filled(settings: Settings, users: int) -> None:
    """Make the topics of a deployment that has known these users for long, its inputs empty."""
    await make_topics(settings)
    names = [f"user-{number}" for number in range(users)]
    changelog, scores = changelog_name(settings), topic_name(settings, SCORES)
    # Every state has an earlier one, as in a log that is not compacted yet.
    await write(settings, changelog, [(user, state_of(number, 2)) for number, user in enumerate(names)])
    await write(settings, changelog, [(user, state_of(number)) for number, user in enumerate(names)])
    await write(settings, scores, [(user, score_of(user)) for number, user in enumerate(names) if number % 10])
    await write(
        settings, scores, [(user, None if number % 10 == 0 else score_of(user, 2)) for number, user in enumerate(names)]
    )


def substances(found: dict[bytes, tuple[int, bytes]]) -> dict[bytes, bytes]:
    return {key: substance(data) for key, (_, data) in found.items()}


async def assert_copied(old: Settings, new: Settings) -> None:
    assert substances(await states_of(new)) == substances(await states_of(old))
    assert await last_scores(new) == await last_scores(old)


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment of a command with these settings."""
    return {
        "WHEREWITHAL_BROKER": settings.broker,
        "WHEREWITHAL_TOPIC_PREFIX": settings.topic_prefix,
        "WHEREWITHAL_PARTITIONS": str(settings.partitions),
        "WHEREWITHAL_SESSION_TIMEOUT_S": "3",
        "WHEREWITHAL_HEARTBEAT_INTERVAL_S": "0.3",
        "WHEREWITHAL_REQUEST_TIMEOUT_S": "10",
        "WHEREWITHAL_STATE_DIR": str(settings.state_dir),
    }
