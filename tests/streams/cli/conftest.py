"""A file of events, and a command that is refused in this process."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.command import VIEW, write_lines

from streams.cli.main import main


@pytest.fixture
def refused_here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Like `refused` with code 2, in this process: for what is refused before anything heavy is imported."""
    root, ours = logging.getLogger(), logging.getLogger("wherewithal")
    handlers, levels = list(root.handlers), (root.level, ours.level)
    for name in [name for name in os.environ if name.startswith("WHEREWITHAL_")]:
        monkeypatch.delenv(name)

    def refuse(*words: object, **changes: str) -> str:
        for name, value in changes.items():
            monkeypatch.setenv(name, value)
        try:
            code: object = main([*map(str, words)])
        except SystemExit as left:
            code = left.code
        out, err = capsys.readouterr()
        assert (code, out) == (2, ""), err
        assert err.startswith("wherewithal")
        assert err.endswith("\n")
        assert err.count("\n") == 1, err
        return str(err.rstrip("\n"))

    yield refuse
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """A file of one event."""
    return write_lines(tmp_path / "events.ndjson", [{"topic": "clicks", "value": VIEW}])
