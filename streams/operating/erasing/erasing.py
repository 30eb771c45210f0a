"""Erasing a user and proving it: the request is published and waited for, then every place is read back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import orjson
from aiokafka import TopicPartition

from features.online.user_views import USERS
from features.users.entity import USER
from streams.broker.topics.counts import common_partitions
from streams.broker.topics.left_over import holds_partition, partitions_left
from streams.broker.topics.log_ends import high_watermarks
from streams.contract import CAPACITY, DEAD_LETTERS, ERASURES, FACTS, INPUTS, changelog_name, published, topic_name
from streams.name_settings import group_name
from streams.operating.erasing.places import READINGS, configs_of, look_up, newest_state, records_since
from streams.operating.erasing.receipt import (
    ERASE,
    ONLINE_STORE,
    USER_TABLE,
    Kept,
    Receipt,
    judge_records,
    judge_state,
    judge_store,
    kept_after,
)
from streams.operating.erasing.requests import Place, obeyed_all_the_same, publish, settled
from streams.progress import Progress
from streams.records.events import Erasure
from streams.records.ndjson import partition_of
from streams.settings import Settings


async def erase(
    settings: Settings, request: Erasure, timeout_s: float, progress: Progress = lambda what, done, of: None
) -> Receipt[Erasure]:
    """Publish a request, wait until the workers' group has settled it, and read every place back.

    Args:
        settings: those of the workers: broker, prefix, group and online store.
        request: valid by the rules of the decoder.
        timeout_s: seconds that the workers may take; reading back takes time beyond them.
        progress: told for how long the workers have been waited for.

    Raises:
        BrokerError: the broker or a topic cannot be used; nothing was published if a topic is missing.
        DrainTimeoutError: no worker settled the request in time.
        OnlineStoreURLError: the settings name no online store that this program knows; nothing was published.
        StreamsError: the result cannot be read back; the message says that the request was published.
    """
    before = await asyncio.to_thread(look_up, settings.online_url, request.user_id, USERS)
    requests, changelog = topic_name(settings, ERASURES), changelog_name(settings)
    outputs = {topic: topic_name(settings, topic) for topic in published(settings)}
    count = await common_partitions(settings, [requests, changelog, *outputs.values()])
    number = partition_of(request.user_id.encode(), count, 0)
    if CAPACITY not in outputs and await holds_partition(settings, number):
        outputs[CAPACITY] = topic_name(settings, CAPACITY)
    items = settings.items or await partitions_left(settings, FACTS) is not None
    # All effects of this request are appended behind these ends, so no record before them needs to be read.
    starts = await high_watermarks(settings, [TopicPartition(name, number) for name in (changelog, *outputs.values())])
    value = orjson.dumps({"user_id": request.user_id, "timestamp": request.timestamp})
    place = await publish(settings, TopicPartition(requests, number), request.user_id.encode(), value, ERASE)
    with obeyed_all_the_same(place, ERASE):
        await settled(settings, group_name(settings), place, timeout_s, progress)
        topics = (*INPUTS, *outputs, DEAD_LETTERS, *((FACTS,) if items else ()))
        names = {topic_name(settings, topic): topic for topic in topics} | {changelog: USER_TABLE}
        configs = await configs_of(settings, names)
        kept = kept_after(outputs, configs, int(time.time() * 1000), items=items)
        for _ in range(READINGS):
            receipt = await _read_back(settings, request, place, outputs, starts, kept)
            if receipt.verified:
                break
    return replace(receipt, served_before=None if before.trouble else before.serves)


async def _read_back(
    settings: Settings,
    request: Erasure,
    place: Place,
    outputs: Mapping[str, str],
    starts: Mapping[TopicPartition, int],
    kept: Sequence[Kept],
) -> Receipt[Erasure]:
    """Read the places in the reverse of the order in which a worker writes them.

    A row or score of a returned user is then never seen without the state in the changelog that explains it.
    """
    changelog = TopicPartition(changelog_name(settings), place.partition)
    key = request.user_id.encode()
    served = await asyncio.to_thread(look_up, settings.online_url, request.user_id, USERS)
    records = {}
    for topic, name in outputs.items():
        log = TopicPartition(name, place.partition)
        records[topic] = await records_since(settings, log, starts[log], key)
    state, written = await newest_state(settings, USER, changelog, starts[changelog], key)
    removed = {
        USER_TABLE: judge_state(state, written, request, place, changelog.topic),
        ONLINE_STORE: judge_store(served, state, USERS),
        **{topic: judge_records(found, outputs[topic], state) for topic, found in records.items()},
    }
    return Receipt(request, place, removed, kept, state.revision)
