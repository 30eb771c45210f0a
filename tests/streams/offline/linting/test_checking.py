"""What the check of a file finds: what its lines become, what is refused, and which features mean less."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pages import CONTRACT, code, rows, section
from support.shoppers import BASE

from features.tiles import DAY, HOUR, MINUTE
from streams.offline.linting.checking import UNREADABLE, Checking, Source
from streams.offline.linting.findings import find
from streams.records.decoder import Decoder
from streams.sources.arrived import Arrived
from streams.sources.options import SourceOptions
from streams.sources.reading import read_sources
from streams.sources.shape import MAX_LEFT_OUT, OTHER, Format, Shaping

numbers = itertools.count()


def click(action: str | None = "purchase", **changes: Any) -> dict[str, Any]:
    number = next(numbers)
    value = {"event_id": f"e{number}", "user_id": f"u{number % 7}", "item_id": "i", "action": action}
    value |= {"timestamp": BASE + number * 11 * HOUR + 7 * MINUTE, "price": 5.0, "currency": "USD", "category": "c"}
    value |= {"title": "a lamp"} | ({"order_id": f"o{number}"} if action == "purchase" else {})
    return {"topic": "clicks", "value": {name: item for name, item in (value | changes).items() if item is not None}}


def review(**changes: Any) -> dict[str, Any]:
    line = click(**{"action": None, "text": "sturdy", "rating": 4, **changes})
    return {"topic": "reviews", "value": line["value"]}


def search(**changes: Any) -> dict[str, Any]:
    line = click(**{"action": None, "query": "lamp", "price": None, **changes})
    return {"topic": "searches", "value": line["value"]}


def good() -> list[dict[str, Any]]:
    """Events of which no feature means less."""
    kinds = ["view", "view", "cart", "purchase"]
    return [*(click(kind) for kind in kinds * 30), *(search() for _ in range(20)), *(review() for _ in range(20))]


def checked(lines: Iterable[object], format: Format = Format.AUTO) -> tuple[Checking, Shaping]:
    shaping = Shaping(format)
    checking = Checking(Decoder(), shaping, BASE + 10_000 * DAY)

    def arrivals() -> Iterable[Arrived]:
        for number, line in enumerate(lines, 1):
            raw = line if isinstance(line, bytes) else json.dumps(line).encode()
            for record in shaping(raw):
                yield Arrived("shop.ndjson", number, record)

    checking.take_all(arrivals())
    return checking, shaping


def whys(lines: Iterable[object]) -> dict[str, tuple[str, ...]]:
    """The features of each finding, by its reason."""
    checking, _ = checked(lines)
    return {found.why: found.features for found in find(checking.portrait, checking.places, "USD")}


def test_events_of_which_nothing_is_wrong_have_no_finding() -> None:
    assert whys(good()) == {}


def test_every_source_is_counted_with_what_becomes_of_it() -> None:
    call = {"type": "track", "messageId": "m", "userId": "u", "timestamp": "2025-11-20T09:15:00Z"}
    products = [{"product_id": "a", "price": 3}, {"product_id": "b"}, {}]
    order = call | {"event": "Order Completed", "properties": {"products": products}}
    page = {"type": "page", "messageId": "p", "userId": "u"}
    erasure = {"topic": "erasures", "value": {"user_id": "u", "timestamp": BASE}}
    lines = [click(), click("view"), click(currency="EUR"), order, page, page, erasure, b"no", {"topic": "clicks"}]
    checking, shaping = checked(lines)
    assert checking.sources == {
        "own clicks": Source(4, checking.sources["own clicks"].becomes, 2),
        "segment Order Completed": Source(1, checking.sources["segment Order Completed"].becomes, 1),
        "own erasures": Source(1, checking.sources["own erasures"].becomes, 0),
        "own": Source(1, checking.sources["own"].becomes, 1),
    }
    assert {name: dict(source.becomes) for name, source in checking.sources.items()} == {
        "own clicks": {"clicks purchase": 1, "clicks view": 1},
        "segment Order Completed": {"clicks purchase": 2},
        "own erasures": {"erasures": 1},
        "own": {},
    }
    assert shaping.left_out == {("segment page", "not about a product"): 2}
    assert (checking.lines, checking.events, checking.erasures) == (7, 4, 1)
    assert checking.refusals.total == 4
    assert {str(checking.places.place(kind.first)) for kind in checking.refusals} == {
        "shop.ndjson:3",
        "shop.ndjson:4",
        "shop.ndjson:8",
        "shop.ndjson:9",
    }


@given(st.lists(st.binary(max_size=40) | st.sampled_from([json.dumps(line).encode() for line in good()[:9]])))
def test_whatever_stands_in_a_file_every_line_has_its_verdict(lines: list[bytes]) -> None:
    checking, shaping = checked(lines)
    assert checking.lines + shaping.left_out.total() == len(lines)
    assert checking.events + checking.erasures + checking.refusals.total == len(lines)
    assert sum(source.refused for source in checking.sources.values()) == checking.refusals.total
    assert all(found.why for found in find(checking.portrait, checking.places, "USD"))


def test_what_never_reached_a_shape_is_a_source_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("user_id,item_id,action,timestamp\nu,i,view,1764000000000\nu,i\nu,i,view,1764000000001\n")
    options = SourceOptions(shape=Shaping(Format.AUTO))
    checking = Checking(Decoder(), options.shape, BASE + 10_000 * DAY)
    checking.take_all(read_sources([file], options))
    assert {name: (source.lines, source.refused) for name, source in checking.sources.items()} == {
        "own clicks": (2, 0),
        UNREADABLE: (1, 1),
    }


def test_sources_and_kinds_left_out_are_bounded() -> None:
    calls = [{"type": "track", "event": f"Thing {number}", "messageId": "m"} for number in range(3 * MAX_LEFT_OUT)]
    _, shaping = checked(calls)
    assert len(shaping.left_out) == MAX_LEFT_OUT + 1
    assert shaping.left_out.total() == 3 * MAX_LEFT_OUT
    assert shaping.left_out[OTHER, "no event that is taken"] == 2 * MAX_LEFT_OUT


@pytest.mark.parametrize(
    ("lines", "why", "feature"),
    [
        ([click(price=None) for _ in range(9)], "no purchase has a price", "spend_W"),
        ([click(price=None), click(), click()], "33.3 % of the purchases have no price", "lifetime_spend"),
        ([click("view")], "no purchase: there is nothing", "purchases_W"),
        ([click("view", price=None), click()], "all of the views have no price", "mean_viewed_price_7d"),
        ([click()], "no view", "conversion_30d"),
        ([click(currency=None), click()], "50.0 % of the prices name no currency: they are taken as USD", "spend_W"),
        ([click()], "nothing is put into a cart", "carts_W"),
        ([click(category=None)], "no event has a category", "interests"),
        ([*(click(category=None) for _ in range(99)), click()], "only 1.0 % of the events have a category", "tags"),
        ([click()], "no search", "searches_W"),
        ([click()], "no review", "mean_rating_30d"),
        ([search(query=" "), search()], "50.0 % of the searches have no text", "profile_vector"),
        ([click()], "no text at all", "profile_vector"),
        ([click(timestamp=BASE + n * DAY - BASE % DAY) for n in range(30)], "all of the times are midnight", "intent"),
        ([click(timestamp=BASE - BASE % DAY + n * HOUR) for n in range(30)], "on the hour", "intent"),
        ([click(timestamp=BASE), click(timestamp=BASE + 1)], "all events are of one day", "tenure_days"),
        ([click(event_id="o", user_id="u"), click(event_id="o", user_id="u")], "1 event (purchase) has", "spend_W"),
        ([review(event_id="o", user_id="u"), review(event_id="o", user_id="u")], "first at shop.ndjson:2", "reviews_W"),
        ([click(order_id=None)], "no purchase has an order_id: each is taken as an order of its own", "orders_W"),
        ([click("refund", price=None), click("refund")], "50.0 % of the refunds have no price", "net_spend_30d"),
        ([click(title=None), click(title=" ")], "no click has a title", "taste_vector"),
        (
            [click(title=None), click("refund", title=None), click("view")],
            "50.0 % of the clicks have no title",
            "taste",
        ),
        ([click(order_id="o", user_id="u"), click(order_id="o", user_id="u")], "1 lines of orders come", "spend_W"),
    ],
)
def test_a_feature_that_means_less_is_named_with_the_reason(
    lines: list[dict[str, Any]], why: str, feature: str
) -> None:
    found = {reason: features for reason, features in whys(lines).items() if why in reason}
    assert len(found) == 1
    assert any(name.startswith(feature) for name in next(iter(found.values())))
    assert why not in " ".join(whys(good()))


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([click(user_id="u"), click(user_id="u")], "all events are of one user"),
        ([click(user_id="NULL"), click()], "1 events belong to an id such as `null`"),
        ([click(timestamp=BASE), click(timestamp=BASE + 9 * DAY)], "the events span 9.0 days"),
    ],
)
def test_what_touches_every_feature_is_told_too(lines: list[dict[str, Any]], why: str) -> None:
    found = {reason: features for reason, features in whys(lines).items() if why in reason}
    assert list(found.values()) == [()]


def test_a_repeated_event_is_no_other_event_under_the_same_id() -> None:
    line = click()
    found = " ".join(whys([line, line, *good()]))
    assert "1 events repeat an earlier one" in found
    assert "with other content" not in found


def test_two_equal_lines_of_one_order_are_no_order_that_comes_again() -> None:
    when = {"timestamp": BASE, "order_id": "o", "user_id": "u"}
    assert "come again" not in " ".join(whys([click(**when), click(**when), *good()]))


def test_the_features_that_are_named_are_those_of_the_contract() -> None:
    features = {name for cells in rows(section(CONTRACT, "Features")) for name in code(cells[0])}
    labels = {name for cells in rows(section(CONTRACT, "Labels and segments")) for name in code(cells[0])}
    every_kind = [click(price=None, currency=None, category=None, event_id="o", user_id="u") for _ in range(2)]
    nothing = [search(query="", timestamp=BASE - BASE % DAY) for _ in range(40)]
    alone = [click("view", price=None)], [click()], every_kind, nothing, [review(event_id="r", user_id="u")] * 2
    named = {name for lines in alone for names in whys(lines).values() for name in names}
    assert {name for name in named if not name.startswith("every window of ")} <= features | labels | {"tags"}
