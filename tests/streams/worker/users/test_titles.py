"""Titles of clicks: none is waited for, none is lost, none counts twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faust.types import TP
from numpy.typing import NDArray
from support.encoders import HashEncoder, SwitchableEncoder
from support.patience import PATIENCE_S
from support.runs import quick_settings
from support.shoppers import BASE, arriving

from features.users.row import taste
from models.profile import Projection
from models.text.cleaning import clean
from streams.cli.replay import feed
from streams.contract import CLICKS, topic_name
from streams.inference.title_reader import AT_ONCE
from streams.operating.drain import Drain
from streams.operating.feeder import Feeder
from streams.telemetry.tally import Fate
from streams.worker.flow import Flow

pytestmark = pytest.mark.usefixtures("broker")

WEIGHTS = {"view": 0.25, "favorite": 0.5, "cart": 0.5, "purchase": 1.0}


def click(number: int, title: str | None = None, action: str = "view", user: str = "u") -> dict[str, Any]:
    value = {"event_id": f"e{number}", "user_id": user, "item_id": "i", "action": action, "timestamp": BASE + number}
    return {"topic": CLICKS, "value": value if title is None else value | {"title": title}}


def expected(clicks: Sequence[dict[str, Any]]) -> NDArray[np.float32]:
    """The taste vector of the user who clicked all of these, by the formula."""
    encoder, projection = HashEncoder(), Projection.orthogonal(HashEncoder.dimension)
    total = np.zeros(64)
    for value in (line["value"] for line in clicks):
        if weight := WEIGHTS.get(value["action"], 0.0):
            (vector,) = projection.apply(encoder.embed(encoder.tokenize([clean(value["title"])])))
            total += weight * 2.0 ** ((value["timestamp"] - BASE) / (60 * 86_400_000)) * vector
    return (total / np.linalg.norm(total)).astype(np.float32)


class Watched(Flow):
    """A flow of one partition, and what its worker and its broker know."""

    @property
    def waiting(self) -> list[int]:
        """Offsets of the user's clicks whose titles wait."""
        state = self.engine.held.find("u")
        return [] if state is None else list(state.waiting)

    @property
    def taste(self) -> NDArray[np.float32]:
        state = self.engine.held.find("u")
        assert state is not None
        return taste(state, self.inference.encoder)

    @property
    def committable(self) -> int | None:
        ledger = self.app.consumer.ledgers.get(TP(topic_name(self.settings, CLICKS), 0))
        return None if ledger is None else ledger.committable

    def metric(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"wherewithal_{name}", labels) or 0.0

    async def sent(self, *lines: dict[str, Any]) -> Feeder:
        return await feed(self, Drain(self, 100_000), arriving(list(lines)))

    async def settled(self, feeder: Feeder) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await Drain(self, 0).drained(feeder.ends)

    async def until(self, reached: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not reached():
                assert self.failed_with is None
                await asyncio.sleep(0.01)


@asynccontextmanager
async def watched(folder: Path, encoder: HashEncoder, **settings: Any) -> AsyncIterator[Watched]:
    async with Watched(quick_settings(folder, partitions=1, **settings), encoder=encoder) as flow:
        yield flow


async def test_titles_are_taken_in_behind_their_clicks_and_then_with_them(tmp_path):
    clicks = [
        click(1, "Oat milk"),
        click(2, "Oat milk", "purchase"),
        click(3, "Rye bread", "cart"),
        click(4, "Oat milk", "refund"),
        click(5, "Rye bread", "remove"),
    ]
    async with watched(tmp_path, HashEncoder()) as flow:
        await flow.settled(await flow.sent(*clicks))
        assert flow.waiting == []
        np.testing.assert_allclose(flow.taste, expected(clicks), atol=1e-5)
        assert flow.engine.equipment.titles.encoded == 2
        assert flow.engine.equipment.reader.encoded == 0
        assert flow.metric("titles_waited_total") == 3
        more = click(6, "Oat milk", "favorite")
        await flow.settled(await flow.sent(more))
        np.testing.assert_allclose(flow.taste, expected([*clicks, more]), atol=1e-5)
        assert flow.metric("titles_waited_total") == 3, "a title that is known is taken in with its click"
        assert flow.engine.equipment.titles.encoded == 2


class Counting(HashEncoder):
    """Notes how many texts each pass has."""

    def __init__(self) -> None:
        self.passes_of: list[int] = []

    def embed(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        self.passes_of.append(len(batch))
        return super().embed(batch)


async def test_many_titles_at_once_are_read_a_few_at_a_time_and_none_is_left_out(tmp_path):
    encoder = Counting()
    clicks = [click(number, f"Title {number}") for number in range(5 * AT_ONCE)]
    async with watched(tmp_path, encoder) as flow:
        await flow.settled(await flow.sent(*clicks))
        assert flow.waiting == []
        np.testing.assert_allclose(flow.taste, expected(clicks), atol=1e-5)
        assert sum(encoder.passes_of) >= len(clicks)
        assert max(encoder.passes_of) <= AT_ONCE


async def test_while_the_encoder_is_down_clicks_go_on_and_their_offsets_are_held_back(tmp_path):
    encoder = SwitchableEncoder()
    encoder.broken = True
    clicks = [click(0), click(1, "Oat milk"), click(2), click(3, "Rye bread")]
    async with watched(tmp_path, encoder) as flow:
        sent = await flow.sent(*clicks)
        await flow.until(lambda: flow.engine.encoder_down)
        assert flow.waiting == [1, 3]
        assert flow.tally.fates[Fate.APPLIED] == 4
        await flow.until(lambda: flow.committable == 1)
        assert flow.metric("waiting_titles", partition="0") == 2
        assert flow.metric("title_wait_seconds", partition="0") > 0
        assert flow.metric("degraded") == 1
        encoder.broken = False
        await flow.settled(sent)
        assert not flow.engine.encoder_down
        assert (flow.waiting, flow.committable) == ([], 4)
        assert flow.metric("waiting_titles", partition="0") == 0
        np.testing.assert_allclose(flow.taste, expected([clicks[1], clicks[3]]), atol=1e-5)


async def test_a_title_that_fails_alone_counts_as_noisy_and_is_no_dead_letter(tmp_path):
    clicks = [click(1, "Oat milk"), click(2, "POISON ivy"), click(3, "Rye bread")]
    async with watched(tmp_path, SwitchableEncoder()) as flow:
        await flow.settled(await flow.sent(*clicks))
        assert flow.waiting == []
        np.testing.assert_allclose(flow.taste, expected([clicks[0], clicks[2]]), atol=1e-5)
        assert flow.metric("titles_read_total", outcome="failed") == 1
        assert flow.tally.fates == {Fate.APPLIED: 3}


async def test_beyond_their_bound_clicks_wait_for_titles_until_some_are_read(tmp_path):
    encoder = SwitchableEncoder()
    encoder.broken = True
    clicks = [click(number, f"item {number}") for number in range(50)]
    async with watched(tmp_path, encoder, waiting_titles=10, lane_slice=5) as flow:
        sent = await flow.sent(*clicks)
        await flow.until(lambda: flow.metric("clicks_paused", partition="0"))
        await flow.until(lambda: flow.engine.encoder_down)
        assert len(flow.waiting) == flow.tally.fates[Fate.APPLIED] == 10
        assert flow.excuse(CLICKS) == "the encoder is down"
        encoder.broken = False
        await flow.settled(sent)
        assert flow.tally.fates[Fate.APPLIED] == 50
        assert flow.waiting == []
        assert flow.metric("clicks_paused", partition="0") == 0
        assert flow.metric("clicks_pauses_total", partition="0") >= 1
        np.testing.assert_allclose(flow.taste, expected(clicks), atol=1e-5)


async def test_an_erasure_between_a_click_and_its_title_leaves_nothing_of_the_title(tmp_path):
    encoder = SwitchableEncoder()
    encoder.broken = True
    async with watched(tmp_path, encoder) as flow:
        before = await flow.sent(click(1, "Oat milk"))
        await flow.until(lambda: flow.waiting)
        erased = await flow.sent({"topic": "erasures", "value": {"user_id": "u", "timestamp": BASE + 2}})
        assert not flow.waiting
        again = click(3, "Rye bread")
        after = await flow.sent(again)
        encoder.broken = False
        for feeder in (before, erased, after):
            await flow.settled(feeder)
        np.testing.assert_allclose(flow.taste, expected([again]), atol=1e-5)


async def test_a_click_that_is_delivered_again_counts_only_if_its_title_waited(tmp_path):
    encoder = SwitchableEncoder()
    clicks = [click(1, "Oat milk"), click(2, "Rye bread"), click(2, "Rye bread")]
    settings = {"topic_prefix": "again-", "state_store": "rocksdb"}
    async with watched(tmp_path, encoder, **settings) as flow:
        await flow.settled(await flow.sent(clicks[0]))
        encoder.broken = True
        await flow.sent(*clicks[1:])
        await flow.until(lambda: flow.waiting == [1])
        await flow.until(lambda: flow.committable == 1)
    encoder.broken = False
    async with watched(tmp_path, encoder, **settings) as flow:
        # Committed is all before the click that waits, so that it and the duplicate behind it come again.
        await flow.until(lambda: flow.tally.fates[Fate.REDELIVERED] == 2 or flow.tally.fates[Fate.DUPLICATE])
        await flow.until(lambda: flow.committable == 3)
        assert flow.waiting == []
        np.testing.assert_allclose(flow.taste, expected(clicks[:2]), atol=1e-5)


async def test_hostile_titles_are_settled(tmp_path):
    titles = [
        "x" * (1 << 19),
        "<b onload=alert(1)>Oat</b> milk &amp; more",
        "🛒🥛" * 300,
        "有机全脂牛奶",
        " \t ",
        "",
        "\x00\x07",
    ]
    clicks = [click(number, title, user=f"u{number}") for number, title in enumerate(titles)]
    async with watched(tmp_path, HashEncoder()) as flow:
        await flow.settled(await flow.sent(*clicks))
        assert flow.tally.fates == {Fate.APPLIED: len(titles)}
        states = [flow.engine.held.find(f"u{number}") for number in range(len(titles))]
        assert not any(state.waiting for state in states)
        says_something = [taste(state, flow.inference.encoder).any() for state in states]
        assert says_something == [False, True, False, True, False, False, False]
