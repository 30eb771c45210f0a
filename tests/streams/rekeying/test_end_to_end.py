"""From a shop's own topic to rows and scores, on a broker."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from support.inputs import ends_of_inputs
from support.oracle import assert_same
from support.patience import PATIENCE_S
from support.runs import run_flow
from support.servers.brokers import Broker
from support.shop_topics import (
    as_call,
    behind,
    letters_of,
    publish,
    rekey_settings,
    rekeyed,
    rekeying,
    shop_lines,
    worked_off,
)
from support.shoppers import BASE, encoded

from streams.broker.reading import read_topic
from streams.contract import CLICKS, topic_name
from streams.exceptions import RefusedInputError
from streams.operating.redriving.letters import Choice, Standing
from streams.operating.redriving.redrive import Redrive
from streams.records.placement import partition_of_key
from streams.settings import Settings


@pytest.fixture
def shop(broker: Broker) -> str:
    """The name of a topic that is this test's own."""
    return f"{broker.topic_prefix}shop.events"


@pytest.fixture
def settings(broker: Broker, shop: str, tmp_path: Path, session: dict[str, float]) -> Settings:
    return rekey_settings(tmp_path, [shop], broker=broker.url, **session)


def bare(number: int, **fields: Any) -> dict[str, Any]:
    return {
        **{"event_id": f"e{number}", "user_id": f"u{number % 7}", "item_id": "i", "action": "view"},
        **{"price": 3.5, "timestamp": BASE + number},
    } | fields


async def inputs(settings: Settings, topic: str = CLICKS) -> list[Any]:
    return [record async for records in read_topic(settings, topic_name(settings, topic)) for record in records]


async def redrive(settings: Settings) -> Counter[Standing]:
    work = Redrive(settings)
    await work.survey(Choice())
    await work.send()
    return Counter(letter.standing for letter in work.letters)


async def test_unkeyed_calls_of_segment_become_the_rows_and_scores_of_the_same_orders_in_our_shape(
    settings: Settings, shop: str, tmp_path: Path
) -> None:
    lines = shop_lines(1, 1500, 40)
    calls = [as_call(line) for line in lines]
    others = [orjson.dumps({"type": "identify", "userId": "user-1"})] * 20
    await publish(settings, shop, [*calls, *others], compression_type="zstd")
    async with rekeying(settings) as flow:
        await rekeyed(settings, shop)
        (left_out,) = [sample.value for sample in next(iter(flow.metrics.left_out.collect())).samples]
    assert left_out == len(others)
    ours = await worked_off(settings)
    assert not ours.letters
    apart = settings.model_copy(update={"topic_prefix": f"{settings.topic_prefix}ours-", "state_dir": tmp_path / "o"})
    assert_same(ours, await run_flow(apart, encoded(lines)))


async def test_events_are_keyed_by_user_and_keep_their_order_in_each_partition(settings: Settings, shop: str) -> None:
    lines = [{"topic": CLICKS, "value": bare(number)} for number in range(3000)]
    # All events of a user in one partition of the source, whatever the key there.
    values = [orjson.dumps(line) for line in lines]
    await publish(settings, shop, values, partitions=7, key=b"the same for all")
    async with rekeying(settings):
        await rekeyed(settings, shop)
    found = await inputs(settings)
    assert len(found) == len(lines)
    seen: dict[str, int] = {}
    for record in found:
        value = orjson.loads(record.value)
        assert record.key.decode() == value["user_id"]
        assert record.partition == partition_of_key(record.key, settings.partitions)
        assert value["timestamp"] > seen.get(value["user_id"], 0)
        seen[value["user_id"]] = value["timestamp"]


async def test_topics_of_several_partitionings_and_shapes_are_read_by_one_process(
    settings: Settings, shop: str
) -> None:
    lines = shop_lines(2, 200, 20)
    await publish(settings, shop, [as_call(line) for line in lines], partitions=5)
    await publish(settings, f"{shop}.own", [orjson.dumps({"topic": CLICKS, "value": bare(n)}) for n in range(100)])
    await publish(settings, f"{shop}.bare", [orjson.dumps(bare(n)) for n in range(100, 150)], partitions=1)
    sources = f"{shop},{shop}.own,{shop}.bare=clicks"
    several = settings.model_copy(update={"rekey_sources": sources})
    async with rekeying(several):
        await rekeyed(several, shop, f"{shop}.own", f"{shop}.bare")
    assert not await letters_of(settings)
    assert sum((await ends_of_inputs(settings)).values()) == 350


async def test_an_event_without_an_id_has_one_by_its_place(settings: Settings, shop: str, tmp_path: Path) -> None:
    bare_settings = settings.model_copy(update={"rekey_sources": f"{shop}=clicks"})
    values = [orjson.dumps({k: v for k, v in bare(number).items() if k != "event_id"}) for number in range(40)]
    await publish(settings, shop, values)
    for _ in range(2):
        # The second process begins anew, as one does whose commit was lost.
        again = bare_settings.model_copy(update={"rekey_group_id": f"{shop}-{_}"})
        async with rekeying(again):
            await rekeyed(again, shop)
    found = [orjson.loads(record.value)["event_id"] for record in await inputs(settings)]
    assert len(found) == 80
    assert set(found) == {f"{shop}/{number % 3}/{number // 3}" for number in range(40)}
    run = await worked_off(settings)
    assert sum(row["revision"] for row in run.features.values()) == 40


