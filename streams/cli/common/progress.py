"""How far a command is, on standard error: a bar with an estimate on a terminal, elsewhere a line per tenth."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Display

from streams.broker.forced_end import at_forced_end
from streams.progress import Progress

QUIET_S: Final = 5.0
"""Seconds without a line from the first report on, so that what takes no longer says nothing."""

LINE_S: Final = 10.0
"""Seconds between two lines of a step whose whole amount is not known."""

_TENTHS: Final = 10


def bytes_read(report: Progress, of: int | None) -> Callable[[int], None]:
    """Return a function that takes bytes as they are read of files, and reports how many of all they are."""
    read = 0

    def take(count: int) -> None:
        nonlocal read
        read += count
        report("bytes read", read, of)

    return take


@contextmanager
def reporting(stream: TextIO | None = None) -> Iterator[Progress]:
    """Yield what a command reports its progress to. What a terminal shows of it is gone afterwards."""
    console = Console(file=sys.stderr if stream is None else stream)
    if not console.is_terminal or console.is_dumb_terminal:
        yield Lines(lambda line: print(line, file=console.file, flush=True))
        return
    forget = at_forced_end(lambda: console.show_cursor(True))
    try:
        with Bars(console) as bars:
            yield bars
    finally:
        forget()


@dataclass(slots=True)
class _Step:
    """A step as it was first reported: when, and what was done by then."""

    began: float
    first: int
    line_at: float
    tenth: int = 0

    def estimate(self, now: float, done: int, of: int | None) -> str:
        """Return how long the rest takes at the pace so far; empty if there is no telling."""
        if not of or not self.first < done < of:
            return ""
        return str(timedelta(seconds=round((now - self.began) * (of - done) / (done - self.first))))


class Bars:
    """Shows a bar for each step. A step of unknown amount has a bar that pulses.

    Args:
        console: a terminal.
        clock: gives seconds.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._progress = Display(
            TextColumn("{task.description}", markup=False),
            BarColumn(20),
            MofNCompleteColumn(),
            # The library's own estimate begins anew whenever the whole amount changes.
            TextColumn("{task.fields[left]}", markup=False),
            console=console,
            transient=True,
            # What is printed meanwhile stands above the bars, unless it goes to a file.
            redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
        )
        self._clock = clock
        self._steps: dict[str, tuple[TaskID, _Step]] = {}

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, what: str, done: int, of: int | None) -> None:
        """Show how far a step is, and nothing more of the steps that ended before it."""
        now = self._clock()
        if what not in self._steps:
            for name in [name for name, (task, _) in self._steps.items() if self._has_ended(task)]:
                self._progress.remove_task(self._steps.pop(name)[0])
            self._steps[what] = self._progress.add_task(what, total=None, left=""), _Step(now, done, now)
        task, step = self._steps[what]
        total = None if (done, of) == (0, 1) else of
        left = step.estimate(now, done, total)
        self._progress.update(task, completed=done, total=total, left=left and f"{left} left")

    def _has_ended(self, task_id: TaskID) -> bool:
        task = next(task for task in self._progress.tasks if task.id == task_id)
        return task.total is None or task.finished


class Lines:
    """Prints a line when another tenth of a step is done, and every `LINE_S` if its whole amount is not known.

    Args:
        say: prints a line.
        clock: gives seconds.
    """

    def __init__(self, say: Callable[[str], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._began: float | None = None
        self._steps: dict[str, _Step] = {}

    def __call__(self, what: str, done: int, of: int | None) -> None:
        """Take how far a step is."""
        now = self._clock()
        if (done, of) == (0, 1):
            self._say(what)
            return
        if self._began is None:
            self._began = now
        step = self._steps.setdefault(what, _Step(now, done, now))
        tenth = done * _TENTHS // of if of else 0
        due = tenth > step.tenth if of else now - step.line_at >= LINE_S
        step.tenth = max(step.tenth, tenth)
        if not due or now - self._began < QUIET_S:
            return
        step.line_at = now
        if not of:
            self._say(f"{what}: {done:,}")
            return
        left = step.estimate(now, done, of)
        self._say(f"{what}: {done:,} of {of:,} ({done * 100 // of} %){f', about {left} left' if left else ''}")
