"""Ending the process at once, whatever its threads do: what must not outlive it is undone first."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

_acts: list[Callable[[], object]] = []


def at_forced_end(act: Callable[[], object]) -> Callable[[], None]:
    """Have a forced end call `act`, from any thread; it may raise `OSError`. Call what is returned to have it not."""
    _acts.append(act)

    def forget() -> None:
        # Whoever undid it may be asked to do so again.
        if act in _acts:
            _acts.remove(act)

    return forget


def end_now(code: int) -> NoReturn:
    """End the process with this exit code: no thread is waited for, and no buffer written."""
    for act in reversed(_acts):
        with suppress(OSError):
            act()
    os._exit(code)
