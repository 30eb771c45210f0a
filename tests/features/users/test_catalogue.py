"""The catalogue of features against the states that it speaks of."""

from __future__ import annotations

import pytest

from features.expressions import DaysSince, Kept, Ratio, Units
from features.observation import EVENT_SOURCES, Kind, Observation, Source, source_of
from features.row import row_source
from features.scalars import Transform
from features.users import row
from features.users.catalogue import INDEX, NAMES, SCALARS, TRANSFORMS, Sum
from features.users.state import UserState

NOW = 1_764_000_000_000


def state_of_everything() -> UserState:
    """A user with something in every column."""
    state = UserState()
    for offset, kind in enumerate(Kind):
        source = {Kind.SEARCH: Source.SEARCHES, Kind.REVIEW: Source.REVIEWS}.get(kind, Source.CLICKS)
        seen = Observation(kind, source, offset, NOW - offset, bytes([kind] * 8), 3_500_000 + kind, noisy=True, units=2)
        state.apply(seen, "")
    return state


def test_every_feature_has_a_name_of_its_own():
    assert len(set(NAMES)) == len(SCALARS)
    assert [NAMES[position] for position in INDEX.values()] == list(INDEX)


def test_a_row_has_a_value_of_the_type_of_each_feature():
    values = row.scalars(state_of_everything(), NOW)
    types = {scalar.name: int if scalar.integer else float for scalar in SCALARS}
    assert {name: type(value) for name, value in zip(NAMES, values, strict=True)} == types
    assert all(values), "nothing is 0 or null once everything has happened"


def test_only_numbers_may_be_null():
    state = UserState()
    state.apply(Observation(Kind.FAVORITE, Source.CLICKS, 1, NOW, b"12345678"), "")
    nulls = [scalar for scalar, value in zip(SCALARS, row.scalars(state, NOW), strict=True) if value is None]
    assert nulls
    assert not any(scalar.integer for scalar in nulls)


@pytest.mark.parametrize(
    ("value", "source"),
    [
        (Sum("spend", "7d"), "sums_7d[7]"),
        (Units(Sum("spend", "1h")), "(sums_1h[7] / MICRO)"),
        (
            Ratio(Kept("lifetime_purchases", frozenset({Kind.PURCHASE})), Sum("views", "30d")),
            "state.lifetime_purchases / sums_30d[1] if sums_30d",
        ),
        (
            Ratio(Units(Sum("spend", "7d")), Units(Sum("spend", "30d"))),
            "(sums_7d[7] / MICRO) / (sums_30d[7] / MICRO) if (sums_30d[7] / MICRO) else None",
        ),
        (DaysSince("oldest", frozenset(Kind)), "None if state.oldest is None else (instant - state.oldest) / DAY"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_expression_is_written_as_python(value, source):
    assert value.source.startswith(source)


def test_a_sum_that_the_tiles_of_a_window_do_not_keep_is_refused():
    with pytest.raises(ValueError, match="a column that the tiles of 1h keep, found 'rating'"):
        Sum("rating", "1h")


def test_the_generated_row_names_each_feature_beside_its_value():
    lines = [line for line in row_source(SCALARS).splitlines() if "  # " in line]
    assert [line.partition("  # ")[2] for line in lines] == list(NAMES)


def test_an_error_in_a_row_shows_the_line_of_the_feature():
    state = state_of_everything()
    state.oldest = "yesterday"
    with pytest.raises(TypeError) as failed:
        row.scalars(state, NOW)
    assert "tenure_days" in str(failed.traceback[-1].statement)


def test_ratios_and_ratings_are_left_as_they_are_for_scorers_and_the_rest_is_compressed():
    plain = [name for name, transform in TRANSFORMS.items() if transform is Transform.IDENTITY]
    assert plain == ["conversion_30d", "mean_rating_30d"]


def test_a_feature_tells_the_topics_that_decide_it():
    sources = {scalar.name: scalar.sources for scalar in SCALARS}
    assert sources["mean_rating_30d"] == sources["noisy_reviews_30d"] == {Source.REVIEWS}
    assert sources["searches_1h"] == {Source.SEARCHES}
    assert (
        sources["conversion_30d"] == sources["lifetime_spend"] == sources["days_since_last_purchase"] == {Source.CLICKS}
    )
    assert sources["tenure_days"] == set(EVENT_SOURCES)


@pytest.mark.parametrize("source", EVENT_SOURCES)
def test_events_of_a_topic_change_no_feature_that_they_do_not_decide(source):
    state, before = state_of_everything(), row.scalars(state_of_everything(), NOW)
    for offset, kind in enumerate((kind for kind in Kind if source_of(kind) == source), 100):
        state.apply(Observation(kind, source, offset, NOW, bytes([offset] * 8), amount=9_000_000), "")
    after = row.scalars(state, NOW)
    changed = [scalar for scalar, one, other in zip(SCALARS, before, after, strict=True) if one != other]
    assert changed
    assert all(source in scalar.sources for scalar in changed)
