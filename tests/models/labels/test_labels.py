"""The table of labels: what each line of the shipped one says, and what a table is refused for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.users.catalogue import NAMES, SCALARS
from models.exceptions import LabelTableError
from models.labels.compiling import added, compile_rules, first_known, less
from models.labels.rules import UNKNOWN, Rule, Vocabulary
from models.labels.table import LABELS, SHIPPED, read_labels

FEATURES = {scalar.name: scalar.integer for scalar in SCALARS}
TABLE = read_labels(SHIPPED, FEATURES)
QUIET = {scalar.name: 0 if scalar.integer else 0.0 for scalar in SCALARS} | {
    **dict.fromkeys(("average_order_value_30d", "conversion_30d", "mean_viewed_price_7d", "mean_rating_30d")),
    "days_since_last_purchase": None,
}
BUYER = {"lifetime_purchases": 1, "lifetime_orders": 1, "days_since_last_purchase": 1.0, "tenure_days": 100.0}


def first_match(rules: Sequence[Rule], values: Sequence[float]) -> str:
    """Walk through a list of rules as its reader does."""
    for rule in rules:
        if all(least <= values[position] <= greatest for position, least, greatest in rule.conditions):
            return rule.label
    raise AssertionError("no rule holds")


ROWS = st.tuples(
    *(
        st.integers(0, 10**6) if scalar.integer else st.none() | st.floats(0, 1e12, allow_nan=False)
        for scalar in SCALARS
    )
)


def decide(**features: float | None):
    row = QUIET | features
    assert len(row) == len(QUIET)
    return TABLE.decide([row[name] for name in NAMES])


@pytest.mark.parametrize(
    ("features", "band"),
    [
        ({}, "unknown"),
        ({"mean_viewed_price_7d": 0.0}, "entry"),
        ({"mean_viewed_price_7d": math.nextafter(25, 0)}, "entry"),
        ({"mean_viewed_price_7d": 25.0}, "mid"),
        ({"mean_viewed_price_7d": math.nextafter(100, 0)}, "mid"),
        ({"mean_viewed_price_7d": 100.0}, "premium"),
        ({"mean_viewed_price_7d": 400.0}, "luxury"),
        ({"average_order_value_30d": 500.0, "mean_viewed_price_7d": 1.0}, "luxury"),
        ({"average_order_value_30d": 0.0, "mean_viewed_price_7d": 500.0}, "entry"),
    ],
)
def test_the_price_band_is_that_of_what_was_paid_or_else_viewed(features: dict[str, float], band: str) -> None:
    assert decide(**features)[0] == band


@pytest.mark.parametrize(
    ("features", "stage"),
    [
        ({"searches_30d": 1}, "prospect"),
        ({"views_30d": 9, "tenure_days": 400.0}, "prospect"),
        ({"tenure_days": 31.0}, "lapsed"),
        (BUYER, "active"),
        (BUYER | {"days_since_last_purchase": math.nextafter(60, 0)}, "active"),
        (BUYER | {"days_since_last_purchase": 60.0}, "at_risk"),
        (BUYER | {"days_since_last_purchase": math.nextafter(120, 0)}, "at_risk"),
        (BUYER | {"days_since_last_purchase": 120.0}, "lapsed"),
        (BUYER | {"days_since_last_purchase": 120.0, "views_30d": 50}, "lapsed"),
        (BUYER | {"tenure_days": math.nextafter(30, 0)}, "new"),
        (BUYER | {"tenure_days": 30.0}, "active"),
        (BUYER | {"lifetime_purchases": 9, "lifetime_orders": 4}, "active"),
        (BUYER | {"lifetime_orders": 5}, "loyal"),
        (BUYER | {"lifetime_orders": 50, "days_since_last_purchase": 60.0}, "at_risk"),
        (BUYER | {"lifetime_orders": 50, "tenure_days": 2.0}, "new"),
    ],
)
def test_the_lifecycle_stage_follows_purchases_tenure_and_recency(features: dict[str, float], stage: str) -> None:
    assert decide(**features)[1] == stage


@pytest.mark.parametrize(
    ("features", "intent"),
    [
        ({}, "idle"),
        ({"views_7d": 50, "carts_7d": 3}, "idle"),
        ({"reviews_24h": 1}, "browsing"),
        ({"views_24h": 4}, "browsing"),
        ({"views_24h": 5}, "comparing"),
        ({"favorites_24h": 1}, "comparing"),
        ({"carts_24h": 1, "views_24h": 9}, "buying"),
        ({"carts_24h": 1, "removes_24h": 1, "views_24h": 9}, "comparing"),
        ({"carts_1h": 2, "removes_1h": 1}, "buying"),
        ({"carts_1h": 1, "removes_1h": 3, "removes_24h": 3, "carts_24h": 1}, "browsing"),
        ({"carts_24h": 1, "purchases_24h": 1}, "browsing"),
        ({"carts_1h": 1, "carts_24h": 2, "purchases_24h": 1}, "buying"),
        ({"carts_1h": 1, "purchases_1h": 1, "carts_24h": 1, "purchases_24h": 1}, "browsing"),
    ],
)
def test_the_intent_follows_the_last_hour_and_day(features: dict[str, int], intent: str) -> None:
    assert decide(**features)[2] == intent


def test_every_label_has_an_example_above() -> None:
    examples = [
        mark.args[1]
        for test in (
            test_the_price_band_is_that_of_what_was_paid_or_else_viewed,
            test_the_lifecycle_stage_follows_purchases_tenure_and_recency,
            test_the_intent_follows_the_last_hour_and_day,
        )
        for mark in test.pytestmark
    ]
    assert [{label for _, label in cases} for cases in examples] == [set(labels) for labels in LABELS.values()]


@given(row=ROWS)
def test_every_feature_row_gets_exactly_one_label_of_each_closed_list(row: tuple[float | None, ...]) -> None:
    decision = TABLE.decide(row)
    assert len(decision) == len(LABELS)
    assert all(label in known for label, known in zip(decision, LABELS.values(), strict=True))


CONDITIONS = st.lists(
    st.tuples(
        st.sampled_from(["views_1h", "views_24h", "spend_30d", "tenure_days"]),
        st.sampled_from(["< 2", "<= 2", "== 2", ">= 2", "> 2", "== 0", "is known", "is unknown", "> 2.5", "< 2.5"]),
    ).map(" ".join),
    min_size=1,
    max_size=3,
)
SMALL = ("views_1h", "views_24h", "spend_30d", "tenure_days")


@given(lists=st.lists(CONDITIONS, min_size=1, max_size=5))
def test_a_line_is_reachable_exactly_if_some_row_of_a_grid_reaches_it(lists: list[list[str]]) -> None:
    vocabulary = Vocabulary({name: FEATURES[name] for name in SMALL})
    rules: list[Rule] = []
    for number, conditions in enumerate(lists):
        try:
            rules.append(vocabulary.rule(str(number), conditions))
        except LabelTableError:
            continue  # of a count that is to be unknown, or of conditions that contradict each other
    # One value of every cell that the bounds above cut the features into.
    counts, money = (0, 1, 2, 3), (-1.0, 0.0, 1.0, 2.0, 2.25, 2.5, 3.0)
    default = Rule("nobody", ())
    reached = {
        first_match([*rules, default], (one, two, three, four))
        for one in counts
        for two in counts
        for three in money
        for four in money
    }
    for position, rule in enumerate(rules):
        assert vocabulary.can_apply(rule, rules[:position]) == (rule.label in reached)


@given(lists=st.lists(CONDITIONS, min_size=1, max_size=5), row=st.data())
def test_the_compiled_rules_are_those_of_the_list(lists: list[list[str]], row: st.DataObject) -> None:
    names = {name: FEATURES[name] for name in SMALL} | {"both": True, "money": False}
    vocabulary = Vocabulary(names)
    rules: list[Rule] = []
    for number, conditions in enumerate(lists):
        # The names of features and those that are derived from them alike.
        renamed = [text.replace("views_1h", "both").replace("spend_30d", "money") for text in conditions]
        for position, version in enumerate((conditions, renamed)):
            try:
                rules.append(vocabulary.rule(f"{number}-{position}", version))
            except LabelTableError:
                continue  # of a count that is to be unknown, or of conditions that contradict each other
    rules.append(Rule("nobody", ()))
    compiled = compile_rules([rules, rules[::-1][:1]], [added([0, 1]), first_known([2, 3])], {2, 3, 5}, len(SMALL))
    counts, money = st.integers(0, 4), st.none() | st.sampled_from([0.0, 1.0, 2.0, 2.25, 2.5, 3.0])
    for _ in range(5):
        one, two, three, four = row.draw(st.tuples(counts, counts, money, money))
        known = (UNKNOWN if value is None else value for value in (three, four, four if three is None else three))
        third, fourth, first = known
        expected = first_match(rules, (one, two, third, fourth, one + two, first))
        assert compiled((one, two, three, four)) == (expected, "nobody")


@given(st.lists(st.integers(0, 9), min_size=2, max_size=4))
def test_what_is_left_of_a_count_is_never_below_zero(row: list[int]) -> None:
    assert eval(less(range(len(row))), {"r": row}) == max(row[0] - sum(row[1:]), 0)


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ('"price < 25"', '"prize < 25"', "price_band, line 2 ('entry'): expected a feature"),
        ('"price < 25"', '"price below 25"', "expected `FEATURE < NUMBER`"),
        ('"price < 25"', '"price < -25"', "expected `FEATURE < NUMBER`"),
        ('"price < 25"', '"price < 0"', "expected conditions that a shopper can meet, found 'price < 0'"),
        ('"price < 25"', '"price < 25", "price > 30"', "found 'price > 30'"),
        ('["entry",   "price < 25"]', '["entry"]', "expected a condition after the label"),
        ('["entry",   "price < 25"]', "[]", "line 2 (''): expected one of unknown, entry"),
        ('["mid",     "price < 100"]', '["mid", "price < 10"]', "expected a line that some shopper can reach"),
        ('["premium", "price < 400"]', '["premium", "price is known"]', "price_band: expected somebody left"),
        ('["at_risk",', '["sleeping",', "expected one of prospect, new, active, loyal, at_risk, lapsed"),
        ('["luxury",  "otherwise"],', "", "line 4 ('premium'): expected `otherwise` alone on the last line"),
        ('"lifetime_orders >= 5"', '"otherwise"', "line 6 ('loyal'): expected `otherwise` alone on the last line"),
        ('"views_24h >= 5"', '"views_24h is unknown"', "the count 'views_24h'; write `== 0`"),
        ('"views_24h >= 5"', '"views_24h == 2.5"', "expected conditions that a shopper can meet"),
        ("half_life_days = 7", "half_life_days = 0", "half_life_days: expected 0.01 to 10000 days, found 0"),
        ("half_life_days = 7", "half_life_days = nan", "found nan"),
        ("at_most = 5", "at_most = -1", "at_most: expected 0 to 256, found -1"),
        ("at_most = 5", 'at_most = "all"', "Expected `int`, got `str`"),
        ("interests.at_most = 5", "", "missing required field `at_most`"),
        ("intent = [", "intents = [", "`intent"),
        ("intent = [", "intent = ", "expected TOML in UTF-8, found a mistake"),
        ("first_known.price", "first_known.views_1h", "views_1h: expected a name of its own"),
        ('"mean_viewed_price_7d"]', '"mean_price"]', "price: expected a feature, found 'mean_price'"),
        ('"average_order_value_30d", ', "", "price: expected two or more different features, found 1 names"),
        ('"views_30d", "favorites_30d"', '"views_30d", "spend_30d"', "events_30d: expected counts to add up"),
        ('["carts_1h", "removes_1h"]', '["carts_1h", "net_spend_30d"]', "in_cart_1h: expected counts to add up"),
        ('["carts_1h", "removes_1h"]', '["carts_1h"]', "in_cart_1h: expected two or more different features"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused_and_says_where(
    tmp_path: Path, was: str, becomes: str, said: str
) -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    assert text.count(was) == 1
    table = tmp_path / "mine.toml"
    table.write_text(text.replace(was, becomes), encoding="utf-8")
    with pytest.raises(LabelTableError) as refused:
        read_labels(table, FEATURES)
    message = str(refused.value)
    assert said in message
    assert "mine.toml" in message
    assert "\n" not in message


def test_a_table_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelTableError, match="expected a table of labels, found No such file"):
        read_labels(tmp_path / "none.toml", FEATURES)
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(LabelTableError, match="expected TOML in UTF-8"):
        read_labels(tmp_path / "bytes.toml", FEATURES)


def test_a_list_of_too_many_lines_is_refused(tmp_path: Path) -> None:
    lines = "".join(f'["entry", "price < {bound}"],' for bound in range(1, 25))
    table = tmp_path / "long.toml"
    table.write_text(SHIPPED.read_text(encoding="utf-8").replace('["entry",   "price < 25"],', lines), encoding="utf-8")
    with pytest.raises(LabelTableError, match="price_band: expected 1 to 24 lines, found 28"):
        read_labels(table, FEATURES)


def test_a_weight_halves_with_every_half_life() -> None:
    weights = TABLE.weights(31)
    assert weights[7] * 2 == weights[0]
    assert weights[28] * 16 == weights[0]
    assert list(weights) == sorted(weights, reverse=True)
    assert all(type(weight) is int for weight in weights)


def test_learnt_bounds_take_the_place_of_the_shipped_ones_and_never_of_those_somebody_wrote() -> None:
    shipped = read_labels(SHIPPED, FEATURES, keep_prices=False)
    learnt = shipped.with_price_bounds([1000.0, 2500.5, 40000.0])
    prices = (999.99, 1000.0, 2500.5, 39999.0, 40000.0)
    rows = [[(QUIET | {"mean_viewed_price_7d": price})[name] for name in NAMES] for price in prices]
    assert [learnt.decide(row)[0] for row in rows] == ["entry", "mid", "premium", "premium", "luxury"]
    assert learnt.decide([QUIET[name] for name in NAMES])[0] == "unknown"
    assert learnt.rules["lifecycle"] == shipped.rules["lifecycle"]
    assert shipped.with_price_bounds([]) is shipped
    assert TABLE.with_price_bounds([1.0, 2.0, 3.0]) is TABLE


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e9), min_size=3, max_size=3).map(sorted), st.floats(0, 1e9))
def test_any_learnt_bounds_make_a_table_in_which_a_dearer_price_is_no_lower_band(bounds: list[float], price: float):
    table = read_labels(SHIPPED, FEATURES, keep_prices=False).with_price_bounds(bounds)
    order = ("entry", "mid", "premium", "luxury")
    ranks = []
    for amount in (price, price * 2 + 0.01):
        row = QUIET | {"average_order_value_30d": amount}
        ranks.append(order.index(table.decide([row[name] for name in NAMES])[0]))
    assert ranks[0] <= ranks[1]
