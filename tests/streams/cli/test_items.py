"""`items`: the items that move, one of them in full, and the stream of their signals."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing

import pytest
from support.command import here, refused
from support.item_records import item_record, publish_signals
from support.patience import PATIENCE_S
from support.servers.brokers import Broker, fresh_prefix
from support.shoppers import BASE

from streams.contract import ITEM_SIGNALS
from streams.inference.sentiment import shipped
from streams.operating.record_stream import follow_records
from streams.settings import Settings, load_settings

HOSTILE = "[red]i[/]\x1b[2J\u202e:smile:"
WIDE = "a title that is far too wide for any column of a table of 80 columns"


@pytest.fixture(scope="module")
def shop(shared_broker: str) -> tuple[dict[str, str], Settings]:
    broker = Broker(shared_broker, fresh_prefix())
    settings = load_settings(broker=broker.url, topic_prefix=broker.topic_prefix, partitions=3)
    records = [
        ("a", item_record("a", revenue_7d=30.0, units_7d=3, title=WIDE, rating_text_gap_30d=0.2)),
        ("b", item_record("b", revenue_7d=20.0, units_7d=9, rating_text_gap_30d=-0.9)),
        ("c", item_record("c", revenue_7d=99.0, revision=2, risk={"score": 71.4, "reviews": {"count": 4}})),
        ("c", item_record("c", revenue_7d=1.0, revision=3, risk={"score": 71.4, "reviews": {"count": 4}})),
        ("c", item_record("c", revenue_7d=500.0, revision=1)),
        ("gone", item_record("gone", revenue_7d=1000.0)),
        ("gone", None),
        (HOSTILE, item_record(HOSTILE, revenue_7d=25.0, title=HOSTILE, category="\x9b1m[/]")),
    ]
    asyncio.run(publish_signals(settings, records))
    return broker.environment | {"COLUMNS": "80"}, settings


def items_by(shop: tuple[dict[str, str], Settings], *words: object) -> list[str]:
    code, out, err = here("items", "--json", *words, **shop[0])
    assert (code, err) == (0, "")
    return [json.loads(line)["item_id"] for line in out.splitlines()]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), ["a", HOSTILE, "b", "c"]),
        (("--top", 2), ["a", HOSTILE]),
        (("--by", "units", "--top", 1), ["b"]),
        (("--by", "gap"), ["b", "a"]),
        (("--by", "risk"), ["c"]),
        (("--by", "risk.reviews.count"), ["c"]),
    ],
)
def test_items_are_ordered_by_a_number_of_their_newest_records(
    shop: tuple[dict[str, str], Settings], words: tuple[object, ...], expected: list[str]
) -> None:
    assert items_by(shop, *words) == expected


@pytest.mark.parametrize("field", ["demand", "degraded", "title", "revenu", "title_vector.0x"])
def test_a_field_that_holds_no_number_is_told(shop: tuple[dict[str, str], Settings], field: str) -> None:
    code, out, err = here("items", "--by", field, **shop[0])
    assert (code, out) == (2 if "." in field else 0, "")
    assert (field if field != "demand" else "demand.trend.low") in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("columns", [40, 80, 160])
def test_the_table_fits_the_terminal_and_obeys_nothing(shop: tuple[dict[str, str], Settings], columns: int) -> None:
    code, out, err = here("items", **shop[0] | {"COLUMNS": str(columns)})
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= columns
    assert "[red]i[/]\\u0" in out
    assert not set(out) & {"\x1b", "\x9b", "\u202e"}
    assert "gone" not in out


def test_one_item_is_shown_in_full(shop: tuple[dict[str, str], Settings]) -> None:
    code, out, err = here("items", "c", **shop[0])
    assert (code, err) == (0, "")
    assert "[64 numbers]" in out
    shown = {line.split("│")[1].strip(): line.split("│")[2].strip() for line in out.splitlines() if "│" in line}
    assert (shown["revision"], shown["revenue_7d"], shown["risk.reviews.count"]) == ("3", "1.0", "4")
    code, out, _ = here("items", HOSTILE, "--json", **shop[0])
    assert code == 0
    assert json.loads(out)["category"] == "\x9b1m[/]"
    assert "\x9b" not in out


def test_where_the_polarity_that_is_shown_is_weak_one_line_says_so(shop: tuple[dict[str, str], Settings]) -> None:
    heads = {artefact.encoder_name: artefact.polarity.identity for artefact in shipped()}
    judged = {"sentiment": {"judged_reviews_30d": 9}, "polarity_30d": 0.1}
    records = [
        (name, item_record(name, model={"polarity": heads[encoder], "encoder": "e"}, **judged))
        for name, encoder in (("mini", "all-MiniLM-L6-v2"), ("multi", "multilingual-e5-small"))
    ]
    prefix = fresh_prefix()
    asyncio.run(publish_signals(shop[1].model_copy(update={"topic_prefix": prefix}), records))
    environment = shop[0] | {"WHEREWITHAL_TOPIC_PREFIX": prefix}
    for words in (["mini"], ["--by", "polarity_30d"]):
        code, _, err = here("items", *words, **environment)
        assert (code, err.count("\n")) == (0, 1)
        assert err.startswith("note: polarity by all-MiniLM-L6-v2 is weak on Chinese shopping")
    assert here("items", "multi", **environment)[2] == ""
    assert here("items", "mini", "--json", **environment)[2] == ""


@pytest.mark.parametrize("item", ["gone", "nobody"])
def test_an_item_without_a_record_is_one_line(shop: tuple[dict[str, str], Settings], item: str) -> None:
    assert refused(1, "items", item, **shop[0]).endswith("there is no record of such an item")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--by", "no such"), "--by: expected revenue, units"),
        (("--by", ""), "--by: expected revenue, units"),
        (("--top", "0"), "expected a whole number from 1"),
        (("c", "--top", "3"), "expected them without ITEM"),
        (("--follow", "--by", "risk"), "expected them without ITEM and --follow"),
        (("x" * 257,), "expected 1 to 256 bytes"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    shop: tuple[dict[str, str], Settings], words: tuple[str, ...], told: str
) -> None:
    assert told in refused(2, "items", *words, **shop[0])


def test_a_deployment_without_items_is_one_line(shop: tuple[dict[str, str], Settings]) -> None:
    line = refused(1, "items", **shop[0] | {"WHEREWITHAL_TOPIC_PREFIX": fresh_prefix()})
    assert "item-signals" in line


async def test_the_stream_of_signals_is_followed(shop: tuple[dict[str, str], Settings]) -> None:
    _, settings = shop
    other = settings.model_copy(update={"topic_prefix": fresh_prefix()})
    await publish_signals(other, [("old", item_record("old"))])
    async with aclosing(follow_records(other, ITEM_SIGNALS)) as records:
        following = asyncio.ensure_future(anext(records))
        async with asyncio.timeout(PATIENCE_S):
            while not following.done():
                await publish_signals(other, [("new", item_record("new", event_time=BASE))])
                await asyncio.wait({following}, timeout=0.2)
        item, record = following.result()
    assert record is not None
    assert item == record["item_id"] == "new"
