"""Loggers are left as they were by a command that is run in this process: its handlers write to a closed stream."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loggers_as_they_were() -> Iterator[None]:
    """Undo what the enclosed code does to the root logger and to ours."""
    loggers = [logging.getLogger(name) for name in (None, "wherewithal")]
    before = [(one, one.handlers[:], one.level, one.propagate) for one in loggers]
    try:
        yield
    finally:
        for one, handlers, level, propagate in before:
            one.handlers[:], one.propagate = handlers, propagate
            one.setLevel(level)
