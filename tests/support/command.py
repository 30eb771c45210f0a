"""The command as it is installed, run by a test: in a process of its own, or in this one."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from streams.cli.common.stopping import leave
from streams.cli.main import main
from support.forked import NOWHERE, Forked
from support.loggers import loggers_as_they_were
from support.paths import ROOT
from support.patience import PATIENCE_S
from support.shoppers import BASE

VIEW = {"event_id": "1", "user_id": "u", "item_id": "i", "action": "view", "timestamp": BASE}


def environment(**changes: str | None) -> dict[str, str]:
    """The caller's environment without the settings it may hold, and with these changes; None removes.

    Whether items are kept is as for the tests in this process.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WHEREWITHAL_", "CALF_"))}
    kept["WHEREWITHAL_ITEMS"] = os.environ.get("WHEREWITHAL_ITEMS", "false")
    kept |= {name: value for name, value in changes.items() if value is not None}
    for name in [name for name, value in changes.items() if value is None]:
        kept.pop(name, None)
    return kept | {"PYTHONPATH": str(ROOT)}


def begin(*words: object, folder: Path = ROOT, **changes: str | None) -> subprocess.Popen[str]:
    """Start the command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "streams.cli.main", *map(str, words)],
        cwd=folder,
        env=environment(**changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def forked(*words: object, out: Path = NOWHERE, errors: Path = NOWHERE, **changes: str | None) -> Forked:
    """Start the command in a process of its own that has imported already what takes seconds."""
    return Forked(partial(_command, *map(str, words)), environment(**changes), out=out, errors=errors)


def _command(*words: str) -> None:
    leave(main(words))


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for its end; return exit code, output and errors."""
    try:
        out, err = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    return process.returncode, out, err


def run(*words: object, folder: Path = ROOT, **changes: str | None) -> tuple[int, str, str]:
    return end(begin(*words, folder=folder, **changes))


def here(*words: object, folder: Path = ROOT, **changes: str | None) -> tuple[int, str, str]:
    """Run the command in this process, which has imported what takes seconds: exit code, output and errors."""
    out, err = io.StringIO(), io.StringIO()
    with loggers_as_they_were(), pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(folder)
        for name in set(os.environ) - set(wanted := environment(**changes)):
            patch.delenv(name)
        for name, value in wanted.items():
            patch.setenv(name, value)
        try:
            code: object = main([*map(str, words)])
        except SystemExit as left:
            code = left.code
    assert isinstance(code, int)
    return code, out.getvalue(), err.getvalue()


def refused(code: int, *words: object, by: Callable[..., tuple[int, str, str]] = here, **changes: str | None) -> str:
    """Return the one line with which a command ends that cannot do its work."""
    found, out, err = by(*words, **changes)
    assert found == code, err
    assert out == ""
    assert err.endswith("\n")
    assert err.count("\n") == 1, err
    assert err.startswith("wherewithal")
    return err.rstrip("\n")


def poll(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def write_lines(path: Path, lines: Iterable[Any]) -> Path:
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def read_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
