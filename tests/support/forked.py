"""Real processes that are forked from one that has imported what takes seconds, so that they start at once."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from multiprocessing import forkserver, get_context
from pathlib import Path
from typing import Final

import pytest

from support.paths import ROOT

NOWHERE: Final = Path(os.devnull)

_CONTEXT: Final = get_context("forkserver")
_PRELOADED: Final = ["support.forked", "streams.cli.main", "streams.cli.worker", "streams.cli.rekey"]
_PR_SET_PDEATHSIG: Final = 1


class Forked:
    """A process of its own that calls a function of a module; it ends with the process of the tests.

    Args:
        work: a function of a module, without arguments.
        environment: all of its variables.
        out: takes its output.
        errors: takes its errors.
        folder: that it works in.
    """

    def __init__(
        self,
        work: Callable[[], object],
        environment: Mapping[str, str],
        *,
        out: Path = NOWHERE,
        errors: Path = NOWHERE,
        folder: Path = ROOT,
    ) -> None:
        _begin_forking()
        for path in {out, errors} - {NOWHERE}:
            # There from now on: nobody need wait until the process opens it.
            path.write_bytes(b"")
        arguments = (work, dict(environment), str(out), str(errors), str(folder))
        self._process = _CONTEXT.Process(target=_become, args=arguments, daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """As of `subprocess.Popen`."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return its exit code, negative for a signal; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and return its exit code.

        Raises:
            TimeoutExpired: it has not ended in time.
        """
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


def _begin_forking() -> None:
    # The process that forks finds its modules by its environment alone.
    _CONTEXT.set_forkserver_preload(_PRELOADED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "tests"), str(ROOT)]))
        forkserver.ensure_running()


def _become(work: Callable[[], object], environment: dict[str, str], out: str, errors: str, folder: str) -> None:
    """Be the process that was asked for."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.environ.clear()
    os.environ.update(environment)
    # Feast has set it for whatever the tests start, and `streams` takes it away again where it is imported.
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    os.chdir(folder)
    for path, number, flags in (
        (os.devnull, 0, os.O_RDONLY),
        (out, 1, os.O_WRONLY),
        (errors, 2, os.O_WRONLY),
    ):
        opened = os.open(path, flags)
        os.dup2(opened, number)
        os.close(opened)
    work()
