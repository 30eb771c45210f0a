"""Items are told of events that are sent back, each once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from support.encoders import SwitchableEncoder
from support.inputs import ends_of_inputs
from support.item_oracle import assert_rows, wanted_items
from support.plain_feast import served_items
from support.redriving import purchase, redrive, review, worker
from support.runs import quick_settings
from support.servers.brokers import Broker

from streams.broker.publisher import Publisher
from streams.contract import FACTS, topic_name
from streams.operating.redriving.letters import Standing
from streams.records.outgoing import Outgoing
from streams.telemetry.tally import Fate
from streams.worker.flow import Flow

EUR = {"currency": "EUR"}


def taken(line: dict[str, Any]) -> dict[str, Any]:
    """The line as one that is not refused: no feature of an item tells this text from another that is fine."""
    value = line["value"] | {"currency": None}
    return line | {"value": value | {"text": "a fine record"} if "text" in value else value}


async def rows(flow: Flow, folder: Path) -> dict[str, dict[str, Any]]:
    """What plain Feast serves of the items i and j."""
    return await asyncio.to_thread(served_items, flow.settings, folder / "items-feast", ["i", "j"])


async def test_what_redriven_events_say_of_items_counts_once_however_often_they_come(
    tmp_path: Path, broker: Broker
) -> None:
    settings = quick_settings(tmp_path, broker=broker.url, items=True)
    encoder = SwitchableEncoder()
    first = [purchase("u", 1), review("u", 2, "a fine record"), purchase("v", 3, item_id="j")]
    refused = [
        *(purchase(user, 4, title="Blue Train", quantity=2, **EUR) for user in ("u", "v", "w")),
        purchase("u", 5, item_id="j", action="refund", **EUR),
        review("w", 6, "a POISON record"),
    ]
    async with worker(settings, encoder) as flow:
        before = await flow.take([*first, *refused])
        assert len(before.letters) == len(refused)
        assert (flow.tally.facts_sent, flow.tally.facts_applied) == (3, 3)
        assert_rows(await rows(flow, tmp_path), wanted_items(first))
    encoder.poison = b"never written"
    async with worker(settings.model_copy(update=EUR), encoder) as flow:
        assert await redrive(settings) == {Standing.SENT: len(refused)}
        await flow.settle()
        assert (flow.tally.facts_sent, flow.tally.facts_applied) == (len(refused), len(refused))
        once = await rows(flow, tmp_path)
        assert_rows(once, wanted_items([*first, *map(taken, refused)]))
        assert await redrive(settings) == {Standing.SENT_BEFORE: len(refused)}
        # As by an operator who publishes the letters by hand as well.
        await flow.take(refused)
        assert flow.tally.fates[Fate.DUPLICATE] == len(refused)
        assert (flow.tally.facts_sent, flow.tally.facts_applied) == (len(refused), len(refused))
        assert await rows(flow, tmp_path) == once


async def test_a_damaged_message_of_facts_is_not_sent_back(tmp_path: Path, broker: Broker) -> None:
    settings = quick_settings(tmp_path, broker=broker.url, items=True)
    async with worker(settings) as flow:
        publisher = Publisher(flow.settings)
        await publisher.start()
        await (await publisher.send(topic_name(settings, FACTS), 0, [Outgoing(b"i", b"\x01no fact")])).acknowledged()
        await publisher.stop()
        run = await flow.take([purchase("u", 1)])
        ends = await ends_of_inputs(settings)
        assert [(letter["topic"], letter["reason"]) for letter in run.letters] == [(FACTS, "malformed")]
        assert await redrive(settings) == {Standing.INTERNAL: 1}
        assert await ends_of_inputs(settings) == ends
        assert (await flow.settle()).letters == run.letters
        assert (flow.tally.facts_sent, flow.tally.facts_applied) == (1, 1)
