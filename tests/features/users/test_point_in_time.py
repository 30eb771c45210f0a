"""The history of one user as of any instant, against applying the events as they arrived."""

from __future__ import annotations

import random

import numpy as np
import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.observation import TITLE_WEIGHTS, Kind, Observation, Source
from features.offline_parquet import OFFLINE_FOLDER, TIMESTAMP_FIELD, offline_table, view_schema, view_table
from features.outcome import Outcome
from features.tiles import DAY
from features.users.catalogue import NAMES
from features.users.point_in_time import Folded, UserHistory, arrival_decides, snapshot_of
from features.users.row import profile, scalars, taste
from features.users.state import UserState

BASE = 1_760_000_000_000
ENCODER = "test@1"
CLICKED = [Kind.VIEW, Kind.FAVORITE, Kind.CART, Kind.REFUND, Kind.PURCHASE]


def purchase(place: int, event_id: int, timestamp: int, amount: int = 1_000_000) -> Observation:
    return Observation(Kind.PURCHASE, Source.CLICKS, place, timestamp, event_id.to_bytes(8), amount)


def random_observations(seed: int, count: int, ids: int, orders: int = 30) -> list[Observation]:
    """Events of all topics in random order of time; an id comes again now and then, at the same time or another.

    Purchases are lines of so many orders.
    """
    rng = random.Random(seed)
    seen = []
    for place in range(1, count + 1):
        source, kinds = rng.choice(
            [
                (Source.REVIEWS, [Kind.REVIEW]),
                (Source.SEARCHES, [Kind.SEARCH]),
                (Source.CLICKS, CLICKED),
                (Source.CLICKS, [Kind.PURCHASE]),
            ]
        )
        event_id = rng.randrange(ids)
        usual = BASE - event_id * 7_919_000 % (60 * DAY)
        text = source != Source.CLICKS and rng.random() < 0.7
        kind, amount = rng.choice(kinds), rng.choice([None, rng.randrange(10**9)])
        title = source == Source.CLICKS and rng.random() < 0.5
        order = rng.randrange(orders).to_bytes(8) if kind is Kind.PURCHASE and rng.random() < 0.7 else None
        seen.append(
            Observation(
                kind=kind,
                source=source,
                offset=place,
                timestamp=usual if rng.random() < 0.9 else BASE - rng.randrange(60 * DAY),
                event_key=event_id.to_bytes(8),
                amount=amount,
                weight=1.0 if text else 0.0,
                projected=np.random.default_rng(event_id).standard_normal(64) if text else None,
                order=order,
                title_weight=TITLE_WEIGHTS.get(kind, 0.0) if title else 0.0,
                title=np.random.default_rng(event_id).standard_normal(64) if title else None,
            )
        )
    return seen


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(0, 400),
    ids=st.sampled_from([20, 150, 10**9]),
    orders=st.sampled_from([5, 60, 90, 10**9]),
    erased_days_ago=st.none() | st.integers(0, 60),
    ages=st.lists(st.integers(0, 70 * DAY), min_size=1, max_size=4, unique=True),
)
def test_it_equals_applying_what_arrived_up_to_the_instant(
    seed: int, count: int, ids: int, orders: int, erased_days_ago: int | None, ages: list[int]
) -> None:
    arrived = random_observations(seed, count, ids, orders)
    erased_at = None if erased_days_ago is None else BASE - erased_days_ago * DAY
    instants = sorted(BASE - age for age in ages)
    found = {s.instant: s for s in Folded(UserHistory(arrived, erased_at), ENCODER).snapshots(instants)}
    for instant in instants:
        state = UserState()
        if erased_at is not None:
            state.erase(erased_at, 0, Source.ERASURES)
        for seen in arrived:
            if seen.timestamp <= instant:
                state.apply(seen, ENCODER)
        assert (instant in found) == bool(state.revision)
        if state.revision:
            assert found[instant].revision == state.revision
            assert found[instant].scalars == scalars(state, instant)
            np.testing.assert_allclose(found[instant].profile, profile(state, ENCODER), atol=1e-5)
            np.testing.assert_allclose(found[instant].taste, taste(state, ENCODER), atol=1e-5)


