"""What the benchmark of rolling restarts makes of logs and records."""

from __future__ import annotations

from benchmarks.material.ownership import Change, owned, waits


def test_a_move_and_the_seconds_without_an_owner_are_told() -> None:
    found = owned(
        [
            Change(1.0, 0, 0, "a", True),
            Change(12.0, 0, 0, "a", False),
            Change(15.0, 0, 1, "b", True),
            Change(18.0, 0, 1, "b", False),
        ],
        began=10.0,
        ended=20.0,
    )
    assert (found.moves, found.take_overs, found.without_s) == (1, 1, {0: 5.0})


def test_a_worker_that_is_back_under_its_name_moves_nothing() -> None:
    found = owned(
        [Change(1.0, 3, 0, "a", True), Change(12.0, 3, 0, "a", False), Change(16.0, 3, 7, "a", True)], 10.0, 20.0
    )
    assert (found.moves, found.take_overs, found.without_s) == (0, 1, {3: 4.0})


def test_a_successor_that_takes_over_before_the_other_lets_go_leaves_no_gap() -> None:
    found = owned(
        [Change(1.0, 0, 0, "a", True), Change(12.0, 0, 1, "a", True), Change(12.5, 0, 0, "a", False)], 10.0, 20.0
    )
    assert (found.moves, found.take_overs, found.without_s) == (0, 1, {0: 0.0})


def test_an_event_waits_for_the_first_score_that_covers_it() -> None:
    events = {"u": [(0, 1.0), (4, 2.0), (9, 3.0)], "v": [(2, 1.0)]}
    scores = {"u": [(4, 2.5), (3, 2.6), (4, 9.0)], "v": []}
    assert waits(events, scores) == ([1.5, 0.5], 2)
