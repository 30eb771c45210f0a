"""The last page of the demo: how fast, how right, three shoppers, the highest scores, and the account."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from streams.operating.demo.quality import Quality
from streams.operating.demo.stories import Story
from streams.operating.demo.telling import told
from streams.operating.demo.words import date_of, latency, money
from streams.operating.items.table import items_table
from streams.operating.narrow_tables import Column, fitting
from streams.operating.read_back import Scores

SHOWN: Final = 10
REAL: Final = (
    "What is real: every purchase, its items in words, its price and its time, of households of Complete Journey, "
    "which its package calls simulated from real shopping patterns and not for commercial decisions. What we invented: "
    "every search, view, favourite, cart, removal and review."
)
"""Which part of the input is real, as the demo says it."""
SOLD: Final = "units_7d"
"""The field that orders the items."""
_COLUMNS: Final = (
    Column("user", 0),
    Column("score", 1, right=True),
    Column("tier", 2),
    Column("expected", 3, right=True),
    Column("tag", 5),
    Column("first reason", 4),
)


@dataclass(frozen=True)
class Live:
    """The paced stretch.

    Attributes:
        events: published.
        per_second: the pace.
        seconds: from its first event to the settling of its last.
        event_to_score_ms: percentiles of its events alone.
    """

    events: int
    per_second: float
    seconds: float
    event_to_score_ms: dict[str, float | None]


@dataclass(frozen=True)
class Outcome:
    """What a demo came to.

    Attributes:
        account: the fates of all events, in one line.
        items_account: those of all facts; empty where items are not kept.
        backlog_events: events published as fast as they were taken.
        backlog_seconds: how long that took.
        live: the paced stretch.
        begin: the instant (ms) of the month's begin.
        end: the instant (ms) of its end.
        currency: of the money.
        quality: of the scores as of the month's begin.
        stories: of chosen shoppers.
        scores: as of the month's end.
        sellers: records of the items that sold most in its last week; empty where items are not kept.
    """

    account: str
    items_account: str
    backlog_events: int
    backlog_seconds: float
    live: Live
    begin: int
    end: int
    currency: str
    quality: Quality
    stories: Sequence[Story]
    scores: Scores
    sellers: Sequence[Mapping[str, Any]]


def show(console: Console, outcome: Outcome) -> None:
    """Print the page."""
    _print(
        console,
        *_essence(outcome),
        _highest(console, outcome),
        *_sellers(console, outcome),
        _account(outcome),
        Text(
            "Next: wherewithal replay FILE --features F --scores S --items I for events of your own, wherewithal "
            "--help, or docs/running.md for a real Kafka."
        ),
    )


def show_essence(console: Console, outcome: Outcome) -> None:
    """Print the part of the page that a picture has room for."""
    _print(console, *_essence(outcome), *_sellers(console, outcome), _account(outcome))


def _account(outcome: Outcome) -> Text:
    return Text("\n".join(filter(None, (outcome.account, outcome.items_account))))


def _print(console: Console, *parts: RenderableType) -> None:
    for part in parts:
        console.print()
        console.print(part)


def _essence(outcome: Outcome) -> Iterator[RenderableType]:
    yield _speed(outcome)
    yield _worth(outcome.quality, outcome.begin, outcome.currency)
    yield Text(REAL)
    if outcome.stories:
        yield Text(
            f"Shoppers of the 30 days from {date_of(outcome.begin)}, chosen by rule among those whom the scorer "
            "never saw: each is the extreme of its kind."
        )
    for story in outcome.stories:
        yield told(story, outcome.currency)


def _speed(outcome: Outcome) -> RenderableType:
    live = outcome.live
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column()
    rate = outcome.backlog_events / outcome.backlog_seconds if outcome.backlog_seconds else 0.0
    grid.add_row(
        "backlog",
        f"{outcome.backlog_events:,} events in {outcome.backlog_seconds:.1f} s, {rate:,.0f} a second: they waited for "
        "each other, so no latency is said of them",
    )
    grid.add_row(
        "live",
        f"{live.events:,} events at {live.per_second:g} a second, in {live.seconds:.1f} s",
    )
    grid.add_row("", Text(f"event to score: {latency(live.event_to_score_ms)}", style="bold"))
    return grid


def _worth(quality: Quality, begin: int, currency: str) -> Text:
    held = quality.top_decile_share * quality.spent
    text = Text(
        f"Was it right? As of {date_of(begin)}, for {quality.customers:,} customers whom the scorer never saw:\n"
    )
    text.append(
        f"the tenth scored highest then spent {money(held, currency)} of {money(quality.spent, currency)} in 30 days, "
        f"{quality.top_decile_share:.0%} of the money",
        style="bold",
    )
    return text.append(
        f". Of pairs it ordered {quality.concordance:.1%} rightly, the spend of the 30 days before "
        f"{quality.concordance_of_past_spend:.1%}."
    )


def _highest(console: Console, outcome: Outcome) -> Table:
    best: list[dict[str, Any]] = sorted(outcome.scores.values(), key=lambda score: -score["prediction"])[:SHOWN]
    rows = [
        (
            score["user_id"],
            f"{score['score']:.1f}",
            score["tier"],
            f"{score['expected_spend']:,.2f}",
            next(iter(score["tags"]), "-"),
            f"{score['reasons'][0]['feature']} {score['reasons'][0]['contribution']:+.2f}",
        )
        for score in best
    ]
    title = f"Highest scores as of {date_of(outcome.end)} ({outcome.currency} expected in 30 days)"
    return fitting(console, title, _COLUMNS, rows)


def _sellers(console: Console, outcome: Outcome) -> Iterator[Table]:
    if outcome.sellers:
        title = f"Items that sold most in the week before {date_of(outcome.end)}, each as of its last event"
        yield items_table(console, title, outcome.sellers, SOLD)
