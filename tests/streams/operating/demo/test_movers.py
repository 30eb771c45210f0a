"""Whose scores moved."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from support.item_records import item_record

from streams.operating.demo.movers import MOVERS, Movers
from streams.operating.demo.screen import Reading, Screen


def moved(*moves: float) -> list[tuple[str, float]]:
    movers = Movers("score")
    for number, move in enumerate(moves):
        movers.take(f"u{number}", {"score": 50.0})
        movers.take(f"u{number}", {"score": 50.0 + move})
    return movers.top()


def test_half_of_those_shown_rose_most_and_half_fell_most() -> None:
    assert [move for _, move in moved(*range(1, 21), *range(-20, 0))] == [20, 19, 18, 17, -17, -18, -19, -20]


@pytest.mark.parametrize(
    ("moves", "shown"),
    [
        ((5, *range(-20, 0)), [5, *range(-14, -21, -1)]),
        ((*range(1, 21), -5), [*range(20, 13, -1), -5]),
        ((3, -2), [3, -2]),
        ((-1,), [-1]),
        ((), []),
    ],
)
def test_one_side_fills_what_the_other_leaves(moves: tuple[float, ...], shown: list[float]) -> None:
    assert [move for _, move in moved(*moves)] == shown
    assert len(shown) <= MOVERS


def test_moves_of_one_user_are_added_up_and_an_erased_one_begins_anew() -> None:
    movers = Movers("score")
    for score in (50.0, 60.0, 55.0):
        movers.take("u", {"score": score})
    assert movers.top() == [("u", 5.0)]
    movers.take("u", None)
    movers.take("u", {"score": 90.0})
    assert movers.top() == [("u", 5.0)]


def test_items_that_sell_stand_above_those_that_have_sold() -> None:
    movers = Movers("units_7d")
    for item, before, after in (("slow", 3, 4), ("fast", 1, 6), ("most", 90, 90), ("less", 50, 20)):
        movers.take(item, {"units_7d": before})
        movers.take(item, {"units_7d": after})
    movers.take("gone", {"units_7d": 1000})
    movers.take("gone", None)
    assert movers.risen(3) == ["fast", "slow", "most"]


def test_an_id_is_shown_and_not_obeyed() -> None:
    out = io.StringIO()
    console = Console(file=out, width=120, force_terminal=True, color_system=None)
    hostile = "[red]u[/]\x1b[2J\u202e"
    with Screen(console, backlog=1, live=0, currency="USD", plain=False) as screen:
        for score in (1.0, 9.0):
            reasons = [{"feature": "spend_30d", "contribution": 1.0}]
            labels = {"lifecycle": "new"}
            record = {"score": score, "tier": "low", "labels": labels, "expected_spend": 1.0, "reasons": reasons}
            screen.movers.take(hostile, record)
        screen.items.take(hostile, item_record(hostile, title=hostile))
        screen.show(Reading(settled=1, waiting=0, scores=2, texts=0, dead_letters=0, latency_ms={}), last=True)
    assert "[red]u[/]\\u001b[2J\\u202e" in out.getvalue()
    assert "\x1b[2J" not in out.getvalue()
