"""The demo's last page holds at every width, and its picture fetches nothing."""

from __future__ import annotations

import io
import re
from collections import Counter
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from rich.console import Console

from streams.operating.demo.closing import Live, Outcome, show, show_essence
from streams.operating.demo.picture import picture

NUMBER = re.compile(r"[+-]?\d[\d,.]*\d|\d")


def page(outcome: Outcome, width: int, **more: bool) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False, **more)
    show(console, outcome)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [40, 50, 60, 72, 80, 100, 120])
def test_no_line_is_wider_than_the_terminal_and_no_number_is_cut(outcome: Outcome, width: int) -> None:
    text = page(outcome, width)
    assert max(map(len, text.splitlines())) <= width
    assert Counter(NUMBER.findall(text)) <= Counter(NUMBER.findall(page(outcome, 300)))


@pytest.mark.parametrize("width", [1, 2, 7, 20])
def test_no_terminal_is_too_narrow(outcome: Outcome, width: int) -> None:
    assert max(map(len, page(outcome, width).splitlines())) <= max(width, len("score"))


def test_at_80_columns_every_column_of_the_table_is_there(outcome: Outcome) -> None:
    (head,) = [line for line in page(outcome, 80).splitlines() if line.startswith("user")]
    assert head.split() == ["user", "score", "tier", "expected", "tag", "first", "reason"]


def test_the_highest_come_first_and_live_latency_stands_apart_from_the_backlog(outcome: Outcome) -> None:
    text = page(outcome, 100)
    assert re.findall(r"^(000\d\d) ", text, re.MULTILINE) == [f"{user:05}" for user in range(10)]
    assert "event to score: p50 15 ms, p95 1,027 ms, p99 12,062 ms" in text
    assert "USD 62,549.23 of USD 123,982.61" in " ".join(text.split())


def test_the_items_that_sold_most_stand_below_the_scores_where_items_are_kept(outcome: Outcome) -> None:
    text = page(outcome, 80)
    assert re.findall(r"^(98\d) +baked bread +- +(\d) ", text, re.MULTILINE) == [
        ("980", "9"),
        ("981", "8"),
        ("982", "7"),
    ]
    assert text.index("Highest scores") < text.index("Items that sold most") < text.index(outcome.account)
    assert "Items that" not in page(replace(outcome, sellers=()), 80)


def test_parts_of_a_move_are_added_up_by_what_they_speak_of(outcome: Outcome) -> None:
    lines = page(outcome, 120).splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("why"))
    assert [line.strip() for line in lines[start : start + 5]] == [
        "why     the prediction, the logarithm of money, moved by +0.66:",
        "+0.75  all orders so far: lifetime_spend 9,903.4 to 11,107.8",
        "-0.25  recent orders: purchases_30d 0 to 1,234",
        "+0.12  time and the last order: tenure_days 470.2 to 500.2",
        "+0.03  all else",
    ]


def test_a_run_without_scores_and_stories_still_has_a_page(outcome: Outcome) -> None:
    nothing = dict.fromkeys(("p50", "p95", "p99"))
    text = page(replace(outcome, scores={}, stories=[], live=Live(0, 100.0, 0.0, nothing), backlog_seconds=0.0), 80)
    assert "nothing scored" in text
    assert "Shoppers of" not in text
    assert outcome.account in text
    assert outcome.items_account in text


def test_what_stands_in_a_record_is_no_markup(outcome: Outcome) -> None:
    hostile = {"u": next(iter(outcome.scores.values())) | {"user_id": "[red]u[/]", "tags": ["[/bold]"]}}
    assert "[red]u[/]" in page(replace(outcome, scores=hostile), 120)


def test_the_picture_is_drawn_alike_and_fetches_nothing(outcome: Outcome) -> None:
    drawn = picture(lambda console: show_essence(console, outcome), "demo")
    assert drawn == picture(lambda console: show_essence(console, outcome), "demo")
    ElementTree.fromstring(drawn)
    assert "@font-face" not in drawn
    assert not re.search(r"url\((?!#)|@import|(href|src)\s*=", drawn)
    text = re.sub(r"<[^>]*>", "", drawn).replace("&#160;", " ")
    assert outcome.account in text
    assert "Foreseen" in text
    assert "Items that sold most" in text
    assert outcome.items_account in text
