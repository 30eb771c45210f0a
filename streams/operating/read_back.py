"""Reading back the results of a flow: last scores, dead letters, and the features in the online store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from aiokafka import ConsumerRecord

from features.online.reading import read_items, read_users
from features.online.user_views import CAPACITY, JOIN_KEY
from features.users.catalogue import NAMES
from streams.broker.reading import read_topic
from streams.contract import DEAD_LETTERS, SCORES, topic_name
from streams.records.ndjson import text_or_base64
from streams.records.score_record import newer
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.worker.flow import Flow
    from streams.worker.stages.stage import Stage

Scores = dict[str, dict[str, Any]]
"""The newest score record of each user."""


async def last_scores(settings: Settings) -> Scores:
    """Return the newest score record of each user, as a consumer of the compacted topic would keep it."""
    return await last_records(settings, SCORES)


async def last_records(settings: Settings, topic: str) -> Scores:
    """Return the same of a topic of scores or of capacity."""
    newest: Scores = {}
    async for records in read_topic(settings, topic_name(settings, topic)):
        for record in records:
            take_score(newest, record.key, record.value)
    return newest


def take_score(scores: Scores, key: bytes, value: bytes | None) -> dict[str, Any] | None:
    """Take one record of the score topic into `scores`; return the record if it was newer."""
    user_id = key.decode()
    if value is None:
        scores.pop(user_id, None)
        return None
    score: dict[str, Any] = orjson.loads(value)
    known = scores.get(user_id)
    if known is not None and not newer(score, known):
        return None
    scores[user_id] = score
    return score


async def dead_letters(settings: Settings) -> list[dict[str, Any]]:
    """Return the dead letters, in the order of their partitions."""
    letters = []
    async for records in read_topic(settings, topic_name(settings, DEAD_LETTERS)):
        letters += [letter_of(record) for record in records]
    return letters


def letter_of(record: ConsumerRecord) -> dict[str, Any]:
    """Return the JSON object of a record of the dead-letter topic."""
    why = {name: value.decode() for name, value in record.headers}
    letter: dict[str, Any] = {
        "reason": why["reason"],
        "detail": why["detail"],
        "topic": why["topic"],
        "partition": int(why["partition"]),
        "offset": int(why["offset"]),
        "key": None if record.key is None else record.key.decode(errors="replace"),
    }
    # The full sizes of value and key, for a letter that holds only their first bytes.
    letter |= {name: int(why[name]) for name in ("truncated", "truncated_key") if name in why}
    return letter | text_or_base64(record.value or b"")


def known_users(flow: Flow) -> list[str]:
    """Return the users with an applied event, sorted."""
    return _known(flow.users)


def known_items(flow: Flow) -> list[str]:
    """Return the items with an applied fact, sorted; none of a flow without items."""
    return [] if flow.items is None else _known(flow.items)


def _known(stage: Stage) -> list[str]:
    decode = stage.spec.entity.decode
    known = []
    for number, partition in stage.engine.partitions.items():
        for key, state in partition.states.items(number):
            if decode(state).revision:
                known.append(key.decode())
    return sorted(known)


def served_features(settings: Settings, users: Sequence[str]) -> list[dict[str, Any]]:
    """Return the features of these users as the online store serves them."""
    kept = (JOIN_KEY, "event_time", "revision", *NAMES, "profile_vector", "encoder", "taste_vector", "titles_waiting")
    return [{name: row[name] for name in kept} for row in read_users(settings.online_url, users)]


def served_capacity(settings: Settings, users: Sequence[str]) -> list[dict[str, Any]]:
    """Return what the view of capacity serves of these users, of those that it serves."""
    rows = read_users(settings.online_url, users)
    return [{JOIN_KEY: row[JOIN_KEY], **row[CAPACITY]} for row in rows if CAPACITY in row]


def served_items(settings: Settings, items: Sequence[str]) -> list[dict[str, Any]]:
    """Return the signals of these items as the online store serves them."""
    return read_items(settings.online_url, items)


def write_ndjson(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write one JSON object per line."""
    with path.open("wb") as file:
        for row in rows:
            file.write(orjson.dumps(row, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n")
