"""Forgetting an item: the request goes behind its facts, every place is read back, and the item may begin anew."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from support.encoders import HashEncoder
from support.patience import PATIENCE_S
from support.runs import quick_settings, work
from support.shoppers import BASE

from streams.contract import FACTS, ITEM_SIGNALS
from streams.exceptions import BrokerError, ConfigurationError, DrainTimeoutError
from streams.item_settings import Stages
from streams.operating.erasing.receipt import ONLINE_STORE
from streams.operating.items.forgetting import forget
from streams.operating.items.forgotten import ITEM_TABLE
from streams.operating.read_back import last_records, served_items
from streams.worker.flow import Flow

pytestmark = pytest.mark.usefixtures("broker")


def view(number: int, item: str, timestamp: int = BASE) -> dict[str, Any]:
    value = {"event_id": f"e{number}", "user_id": f"u{number}", "item_id": item, "action": "view"}
    return {"topic": "clicks", "value": value | {"timestamp": timestamp, "title": "a red jug"}}


async def test_an_item_is_forgotten_everywhere_and_a_later_fact_makes_it_anew(tmp_path: Path) -> None:
    settings = quick_settings(tmp_path, items=True)
    async with Flow(settings, encoder=HashEncoder()) as flow:
        await work(flow, [view(1, "gone"), view(2, "gone"), view(3, "stays")])
        receipt = await forget(flow.settings, "gone", PATIENCE_S)
        again = await forget(flow.settings, "gone", PATIENCE_S)
        stranger = await forget(flow.settings, "nobody's", PATIENCE_S)
        left = await last_records(flow.settings, ITEM_SIGNALS)
        rows = await asyncio.to_thread(served_items, flow.settings, ["gone", "stays"])
        await work(flow, [view(4, "gone", BASE + 1)])
        (anew,) = await asyncio.to_thread(served_items, flow.settings, ["gone"])
    assert receipt.verified
    assert again.verified
    assert stranger.verified
    assert [found.served_before for found in (receipt, again, stranger)] == [True, False, False]
    assert set(receipt.removed) == {ITEM_TABLE, ONLINE_STORE, ITEM_SIGNALS}
    assert {kept.place for kept in receipt.kept} == {FACTS, ITEM_TABLE, ITEM_SIGNALS, ONLINE_STORE}
    assert next(iter(receipt.as_dict())) == "item_id"
    assert list(left) == ["stays"]
    assert [row["item_id"] for row in rows] == ["stays"]
    assert (anew["revision"], anew["views_30d"]) == (1, 1)


async def test_without_a_stage_of_items_the_command_ends_in_time_and_says_what_to_look_at(tmp_path: Path) -> None:
    settings = quick_settings(tmp_path, items=True)
    with pytest.raises(BrokerError, match=r"expected a topic .*item-facts"):
        await forget(settings, "i", PATIENCE_S)
    async with Flow(settings, encoder=HashEncoder()) as flow:
        await work(flow, [view(1, "i")])
    async with Flow(settings.model_copy(update={"stages": Stages.USERS}), encoder=HashEncoder()) as flow:
        with pytest.raises(DrainTimeoutError, match=r"an item stage \(WHEREWITHAL_STAGES both or items\) run"):
            await forget(flow.settings, "i", 0.5)
    with pytest.raises(ConfigurationError, match="WHEREWITHAL_ITEMS: expected true"):
        await forget(settings.model_copy(update={"items": False}), "i", 0.5)
