"""A clock that is set back is noticed, once, whatever it did before."""

from __future__ import annotations

from streams.worker.applying.clock_steps import TOLERANCE_MS, ClockSteps


class Clocks:
    def __init__(self) -> None:
        self.wall, self.running = 1_764_000_000_000, 50.0

    def pass_time(self, seconds: float, step_ms: int = 0) -> None:
        self.running += seconds
        self.wall += int(seconds * 1000) + step_ms


def test_only_a_step_back_beyond_the_tolerance_is_told_and_only_once() -> None:
    clocks = Clocks()
    steps = ClockSteps(lambda: clocks.wall, lambda: clocks.running)
    told = []
    for step in (0, -TOLERANCE_MS, 0, +3_600_000, -3_600_000, 0, -60_000, 0, +60_000):
        clocks.pass_time(10.0, step)
        told.append(steps.back())
    assert told == [0, 0, 0, 0, 3_600_000, 0, 60_000, 0, 0]


def test_steps_that_add_up_to_more_than_the_tolerance_are_told() -> None:
    clocks = Clocks()
    steps = ClockSteps(lambda: clocks.wall, lambda: clocks.running)
    told = []
    for _ in range(4):
        clocks.pass_time(1.0, -2_000)
        told.append(steps.back())
    assert told == [0, 0, 6_000, 0]
