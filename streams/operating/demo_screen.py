"""The demo's screen: a progress bar and a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from streams.terminal import literal

MOVERS: Final = 8
MOVES_KEPT_S: Final = 10.0
PLAIN_EVERY_S: Final = 5.0
RATE_OVER_S: Final = 5.0
WIDE: Final = 110
"""The least width of a terminal, in columns, that shows the lifecycle stage beside the reason."""


@dataclass
class Movers:
    """Finds the users whose scores changed most in the last seconds."""

    scores: dict[str, dict[str, Any]] = field(default_factory=dict)
    _moves: deque[tuple[float, str, float]] = field(default_factory=deque)

    def take(self, user_id: str, score: dict[str, Any] | None) -> None:
        """Take a record of the score topic."""
        if score is None:
            self.scores.pop(user_id, None)
            return
        known = self.scores.get(user_id)
        self.scores[user_id] = score
        if known is not None:
            self._moves.append((time.monotonic(), user_id, score["score"] - known["score"]))

    def top(self) -> list[tuple[str, float]]:
        """Return the users whose scores rose or fell most over the last seconds, half of each, with the change."""
        while self._moves and self._moves[0][0] < time.monotonic() - MOVES_KEPT_S:
            self._moves.popleft()
        totals: dict[str, float] = {}
        for _, user_id, move in self._moves:
            totals[user_id] = totals.get(user_id, 0.0) + move
        moves = sorted(totals.items(), key=lambda item: -item[1])
        falling = [move for move in moves if move[1] <= 0]
        # If one side has too few, the other fills the rest: scored anew at a later instant, nearly all users fall.
        rising = moves[: len(moves) - len(falling)][: max(MOVERS // 2, MOVERS - len(falling))]
        return rising + falling[len(rising) - MOVERS :] if falling else rising


@dataclass(frozen=True)
class Reading:
    """The figures that the screen shows at a moment."""

    settled: int
    lag: int
    scores: int
    texts: int
    dead_letters: int
    latency_ms: dict[str, float | None]


class Screen:
    """Shows the progress of a flow.

    Args:
        console: to print to.
        total: number of events to come.
        plain: whether to print a line now and then instead of a live table.
    """

    def __init__(self, console: Console, total: int, plain: bool) -> None:
        self._console = console
        self._total = total
        self._plain = plain
        self._printed = 0.0
        self._seen: deque[tuple[float, int]] = deque()
        self.movers = Movers()
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
        )
        self._task = self._progress.add_task("events", total=total)
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
        if self._plain:
            if last or now - self._printed >= PLAIN_EVERY_S:
                self._printed = now
                self._console.print(
                    f"{reading.settled:,} of {self._total:,} events, {rate:,.0f}/s, {reading.lag:,} behind, "
                    f"{reading.scores:,} scores, {reading.texts:,} texts read",
                    highlight=False,
                )
            return
        self._progress.update(self._task, completed=reading.settled)
        self._live.update(Group(self._progress, self._figures(reading, rate), self._top_movers()))

    @staticmethod
    def _figures(reading: Reading, rate: float) -> Table:
        table = Table.grid(padding=(0, 3))
        latency = "  ".join(f"{name} {value:,.0f}" for name, value in reading.latency_ms.items() if value is not None)
        table.add_row(
            f"[bold]{rate:,.0f}[/] events/s",
            f"lag [bold]{reading.lag:,}[/]",
            f"event to score, ms: {latency or '-'}",
            f"[bold]{reading.scores:,}[/] scores",
            f"[bold]{reading.texts:,}[/] texts",
            f"[bold]{reading.dead_letters}[/] dead letters",
        )
        return table

    def _top_movers(self) -> Table:
        stage = ["stage"] if self._console.width >= WIDE else []
        table = Table(
            "user", "score", "moved", "tier", *stage, "expected spend, 30 d", "first reason", title="top movers"
        )
        for user_id, move in self.movers.top():
            score = self.movers.scores.get(user_id)
            if score is not None:
                colour = "green" if move > 0 else "red"
                reason = score["reasons"][0]
                table.add_row(
                    literal(user_id),
                    f"{score['score']:.1f}",
                    f"[{colour}]{move:+.1f}[/]",
                    score["tier"],
                    *(score["labels"]["lifecycle"] for _ in stage),
                    f"{score['expected_spend']:.2f}",
                    f"{reason['feature']} {reason['contribution']:+.2f}",
                )
        return table
