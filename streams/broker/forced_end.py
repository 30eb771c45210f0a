"""Ending the process at once, whatever its threads do. Registered clean-ups run first."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

_acts: list[Callable[[], object]] = []


def at_forced_end(act: Callable[[], object]) -> Callable[[], None]:
    """Register a clean-up for a forced end. It may run in any thread and raise `OSError`. The result cancels it."""
    _acts.append(act)

    def forget() -> None:
        # A second call finds it cancelled already.
        if act in _acts:
            _acts.remove(act)

    return forget


def end_now(code: int) -> NoReturn:
    """End the process with this exit code. It waits for no thread and writes no buffer."""
    for act in reversed(_acts):
        with suppress(OSError):
            act()
    os._exit(code)
