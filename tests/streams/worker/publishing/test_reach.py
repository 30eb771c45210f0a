"""How far a log is known without a gap, in whatever order its records become known."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.worker.publishing.reach import Reach


@given(st.integers(-1, 5), st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5)), max_size=20))
def test_it_ends_before_the_first_record_that_is_not_known(begin: int, stretches: list[tuple[int, int]]) -> None:
    reach = Reach(begin)
    known = set(range(begin + 1))
    for first, length in stretches:
        reach.add(first, first + length)
        known |= set(range(first, first + length + 1))
        assert reach.offset == next(offset for offset in range(-1, 40) if offset + 1 not in known)


def test_what_is_written_after_a_gap_takes_one_place_however_long_that_goes_on() -> None:
    reach = Reach(0)
    for first in range(2, 2000, 3):
        reach.add(first, first + 2)
    assert reach.offset == 0
    assert len(reach._beyond) == 1
    reach.add(1, 1)
    assert reach.offset == 1999