def test_of_two_events_under_one_id_the_one_counts_that_arrived_first() -> None:
    arrived = [purchase(1, 7, BASE, 5_000_000), purchase(2, 7, BASE - DAY, 3_000_000)]
    assert arrival_decides(arrived)
    folded = Folded(UserHistory(arrived), ENCODER)
    spent = {s.instant: s.scalars[NAMES.index("lifetime_spend")] for s in folded.snapshots([BASE - DAY, BASE])}
    assert spent == {BASE - DAY: 3.0, BASE: 5.0}
    assert folded.outcomes == {Outcome.APPLIED: 1, Outcome.DUPLICATE: 1}
    assert [seen.amount for seen in folded.applied] == [5_000_000]


def test_an_id_that_is_no_longer_remembered_counts_again() -> None:
    arrived = [purchase(1, 0, BASE), *(purchase(1 + n, n, BASE - n) for n in range(1, 129)), purchase(200, 0, BASE)]
    folded = Folded(UserHistory(arrived), ENCODER)
    assert len(folded.applied) == 130
    (latest,) = folded.snapshots([BASE])
    assert latest.revision == 130


def test_copies_of_few_events_leave_the_fast_way_open() -> None:
    arrived = [purchase(n, n % 50, BASE - n % 50) for n in range(1, 100)]
    assert not arrival_decides(arrived)
    assert len(Folded(UserHistory(arrived), ENCODER).applied) == 50


def line(place: int, order: int, timestamp: int) -> Observation:
    return Observation(
        Kind.PURCHASE, Source.CLICKS, place, timestamp, place.to_bytes(8), 1_000_000, order=order.to_bytes(8)
    )


def test_many_orders_of_lines_that_come_together_leave_the_fast_way_open() -> None:
    arrived = [line(place, place // 3, BASE + place) for place in range(900)]
    assert not arrival_decides(arrived)
    (latest,) = Folded(UserHistory(arrived), ENCODER).snapshots([BASE + 1000])
    assert latest.scalars[NAMES.index("lifetime_orders")] == 300


def test_an_order_that_was_forgotten_before_its_last_line_counts_again_as_of_every_instant() -> None:
    others = [line(1 + number, number, BASE - number) for number in range(1, 66)]
    arrived = [line(1, 0, BASE - 100), *others, line(100, 0, BASE - 99)]
    assert arrival_decides(arrived)
    (latest,) = Folded(UserHistory(arrived), ENCODER).snapshots([BASE])
    assert latest.scalars[NAMES.index("lifetime_orders")] == 67


def test_what_counts_by_an_instant_gives_its_snapshot() -> None:
    folded = Folded(UserHistory(random_observations(3, 300, 150)), ENCODER)
    instant = BASE - 20 * DAY
    (snapshot,) = folded.snapshots([instant])
    again = snapshot_of(folded.applied_by(instant), instant, ENCODER)
    assert (again.revision, again.scalars) == (snapshot.revision, snapshot.scalars)


# Parquet


def test_a_table_holds_the_rows_as_they_are(make_row) -> None:
    rows = [make_row(f"u{number}", number + 1) for number in range(5)]
    table = view_table(rows)
    assert table.schema == view_schema()
    assert [tuple(row[name] for name in NAMES) for row in table.to_pylist()] == [row.scalars for row in rows]
    for row, vector, other in zip(
        rows, table["profile_vector"].to_pylist(), table["taste_vector"].to_pylist(), strict=True
    ):
        assert np.asarray(vector, "<f4").tobytes() == row.profile
        assert np.asarray(other, "<f4").tobytes() == row.taste
    assert view_table([]).num_rows == 0
    assert offline_table(rows)[TIMESTAMP_FIELD].cast(pyarrow.int64()).to_pylist() == [row.event_time for row in rows]


def test_the_parts_are_where_feast_looks_for_them() -> None:
    repository = pytest.importorskip("features.repository")
    source = repository.offline_source()
    assert (source.path, source.timestamp_field) == (OFFLINE_FOLDER, TIMESTAMP_FIELD)
    fields = {field.name for view in repository.feature_views() for field in view.schema}
    assert set(view_schema().names) == fields
