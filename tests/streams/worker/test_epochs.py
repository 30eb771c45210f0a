"""The epochs by which owners of a partition outrank each other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.worker.epochs import epoch_of

NOW_MS = 1_764_000_000_000
YEAR_MS = 365 * 86_400_000


@given(st.integers(0, 1_000_000), st.integers(0, NOW_MS), st.integers(0, 2 * NOW_MS))
def test_a_later_generation_outranks_an_earlier_one_whatever_the_clocks_say(
    generation: int, behind: int, ahead: int
) -> None:
    earlier = epoch_of(generation, NOW_MS + ahead, 0)
    assert epoch_of(generation + 1, NOW_MS - behind, 0) > earlier


def test_a_generation_outranks_the_wall_clocks_that_epochs_once_were() -> None:
    assert epoch_of(0, 0, 0) > NOW_MS + 80 * YEAR_MS


def test_a_group_that_was_made_anew_still_outranks_what_the_changelog_has_seen() -> None:
    seen = epoch_of(500, NOW_MS, 0)
    assert epoch_of(1, NOW_MS, seen) == seen + 1


def test_no_epoch_is_larger_than_a_store_compares_exactly() -> None:
    assert epoch_of(1 << 40, NOW_MS, 0) == (1 << 53) - 1
