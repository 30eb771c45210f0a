"""Forgetting an item and proving it: the request goes the way of the facts, then every place is read back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from aiokafka import TopicPartition

from features.items.entity import ITEM
from features.online.item_views import ITEMS
from streams.broker.topics.counts import common_partitions
from streams.broker.topics.log_ends import high_watermarks
from streams.contract import FACTS, ITEM_SIGNALS, items_changelog_name, topic_name
from streams.exceptions import ConfigurationError
from streams.name_settings import items_group_name
from streams.operating.erasing.places import READINGS, configs_of, look_up, newest_state, records_since
from streams.operating.erasing.receipt import ONLINE_STORE, Kept, Receipt, judge_records, judge_store
from streams.operating.erasing.requests import Place, obeyed_all_the_same, publish, settled
from streams.operating.items.forgotten import FORGET, ITEM_TABLE, judge_item, kept_after
from streams.progress import Progress
from streams.records.items.facts import Forget, encode
from streams.records.placement import partition_of_key
from streams.settings import Settings

_WORKERS: Final = "workers with an item stage (WHEREWITHAL_STAGES both or items) run"


async def forget(
    settings: Settings, item_id: str, timeout_s: float, progress: Progress = lambda what, done, of: None
) -> Receipt[Forget]:
    """Publish a request, wait until the group of the item stage has settled it, and read every place back.

    Args:
        settings: those of the workers: broker, prefix, group and online store.
        item_id: 1..256 UTF-8 bytes.
        timeout_s: seconds that the item stage may take; reading back takes time beyond them.
        progress: told for how long the workers have been waited for.

    Raises:
        ConfigurationError: these workers keep no items.
        BrokerError: the broker or a topic cannot be used; nothing was published if a topic is missing.
        DrainTimeoutError: no item stage settled the request in time.
        OnlineStoreURLError: the settings name no online store that this program knows; nothing was published.
        StreamsError: the result cannot be read back; the message says that the request was published.
    """
    if not settings.items:
        raise ConfigurationError("WHEREWITHAL_ITEMS: expected true, as of workers that keep items, found false")
    before = await asyncio.to_thread(look_up, settings.online_url, item_id, ITEMS)
    facts, signals = topic_name(settings, FACTS), topic_name(settings, ITEM_SIGNALS)
    changelog = items_changelog_name(settings)
    key = item_id.encode()
    number = partition_of_key(key, await common_partitions(settings, [facts, changelog, signals]))
    # All effects of this request are appended behind these ends, so no record before them needs to be read.
    starts = await high_watermarks(settings, [TopicPartition(name, number) for name in (changelog, signals)])
    request = Forget(item_id)
    place = await publish(settings, TopicPartition(facts, number), key, encode(request), FORGET)
    with obeyed_all_the_same(place, FORGET):
        await settled(settings, items_group_name(settings), place, timeout_s, progress, _WORKERS)
        names = {facts: FACTS, changelog: ITEM_TABLE, signals: ITEM_SIGNALS}
        kept = kept_after(await configs_of(settings, names), int(time.time() * 1000))
        for _ in range(READINGS):
            receipt = await _read_back(settings, request, place, starts, kept)
            if receipt.verified:
                break
    return replace(receipt, served_before=None if before.trouble else before.serves)


async def _read_back(
    settings: Settings,
    request: Forget,
    place: Place,
    starts: Mapping[TopicPartition, int],
    kept: Sequence[Kept],
) -> Receipt[Forget]:
    """Read the places in the reverse of the order in which a worker writes them."""
    key = request.item_id.encode()
    changelog, signals = starts
    served = await asyncio.to_thread(look_up, settings.online_url, request.item_id, ITEMS)
    records = await records_since(settings, signals, starts[signals], key)
    state, written = await newest_state(settings, ITEM, changelog, starts[changelog], key)
    removed = {
        ITEM_TABLE: judge_item(state, written, place, changelog.topic),
        ONLINE_STORE: judge_store(served, state, ITEMS, FORGET),
        ITEM_SIGNALS: judge_records(records, signals.topic, state, FORGET),
    }
    return Receipt(request, place, removed, kept, state.revision)