async def test_what_is_refused_is_redriven_once_by_the_settings_of_then(
    settings: Settings, shop: str, tmp_path: Path
) -> None:
    dollars = [orjson.dumps({"topic": CLICKS, "value": bare(number)}) for number in range(60)]
    euros = [orjson.dumps({"topic": CLICKS, "value": bare(number, currency="EUR")}) for number in range(60, 80)]
    await publish(settings, shop, [*dollars, *euros])
    async with rekeying(settings):
        await rekeyed(settings, shop)
    letters = await letters_of(settings)
    assert {(letter["reason"], letter["topic"]) for letter in letters} == {("invalid", shop)}
    places = {(letter["partition"], letter["offset"]) for letter in letters}
    assert places == {(number % 3, number // 3) for number in range(60, 80)}
    assert {letter["raw"].encode() for letter in letters} == set(euros)
    assert await redrive(settings) == {Standing.STILL_REFUSED: 20}
    mended = settings.model_copy(update={"currency": "EUR"})
    assert await redrive(mended) == {Standing.SENT: 20}
    ends = await ends_of_inputs(settings)
    assert await redrive(mended) == {Standing.SENT_BEFORE: 20}
    assert await ends_of_inputs(settings) == ends
    assert await behind(settings, shop) == 0
    run = await worked_off(mended)
    assert sum(row["revision"] for row in run.features.values()) == 80


async def test_of_an_order_that_is_refused_in_part_only_the_rest_is_redriven(settings: Settings, shop: str) -> None:
    products = [{"product_id": "a", "price": 2, "currency": "USD"}, {"product_id": "b", "price": 3}]
    order = {
        **{"type": "track", "event": "Order Completed", "userId": "u", "messageId": "m", "timestamp": BASE},
        "properties": {"products": [*products, {"product_id": "c", "price": 9e9}]},
    }
    await publish(settings, shop, [orjson.dumps(order)])
    async with rekeying(settings):
        await rekeyed(settings, shop)
    assert len(await inputs(settings)) == 2
    assert [letter["reason"] for letter in await letters_of(settings)] == ["invalid"]
    assert await redrive(settings) == {Standing.STILL_REFUSED: 1}
    assert len(await inputs(settings)) == 2


@pytest.mark.parametrize("wrong", ["segment", "ga4", "own"])
async def test_a_format_that_does_not_fit_stops_before_anything_is_sent(
    settings: Settings, shop: str, wrong: str
) -> None:
    await publish(settings, shop, [b'{"order": 1, "who": "somebody"}'] * 1200)
    async with rekeying(settings.model_copy(update={"rekey_format": wrong})) as flow:
        with pytest.raises(RefusedInputError) as refused:
            await asyncio.wait_for(flow.wait(), PATIENCE_S)
    assert f"{shop!r} refused (WHEREWITHAL_REKEY_MAX_REFUSED)" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not await letters_of(settings)
    assert await behind(settings, shop) == 1200


async def test_a_stretch_of_refused_records_stops_it_later_too(settings: Settings, shop: str) -> None:
    good = [orjson.dumps({"topic": CLICKS, "value": bare(number)}) for number in range(3000)]
    await publish(settings, shop, [*good, *[b'{"order": 1}'] * 6000])
    async with rekeying(settings) as flow:
        with pytest.raises(RefusedInputError, match=r"of the latest .*: .* x invalid: line: expected"):
            await asyncio.wait_for(flow.wait(), PATIENCE_S)
    letters = len(await letters_of(settings))
    assert letters <= 1000
    assert await behind(settings, shop) >= 5000
    # Whichever partitions were read first.
    assert 1000 <= len(await inputs(settings)) <= 3000


async def test_large_values_pass_or_become_letters_and_end_nothing(settings: Settings, shop: str) -> None:
    good = [orjson.dumps({"topic": CLICKS, "value": bare(number)}) for number in range(30)]
    padded = orjson.dumps({"topic": CLICKS, "value": bare(99, title="x" * 900_000)})
    huge = b'{"topic": "clicks", "value": "' + b"x" * (8 << 20) + b'"}'
    await publish(settings, shop, [*good, huge, padded, None, b"", *good[:1]], key=b"shop")
    async with rekeying(settings):
        await rekeyed(settings, shop)
    letters = await letters_of(settings)
    assert Counter(letter["reason"] for letter in letters) == {"too_large": 1, "malformed": 2}
    (large,) = [letter for letter in letters if letter["reason"] == "too_large"]
    assert large["truncated"] == len(huge)
    assert len(await inputs(settings)) == 32
    # Only the whole record could be translated again.
    assert (await redrive(settings))[Standing.TRUNCATED] == 1
