"""The demo's screen while it runs: bars and a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from streams.operating.demo.movers import Movers
from streams.operating.demo.words import latency
from streams.operating.items.table import items_table
from streams.operating.narrow_tables import Column, fitting
from streams.terminal import literal

PLAIN_EVERY_S: Final = 5.0
RATE_OVER_S: Final = 5.0
_ITEMS: Final = 5
"""Items that are shown: with the shoppers above them, the screen fits into 24 lines."""
_MOVERS: Final = (
    Column("user", 0),
    Column("score", 1, right=True),
    Column("moved", 2, right=True),
    Column("tier", 4),
    Column("stage", 6),
    Column("expected", 3, right=True),
    Column("first reason", 5),
)


@dataclass(frozen=True)
class Reading:
    """The figures that the screen shows at a moment.

    Attributes:
        settled: events that the flow is done with.
        waiting: events published and not settled.
        scores: score records published.
        texts: texts read.
        dead_letters: records refused.
        latency_ms: percentiles of event to score of the paced stretch; None before it.
    """

    settled: int
    waiting: int
    scores: int
    texts: int
    dead_letters: int
    latency_ms: dict[str, float | None] | None


class Screen:
    """Shows the progress of a flow through its backlog and its paced stretch.

    Args:
        console: to print to.
        backlog: number of events of the backlog.
        live: number of events of the paced stretch after it.
        currency: of the money shown.
        plain: whether to print a line now and then instead of a live table.
    """

    def __init__(self, console: Console, backlog: int, live: int, currency: str, plain: bool) -> None:
        self._console = console
        self._backlog = backlog
        self._total = backlog + live
        self._currency = currency
        self._plain = plain
        self._printed = 0.0
        self._seen: deque[tuple[float, int]] = deque()
        self.movers = Movers("score")
        self.items = Movers("units_7d")
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            expand=True,
        )
        self._bars = (
            self._progress.add_task("backlog", total=backlog),
            self._progress.add_task("live", total=live, start=False),
        )
        self._live = Live(console=console, refresh_per_second=4)

    def __enter__(self) -> Screen:
        if not self._plain:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._plain:
            self._live.stop()

    def show(self, reading: Reading, last: bool = False) -> None:
        """Show a reading; in plain mode every few seconds, and the last one."""
        now = time.monotonic()
        self._seen.append((now, reading.settled))
        while len(self._seen) > 2 and self._seen[0][0] < now - RATE_OVER_S:
            self._seen.popleft()
        then, before = self._seen[0]
        elapsed = now - then
        rate = (reading.settled - before) / elapsed if elapsed > 0 else 0.0
        if not self._plain:
            self._advance(reading)
            figures = _figures(reading, rate, len(self.items.records))
            items = [self._moving_items()] if self.items.records else []
            self._live.update(Group(self._progress, figures, self._top_movers(), *items))
        elif last or now - self._printed >= PLAIN_EVERY_S:
            self._printed = now
            stage = "backlog" if reading.latency_ms is None else "live"
            self._console.print(
                Text(
                    f"{stage}: {reading.settled:,} of {self._total:,} events, {rate:,.0f}/s, "
                    f"{reading.waiting:,} waiting, {reading.scores:,} scores"
                )
            )

    def _advance(self, reading: Reading) -> None:
        backlog, live = self._bars
        self._progress.update(backlog, completed=min(reading.settled, self._backlog))
        if reading.latency_ms is not None:
            self._progress.start_task(live)
            self._progress.update(live, completed=max(0, reading.settled - self._backlog))

    def _top_movers(self) -> Table:
        rows = []
        for user_id, move in self.movers.top():
            score = self.movers.records.get(user_id)
            if score is not None:
                reason = score["reasons"][0]
                rows.append(
                    (
                        literal(user_id),
                        f"{score['score']:.1f}",
                        Text(f"{move:+.1f}", style="green" if move > 0 else "red"),
                        score["tier"],
                        score["labels"]["lifecycle"],
                        f"{score['expected_spend']:.2f}",
                        f"{reason['feature']} {reason['contribution']:+.2f}",
                    )
                )
        return fitting(self._console, f"top movers ({self._currency} expected in 30 days)", _MOVERS, rows)

    def _moving_items(self) -> Table:
        records = [self.items.records[item] for item in self.items.risen(_ITEMS)]
        return items_table(self._console, "items that sell", records)


def _figures(reading: Reading, rate: float, items: int) -> Text:
    figures = (
        (f"{rate:,.0f}", " events/s"),
        (f"{reading.waiting:,}", " waiting"),
        (f"{reading.scores:,}", " scores"),
        (f"{reading.texts:,}", " texts"),
        (f"{items:,}", " items"),
        (f"{reading.dead_letters:,}", " dead letters"),
    )
    text = Text()
    for number, unit in figures:
        text.append(number, style="bold").append(f"{unit}  ")
    text.rstrip()
    if reading.latency_ms is None:
        return text.append("\nas fast as events are taken: no latency is shown, they wait for the demo itself", "dim")
    return text.append(f"\nevent to score, live: {latency(reading.latency_ms)}")
