"""Progress: a line per tenth with an estimate, and a bar where there is a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from streams.cli.common.progress import Bars, Lines, bytes_read, reporting


class Clock:
    """Gives the seconds that it is set to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def told(steps: list[tuple[float, str, int, int | None]]) -> list[str]:
    """Report steps at seconds, and return the lines that are printed."""
    clock, said = Clock(), list[str]()
    lines = Lines(said.append, clock)
    for clock.now, what, done, of in steps:
        lines(what, done, of)
    return said


def test_each_tenth_has_one_line_with_an_estimate() -> None:
    said = told([(float(n), "events", n * 100, 10_000) for n in range(101)])
    assert len(said) == 10
    assert said[4] == "events: 5,000 of 10,000 (50 %), about 0:00:50 left"
    assert said[-1] == "events: 10,000 of 10,000 (100 %)"


def test_what_is_soon_over_says_nothing() -> None:
    assert told([(n / 100, "events", n, 100) for n in range(101)]) == []


def test_an_unknown_amount_is_counted_now_and_then_without_an_estimate() -> None:
    said = told([(float(n), "lines", n * 50, None) for n in range(31)])
    assert said == ["lines: 500", "lines: 1,000", "lines: 1,500"]


def test_a_step_without_an_amount_is_named_when_it_begins() -> None:
    assert told([(0.0, "fitting baselines", 0, 1), (9.0, "drawing", 0, 1)]) == ["fitting baselines", "drawing"]


def test_an_estimate_of_the_whole_that_grows_does_not_repeat_a_tenth() -> None:
    said = told(
        [(0.0, "a", 0, 100), (11.0, "a", 30, 100), (12.0, "a", 31, 200), (13.0, "a", 60, 200), (14.0, "a", 80, 200)]
    )
    assert [line.partition(",")[0] for line in said] == ["a: 30 of 100 (30 %)", "a: 80 of 200 (40 %)"]


def test_steps_that_go_on_together_have_tenths_of_their_own() -> None:
    said = told([(float(n), what, n, 40) for n in range(41) for what in ("texts", "events")])
    assert len([line for line in said if line.startswith("texts")]) == len(said) / 2 == 9


def test_bytes_are_added_up() -> None:
    seen: list[tuple[str, int, int | None]] = []
    take = bytes_read(lambda what, done, of: seen.append((what, done, of)), 30)
    take(10)
    take(20)
    assert seen == [("bytes read", 10, 30), ("bytes read", 30, 30)]


def test_a_terminal_shows_bars_and_is_left_as_it_was() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80, color_system=None)
    with Bars(console) as bars:
        bars("[red]resampling", 1, 4)
        bars("[red]resampling", 4, 4)
        bars("unknown", 7, None)
        bars("fitting", 0, 1)
        bars("drawing", 0, 1)
    shown = screen.getvalue()
    assert "drawing" in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1, "the cursor is shown again"


def test_a_file_gets_lines_and_no_escapes() -> None:
    out = io.StringIO()
    with reporting(out) as report:
        report("fitting", 0, 1)
    assert out.getvalue() == "fitting\n"


def test_a_bar_estimates_what_is_left_while_the_whole_amount_changes() -> None:
    screen, clock = io.StringIO(), Clock()
    console = Console(file=screen, force_terminal=True, width=80, color_system=None)
    with Bars(console, clock) as bars:
        for clock.now, done, of in [(0.0, 0, None), (10.0, 100, 450), (20.0, 200, 400)]:
            bars("records settled", done, of)
    assert "200/400 0:00:20 left" in screen.getvalue()
