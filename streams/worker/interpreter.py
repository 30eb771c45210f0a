"""How the interpreter of a worker shares itself out among threads, and what its cycle collector looks at."""

from __future__ import annotations

import gc
import sys
from typing import Final

SWITCH_S: Final = 0.0005
"""How long the event loop keeps the interpreter from a thread that asks for it: the consumer's asks several times for
every fetch, and at Python's own 5 ms the events it brings come that much later, each time."""


YOUNG_OBJECTS: Final = 2_000
"""New objects that are looked at together, in about a millisecond. Nothing waits for a pause it would notice, and
looking at more of them at a time takes no less time for each."""

_NEVER: Final = 1_000_000_000


def tune_interpreter() -> None:
    """Have the interpreter share itself out more often, and the cycle collector look at every object once.

    The users' states are many, live long and form no cycles; walking them all again and again was the largest single
    cost of a worker with 60,000 live users, in pauses that every event waited out. What forms cycles is rare and young.
    Cycles that outlive their first look are left to `streams.worker.monitor`, which collects them from time to time.
    """
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(YOUNG_OBJECTS, _NEVER, _NEVER)
