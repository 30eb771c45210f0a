"""A guard against slower code that no busy machine can fool: it counts work instead of taking time.

For a fixed input it counts the bytecode instructions that the pure core executes in this project's own modules, and
the bytes a user keeps in memory and in the changelog. `reference.json` holds what is expected.

    python tests/benchmarks/test_guard.py --update    # deliberately: the commit then says why the figures moved
"""

from __future__ import annotations

import gc
import json
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import orjson
import pytest

from features.observation import Observation
from features.tiles import DAY
from features.users.codec import decode, encode
from features.users.row import scalars
from features.users.state import UserState
from streams.records.decoder import Decoder
from streams.records.events import Click
from streams.records.observer import Observer
from streams.worker.applying.due_times import DueTimes

REFERENCE = Path(__file__).with_name("reference.json")
PACKAGES = tuple(str(Path(__file__).parents[2] / name) for name in ("features", "streams"))
BAND = 0.02
"""The counts do not vary; the band lets a harmless line pass. A change beyond it, down or up, is to be recorded."""

CLICKS = 400
USERS = 20
QUIET_USERS = 100_000
START_MS = 1_760_000_000_000
VERSION = ".".join(map(str, sys.version_info[:2]))


def records() -> list[Any]:
    actions = ("view", "view", "cart", "view", "purchase", "favorite", "view", "view")
    events = [
        {
            "event_id": f"click-{number:06d}",
            "user_id": f"shopper-{number * 7 % USERS:03d}",
            "item_id": f"item-{number % 50}",
            "action": actions[number % len(actions)],
            # Every user's events span hours and days, so that tiles leave and windows move.
            "timestamp": START_MS + number * 1_900_000,
            "category": ("jazz", "rock", "no such genre")[number % 3],
            "price": 0.25 + number % 90,
            "quantity": 1 + number % 3,
        }
        for number in range(CLICKS)
    ]
    stamp = START_MS + 10**10
    return [
        SimpleNamespace(key=event["user_id"].encode(), value=orjson.dumps(event), timestamp=stamp) for event in events
    ]


class Core:
    """The steps of the pure core over the fixed input, each from what the step before it made."""

    def __init__(self) -> None:
        self.records = records()
        self.decoder = Decoder()
        self.observer = Observer(["jazz", "rock"])
        self.events: list[Click] = []
        self.seen: list[Observation] = []
        self.states: dict[str, UserState] = {}
        self.stored: list[bytes] = []

    def decode(self) -> None:
        decoded = self.decoder.decode_all("clicks", self.records)
        self.events = [event for event in decoded if isinstance(event, Click)]
        assert len(self.events) == CLICKS

    def observe(self) -> None:
        self.seen = [self.observer.observe(event, offset) for offset, event in enumerate(self.events)]

    def apply(self) -> None:
        states: dict[str, UserState] = {}
        for event, seen in zip(self.events, self.seen, strict=True):
            state = states.get(event.user_id)
            if state is None:
                state = states[event.user_id] = UserState()
            state.apply(seen, "model")
        self.states = states

    def encode(self) -> None:
        self.stored = [encode(state) for state in self.states.values()]

    def decode_state(self) -> None:
        for data in self.stored:
            decode(data)

    def scalars(self) -> None:
        for state in self.states.values():
            scalars(state, state.instant(START_MS + CLICKS * 1_900_000))


STEPS = ("decode", "observe", "apply", "encode", "decode_state", "scalars")


def instructions(step: Callable[[], None]) -> int:
    """Count the bytecode instructions that a call executes in this project's packages."""
    count = 0

    def local(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        if event == "opcode":
            count += 1
        return local

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGES):
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return local

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        step()
    finally:
        sys.settrace(before)
    return count


def measure() -> dict[str, float]:
    """Return instructions per call of each step, and bytes per user."""
    core = Core()
    figures: dict[str, float] = {}
    for name in STEPS:
        calls = USERS if name in ("encode", "decode_state", "scalars") else CLICKS
        figures[f"{name}_instructions"] = instructions(getattr(core, name)) / calls
    figures["changelog_bytes_per_user"] = sum(map(len, core.stored)) / USERS
    figures["memory_bytes_per_user"] = memory_per_user(core)
    figures["memory_bytes_per_quiet_user"] = memory_per_quiet_user()
    return {name: round(value, 2) for name, value in figures.items()}


def memory_per_user(core: Core) -> float:
    """Return the bytes that Python allocates for a user's state and keeps."""
    core.states = {}
    return kept_bytes(core.apply) / USERS


def memory_per_quiet_user() -> float:
    """Return the bytes of a user of whom only the due time is kept, with an id of 17 bytes."""
    due = DueTimes()

    def schedule() -> None:
        for number in range(QUIET_USERS):
            # Tiles leave the window of 30 days at midnight.
            due.schedule(f"user-{number:012d}", START_MS + number % 30 * DAY)

    return kept_bytes(schedule) / QUIET_USERS


def kept_bytes(step: Callable[[], None]) -> int:
    """Return the bytes that Python allocates in a call and keeps."""
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        step()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return after - before


@pytest.fixture(scope="module")
def figures() -> dict[str, float]:
    return measure()


def expected() -> dict[str, float]:
    known: dict[str, dict[str, float]] = json.loads(REFERENCE.read_text())
    if VERSION not in known:
        pytest.skip(f"bytecode differs between versions of Python, and reference.json has none of {VERSION}")
    return known[VERSION]


def test_the_core_does_no_more_work_and_keeps_no_more_bytes_than_recorded(figures: dict[str, float]) -> None:
    moved = [
        f"{name}: expected {reference:,.2f}, found {figures[name]:,.2f} ({figures[name] / reference - 1:+.1%})"
        for name, reference in expected().items()
        if abs(figures[name] / reference - 1) > BAND
    ]
    assert not moved, (
        "the cost of the pure core has moved by more than "
        f"{BAND:.0%}:\n  " + "\n  ".join(moved) + "\nIf that is meant, run "
        "`python tests/benchmarks/test_guard.py --update`, and let the commit say why it is worth it."
    )


def test_every_figure_has_its_reference(figures: dict[str, float]) -> None:
    assert set(expected()) == set(figures)


def test_the_counts_do_not_vary() -> None:
    core = Core()
    counts = []
    for _ in range(2):
        counts.append([instructions(getattr(core, name)) for name in STEPS])
    assert counts[0] == counts[1]


def test_the_guard_sees_added_work(figures: dict[str, float]) -> None:
    core = Core()
    core.decode()

    def observe_twice() -> None:
        core.observe()
        core.observe()

    assert instructions(observe_twice) == pytest.approx(2 * CLICKS * figures["observe_instructions"], rel=1e-3)


def main() -> None:
    """Record what is measured now as the reference of this version of Python."""
    if sys.argv[1:] != ["--update"]:
        sys.exit("usage: test_guard.py --update (records the present figures as the reference)")
    known = json.loads(REFERENCE.read_text()) if REFERENCE.exists() else {}
    REFERENCE.write_text(json.dumps(known | {VERSION: measure()}, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
