"""`wherewithal demand`: what it prints and writes, and how it ends."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from support.command import VIEW, here, write_lines

from features.tiles import DAY, HOUR

DAY_0 = 17_400


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty days of three items: one sells well, one seldom, one was looked at once."""
    rng, lines = random.Random(0), []
    for day in range(60):
        for item, rate in (("well", 3), ("seldom", 0.2)):
            for number in range(int(rate + rng.random())):
                value = {"event_id": f"{item}-{day}-{number}", "user_id": f"u{number}", "item_id": item}
                value |= {"action": "purchase", "price": 2.5, "quantity": rng.randint(1, 3), "category": "tea"}
                lines.append({"topic": "clicks", "value": value | {"timestamp": (DAY_0 + day) * DAY + 9 * HOUR}})
    seen = VIEW | {"event_id": "v", "item_id": "\x1b[2Jseen", "timestamp": (DAY_0 + 59) * DAY}
    return write_lines(tmp_path_factory.mktemp("shop") / "e.ndjson", [*lines, {"topic": "clicks", "value": seen}])


AS_OF = str((DAY_0 + 60) * DAY)


def test_the_table_has_what_will_sell_most_first_and_fits_a_screen(shop: Path, tmp_path: Path) -> None:
    plot, rows = tmp_path / "d.svg", tmp_path / "d.ndjson"
    code, out, err = here("demand", shop, "--as-of", AS_OF, "--plot", plot, "--output", rows, COLUMNS="80")
    assert code == 0, err
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["well", "seldom", r"\u001b[2Jseen"]
    assert "too new" in lines[3]
    assert max(map(len, lines)) <= 100
    assert "nothing told of 1 too new" in lines[-1]
    assert plot.read_text().startswith("<svg")
    written = [json.loads(line) for line in rows.read_text().splitlines()]
    assert [row["item_id"] for row in written] == ["\x1b[2Jseen", "seldom", "well"]
    assert written[2]["forecast"]["units_7d"]["mean"] > 7


def test_the_day_of_the_newest_event_is_told_first_unless_said_otherwise(shop: Path) -> None:
    for words, day in (((), "2017-10-20"), (("--as-of", "2017-10-01T00:00:00Z"), "2017-10-01")):
        code, out, _ = here("demand", shop, "--json", *words)
        found = json.loads(out)
        assert (code, found["first_day"]) == (0, day)
        assert {row["forecast"]["first_day"] for row in found["demand"]} == {day}


def test_categories_are_told_as_items_are(shop: Path) -> None:
    code, out, _ = here("demand", shop, "--by", "category", "--json", "--as-of", AS_OF)
    found = json.loads(out)
    assert code == 0
    assert [row["category"] for row in found["demand"]] == ["tea"]
    assert found["published"] is None


def test_events_without_a_category_are_told_without_an_empty_table(tmp_path: Path) -> None:
    view = {"event_id": "v", "user_id": "u", "item_id": "i", "action": "view", "timestamp": DAY_0 * DAY}
    events = tmp_path / "events.ndjson"
    events.write_text(json.dumps({"topic": "clicks", "value": view}))
    code, out, _ = here("demand", events, "--by", "category")
    first, last = out.splitlines()
    assert (code, first) == (0, "no event names a category")
    assert last.startswith("0 series from 1 of 1 events")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "FILE: expected a file or folder of events, or --backtest, found neither"),
        (("nowhere.ndjson",), "nowhere.ndjson"),
        (("{shop}", "--as-of", "yesterday"), "--as-of: expected epoch milliseconds or RFC 3339"),
        (("{shop}", "--plot", "d.pdf"), "--plot: expected a name that ends in .svg"),
        (("{shop}", "--output", "{shop}"), "expected a file of its own for every output"),
        (("{shop}", "--publish", "--by", "category"), "--publish: expected --by item"),
        (("{shop}", "--publish"), "WHEREWITHAL_BROKER: expected kafka://host:port"),
        (("{shop}", "--backtest"), "--backtest: expected --output and --json at most"),
        (("{shop}", "--horizon", "14"), "--horizon"),
        (("{shop}", "--top", "0"), "--top: expected a whole number from 1"),
    ],
)
def test_a_wrong_argument_is_one_line(shop: Path, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    code, out, err = here("demand", *(word.format(shop=shop) for word in words), folder=tmp_path)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_forecasts_are_not_published_where_nobody_keeps_items(shop: Path) -> None:
    code, _, err = here("demand", shop, "--publish", WHEREWITHAL_BROKER="kafka://nowhere:1", WHEREWITHAL_ITEMS="false")
    assert code == 2
    assert "--publish: expected a deployment that keeps items, found WHEREWITHAL_ITEMS=false" in err


def test_nothing_up_to_an_instant_is_an_error(shop: Path) -> None:
    code, _, err = here("demand", shop, "--as-of", "2001-01-01T00:00:00Z")
    assert code == 1
    assert "expected a click or a review up to 2001-01-01T00:00:00Z, found none" in err
