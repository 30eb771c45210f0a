"""Lines are published when they are due, all of them, in their order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from streams.operating.demo.pacing import Line, paced


class Clock:
    """Time that passes while one sleeps, and while lines are published."""

    def __init__(self, costs: Sequence[float]) -> None:
        self.time = 1000.0
        self.fed: list[tuple[float, Sequence[Line]]] = []
        self._costs = iter(costs)

    async def feed(self, lines: Sequence[Line]) -> None:
        self.fed.append((self.time, lines))
        self.time += next(self._costs, 0.0)

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        # A little longer than asked for, as real sleep is.
        self.time += seconds + 1e-4


@given(st.integers(0, 60), st.floats(0.5, 500), st.lists(st.floats(0, 0.5), max_size=60))
def test_each_line_goes_out_once_in_order_and_never_before_it_is_due(
    count: int, rate: float, costs: list[float]
) -> None:
    clock = Clock(costs)
    lines = [(number, b"") for number in range(count)]
    asyncio.run(paced(clock.feed, lines, rate, now=lambda: clock.time, sleep=clock.sleep))
    assert [line for _, some in clock.fed for line in some] == lines
    for at, some in clock.fed:
        assert some
        assert at - 1000.0 >= some[-1][0] / rate - 1e-6


def test_what_fell_due_while_others_were_published_goes_together() -> None:
    clock = Clock([1.0])
    lines = [(number, b"") for number in range(30)]
    asyncio.run(paced(clock.feed, lines, 10, now=lambda: clock.time, sleep=clock.sleep))
    assert [len(some) for _, some in clock.fed[:3]] == [1, 10, 1]
