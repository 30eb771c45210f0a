"""The labels of a score record: fading interests, the same in any order and after recovery, and what they cost."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.runs import quick_settings, run_flow
from support.shoppers import BASE, encoded, random_lines

from features.observation import Kind, Observation, Source, category_key, event_key
from features.tiles import DAY, HOUR
from features.users.catalogue import NAMES
from features.users.codec import decode, encode
from features.users.row import scalars
from features.users.state import UserState
from models.artefact.artefact import Artefact
from models.labels.table import LABELS, SHIPPED
from streams.exceptions import ConfigurationError
from streams.inference.labelling import Labeller, load_labels
from streams.inference.loading import artefact_folder
from streams.settings import load_settings

LISTED = ("jazz", "rock", "folk", "soul", "funk", "ska")
TABLE = load_labels(load_settings())
LABELLER = Labeller(TABLE, LISTED)
MIDNIGHT = BASE // DAY * DAY


def seen(number: int, timestamp: int, category: str | None, kind: Kind = Kind.VIEW, amount: int | None = None):
    key = None if category is None else category_key(category)
    source = int(Source.CLICKS)
    return Observation(int(kind), source, number, timestamp, event_key(str(number)), amount, key)


def labels_of(state: UserState, as_of: int | None = None, labeller: Labeller = LABELLER) -> dict[str, Any]:
    instant = state.instant(as_of)
    return labeller.labels(scalars(state, instant), state.categories, instant)


def shopper(*events: tuple[int, str | None]) -> UserState:
    state = UserState()
    for number, (timestamp, category) in enumerate(events):
        state.apply(seen(number, timestamp, category), "model")
    return state


def test_an_event_of_a_week_ago_counts_half() -> None:
    state = shopper((MIDNIGHT - 7 * DAY, "jazz"), (MIDNIGHT, "rock"))
    assert labels_of(state)["interests"] == {"rock": 2 / 3, "jazz": 1 / 3}


def test_the_age_is_that_of_the_day() -> None:
    state = shopper((MIDNIGHT + 1, "jazz"), (MIDNIGHT + 23 * HOUR, "rock"))
    assert labels_of(state)["interests"] == {"jazz": 0.5, "rock": 0.5}


def test_interests_leave_with_their_window() -> None:
    state = shopper((MIDNIGHT, "jazz"))
    assert labels_of(state, MIDNIGHT + 31 * DAY - 1)["interests"] == {"jazz": 1.0}
    assert labels_of(state, MIDNIGHT + 31 * DAY)["interests"] == {}


def test_only_listed_categories_are_interests() -> None:
    state = shopper((MIDNIGHT, "other"), (MIDNIGHT, None), (MIDNIGHT, "jazz"))
    assert labels_of(state)["interests"] == {"jazz": 1.0}


def test_at_most_five_interests_are_named_the_foremost_first_and_ties_by_name() -> None:
    events = [(MIDNIGHT, name) for name in (*LISTED, "soul")]
    interests = labels_of(shopper(*events))["interests"]
    assert list(interests) == ["soul", "folk", "funk", "jazz", "rock"]
    assert interests["soul"] == 2 / 6
    assert sum(interests.values()) == pytest.approx(1)


EVENTS = st.lists(
    st.tuples(
        st.integers(MIDNIGHT - 40 * DAY, MIDNIGHT + DAY),
        st.none() | st.sampled_from([*LISTED, "other"]),
        st.sampled_from([Kind.VIEW, Kind.CART, Kind.PURCHASE, Kind.SEARCH]),
        st.none() | st.integers(0, 10**9),
    ),
    min_size=1,
    max_size=40,
)


@given(events=EVENTS, seed=st.integers(0, 2**16), later=st.integers(0, 60 * DAY))
def test_labels_are_equal_in_any_order_of_arrival_and_after_recovery(events, seed: int, later: int) -> None:
    def fold(order: list[Any]) -> UserState:
        state = UserState()
        for number, (timestamp, category, kind, amount) in enumerate(order):
            state.apply(seen(number, timestamp, category, kind, amount), "model")
        return state

    state = fold(events)
    shuffled = events.copy()
    random.Random(seed).shuffle(shuffled)
    instant = MIDNIGHT + DAY + later
    known = labels_of(state, instant)
    assert labels_of(fold(shuffled), instant) == known
    recovered = labels_of(decode(encode(state)), instant)
    assert recovered == known
    assert list(recovered["interests"]) == list(known["interests"])
    assert set(known) == {"interests", *LABELS}
    assert all(known[name] in names for name, names in LABELS.items())
    assert not known["interests"] or sum(known["interests"].values()) == pytest.approx(1)


def test_a_purchase_makes_a_prospect_new_and_silence_takes_the_customer_away() -> None:
    state = shopper((MIDNIGHT, "jazz"))
    assert labels_of(state)["lifecycle"] == "prospect"
    state.apply(seen(1, MIDNIGHT + HOUR, "jazz", Kind.PURCHASE, 30_000_000), "model")
    assert labels_of(state) == {
        **{"interests": {"jazz": 1.0}, "price_band": "mid"},
        **{"lifecycle": "new", "intent": "browsing"},
    }
    bought = MIDNIGHT + HOUR
    stages = [labels_of(state, bought + days * DAY)["lifecycle"] for days in (29, 30, 60, 120)]
    assert stages == ["new", "active", "at_risk", "lapsed"]


def test_a_table_of_ones_own_is_obeyed(tmp_path) -> None:
    mine = tmp_path / "mine.toml"
    text = SHIPPED.read_text(encoding="utf-8")
    mine.write_text(text.replace("price < 25", "price < 250").replace("price < 100", "price < 300"))
    labeller = Labeller(load_labels(load_settings(labels=str(mine))), LISTED)
    state = UserState()
    state.apply(seen(0, MIDNIGHT, None, Kind.VIEW, 200_000_000), "model")
    assert labels_of(state)["price_band"] == "premium"
    assert labels_of(state, labeller=labeller)["price_band"] == "entry"


def test_a_table_that_cannot_be_used_is_named_with_its_setting(tmp_path) -> None:
    with pytest.raises(ConfigurationError, match=r"^WHEREWITHAL_LABELS: .*none\.toml: expected a table"):
        load_labels(load_settings(labels=str(tmp_path / "none.toml")))


@pytest.mark.usefixtures("broker")
async def test_every_score_record_carries_the_labels_of_its_own_instant(tmp_path) -> None:
    run = await run_flow(quick_settings(tmp_path), encoded(random_lines(seed=9, events=400, users=30)))
    assert run.scores
    origin = Artefact.load(artefact_folder(load_settings())).origin
    assert origin is not None
    table = load_labels(load_settings()).with_price_bounds(origin.price_bounds)
    stages = set()
    for user, score in run.scores.items():
        labels, row = score["labels"], run.features[user]
        assert list(labels) == ["interests", *LABELS]
        decided = table.decide([row[name] for name in NAMES])
        assert tuple(labels[name] for name in LABELS) == decided
        assert set(score["tags"]) == set(labels["interests"]), "two categories are listed, and tags name three"
        stages.add(labels["lifecycle"])
    assert len(stages) > 2


# The rules alone, then a day and ten days with two categories each. It is paid for every record, whose other parts take
# some 14 us: this is to stay a fraction of them.
@pytest.mark.parametrize(("days", "most"), [(0, 190), (1, 430), (10, 1030)])
def test_labelling_executes_few_instructions(days: int, most: int) -> None:
    interests = [(MIDNIGHT - age * DAY, name) for age in range(days) for name in LISTED[:2]]
    state = shopper((MIDNIGHT, None), *interests)
    instant = state.instant(None)
    row = scalars(state, instant)
    counts = [instructions(lambda: LABELLER.labels(row, state.categories, instant)) for _ in range(2)]
    assert counts[0] == counts[1]
    assert 0 < counts[0] <= most


def instructions(step: Callable[[], object]) -> int:
    count = 0

    def local(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return local

    before = sys.gettrace()
    sys.settrace(local)
    try:
        step()
    finally:
        sys.settrace(before)
    return count
