"""The step between the instants of rows, where nobody named one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from features.tiles import DAY
from streams.contract import HORIZON
from streams.offline.history.instants import LEAST_INSTANTS, SUITING_STEPS, covered, suiting_step

TIMES = st.integers(700_000_000_000, 1_800_000_000_000)


@given(oldest=TIMES, days=st.integers(0, 3000))
def test_the_longest_step_that_leaves_enough_instants_is_taken(oldest: int, days: int) -> None:
    newest = oldest + days * DAY
    step = suiting_step(oldest, newest)
    longer = SUITING_STEPS[: SUITING_STEPS.index(step)]
    assert all(len(covered(other, oldest, newest)) < LEAST_INSTANTS for other in longer)
    assert len(covered(step, oldest, newest)) >= LEAST_INSTANTS or step == SUITING_STEPS[-1]


@given(oldest=TIMES, days=st.integers(0, 400), step=st.sampled_from(SUITING_STEPS))
def test_the_instants_covered_lie_in_the_history_and_their_30_days_too(oldest: int, days: int, step: int) -> None:
    newest = oldest + days * DAY
    found = covered(step, oldest, newest)
    assert all(oldest <= instant <= newest - HORIZON and instant % step == 0 for instant in found)
    assert len(found) >= (newest - HORIZON - oldest) // step


def test_a_year_is_folded_by_the_month_half_a_year_by_the_week_and_six_weeks_by_the_day() -> None:
    assert [suiting_step(0, days * DAY) // DAY for days in (365, 150, 42)] == [30, 7, 1]
