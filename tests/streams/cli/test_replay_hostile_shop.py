"""What a shop may get wrong about titles, orders and refunds, replayed: the right number, or a dead letter."""

from __future__ import annotations

from typing import Any

import pytest
from support.command import here, read_rows, write_lines

from features.tiles import DAY, HOUR

NOON = 1_764_158_400_000
TITLES = {
    "a megabyte": "tea " * 250_000,
    "markup": "<b onclick='x()'>Soap</b> <script>alert(1)</script> [red]&amp;",
    "emoji": "🧀🥖🍷👨‍👩‍👧",
    "Chinese": "有机全脂牛奶 一升装",
    "gibberish": "xqzjvk wqzxjk qzxvkj",
    "nothing": "",
    "null": None,
}


def click(user: str, event: str, action: str = "purchase", **more: Any) -> dict[str, Any]:
    value = {"event_id": event, "user_id": user, "item_id": "i", "action": action, "timestamp": NOON - HOUR} | more
    return {"topic": "clicks", "value": value}


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, dict[str, Any]], list[Any], list[Any]]:
    folder = tmp_path_factory.mktemp("hostile")
    lines = [
        *(click("titles", name, price=2.0, title=title) for name, title in TITLES.items()),
        click("titles", "too long to be read at all", title="tea " * 270_000),
        click("titles", "a number", title=7),
        click("titles", "a list", title=["tea"]),
        click("titles", "empty order", order_id=""),
        click("titles", "long order", order_id="o" * 257),
        click("unpriced", "bought", price=10.0),
        click("unpriced", "given back", "refund", quantity=3),
        click("negative", "given back", "refund", price=50.0, quantity=2),
        click("negative", "bought", price=10.0, timestamp=NOON - 2 * HOUR),
        click("negative", "given back", "refund", price=50.0, quantity=2),
        click("late", "given back", "refund", price=4.0),
        click("late", "bought", price=10.0, timestamp=NOON - 20 * DAY),
        click("one", "line 1", price=1.0, order_id="shared"),
        click("one", "line 2", price=2.0, order_id="shared"),
        click("two", "line 1", price=3.0, order_id="shared"),
        click("minus", "given back", "refund", price=-1.0),
    ]
    events = write_lines(folder / "events.ndjson", lines)
    outputs = {name: folder / name for name in ("features", "scores", "dead-letters")}
    words = [word for name, path in outputs.items() for word in (f"--{name}", str(path))]
    code, _, said = here("replay", str(events), *words, "--json", folder=folder)
    assert code == 0, said[-500:]
    features = {row["user_id"]: row for row in read_rows(outputs["features"])}
    return features, read_rows(outputs["scores"]), read_rows(outputs["dead-letters"])


def test_no_title_costs_its_purchase(replayed: Any) -> None:
    features, _, _ = replayed
    own = features["titles"]
    assert (own["purchases_30d"], own["orders_30d"], own["spend_30d"]) == (len(TITLES), len(TITLES), 2.0 * len(TITLES))


def test_what_is_no_title_and_no_order_id_is_a_dead_letter(replayed: Any) -> None:
    _, _, letters = replayed
    reasons = sorted(letter["reason"] for letter in letters)
    assert reasons == ["invalid"] * 5 + ["too_large"]


def test_a_refund_without_a_price_counts_and_gives_nothing_back(replayed: Any) -> None:
    own = replayed[0]["unpriced"]
    assert (own["refunds_30d"], own["refunded_30d"], own["net_spend_30d"]) == (1, 0.0, 10.0)


def test_net_spend_may_be_negative_and_what_is_expected_is_not(replayed: Any) -> None:
    features, scores, _ = replayed
    own = features["negative"]
    assert (own["spend_30d"], own["refunded_30d"], own["net_spend_30d"]) == (10.0, 100.0, -90.0)
    assert (own["refunds_30d"], own["revision"]) == (1, 2), "the same refund twice counts once"
    assert all(score["expected_spend"] >= 0 for score in scores)
    assert len(scores) == len(features)


def test_a_refund_before_its_purchase_is_right(replayed: Any) -> None:
    own = replayed[0]["late"]
    assert (own["spend_30d"], own["net_spend_30d"], own["lifetime_refunded"]) == (10.0, 6.0, 4.0)


def test_an_order_id_that_two_users_share_is_an_order_of_each(replayed: Any) -> None:
    features, _, _ = replayed
    assert [(features[user]["orders_30d"], features[user]["spend_30d"]) for user in ("one", "two")] == [(1, 3.0)] * 2
