"""Commands that are told to end: in order at the first signal, at once at the second, and never later than they may."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from support.paths import ROOT
from support.shoppers import BASE

PATIENCE_S = 120.0
"""Far more than anything here takes, and less than for ever."""

CTRL_C = b"\x03"

PROGRAM = """
import asyncio, sys, threading, time
from pathlib import Path
from streams.cli.common.stopping import Stopper, ToldToEnd, leave
from streams.broker.forced_end import at_forced_end

async def waits():
    print("begun", flush=True)
    await asyncio.Event().wait()

async def clings():
    print("begun", flush=True)
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            print("asked", flush=True)

async def blocks_the_loop():
    print("begun", flush=True)
    threading.Event().wait()

async def leaves_a_thread():
    threading.Thread(target=threading.Event().wait).start()
    print("begun", flush=True)

async def fails_and_does_not_end():
    print("begun", flush=True)
    stopper.begin("what went wrong")
    threading.Event().wait()

at_forced_end(Path(sys.argv[3]).touch)
code = 0
try:
    with Stopper("thing", float(sys.argv[2])) as stopper:
        stopper.run(globals()[sys.argv[1]]())
except ToldToEnd as told:
    code = 128 + told.number
leave(code)
"""


class Program:
    """A program whose work is one of the functions of `PROGRAM`."""

    def __init__(self, folder: Path, work: str, patience_s: float) -> None:
        self._undone = folder / "undone"
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, work, str(patience_s), str(self._undone)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.says("begun")

    def says(self, line: str) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == f"{line}\n"

    def ends(self) -> tuple[int, str, bool]:
        """Return its exit code, its errors, and whether its end was forced."""
        try:
            _, err = self.process.communicate(timeout=PATIENCE_S)
        finally:
            self.process.kill()
        return self.process.returncode, err, self._undone.exists()


def code_of(number: signal.Signals) -> int:
    return 128 + number


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_cancels_the_work(tmp_path: Path, number: signal.Signals) -> None:
    program = Program(tmp_path, "waits", PATIENCE_S)
    program.process.send_signal(number)
    assert program.ends() == (code_of(number), "", True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_ends_at_once_what_does_not_end(tmp_path: Path, number: signal.Signals) -> None:
    program = Program(tmp_path, "clings", 3600)
    program.process.send_signal(signal.SIGTERM)
    program.says("asked")
    program.process.send_signal(number)
    assert program.ends() == (code_of(number), "", True)


def test_the_second_signal_is_seen_by_a_program_whose_event_loop_is_stuck(tmp_path: Path) -> None:
    program = Program(tmp_path, "blocks_the_loop", 3600)
    program.process.send_signal(signal.SIGTERM)
    # Two of the same that wait together are one: it is told until it ends.
    deadline = time.monotonic() + PATIENCE_S
    while program.process.poll() is None and time.monotonic() < deadline:
        program.process.send_signal(signal.SIGTERM)
        time.sleep(0.05)
    assert program.ends() == (143, "", True)


@pytest.mark.parametrize("work", ["clings", "blocks_the_loop"])
def test_what_does_not_end_in_time_is_ended(tmp_path: Path, work: str) -> None:
    program = Program(tmp_path, work, 0.2)
    program.process.send_signal(signal.SIGTERM)
    code, err, forced = program.ends()
    assert (code, forced) == (143, True)
    assert "did not end in time" in err


def test_a_thread_that_hangs_does_not_keep_a_program_that_is_done(tmp_path: Path) -> None:
    assert Program(tmp_path, "leaves_a_thread", 3600).ends() == (0, "", True)


def test_what_went_wrong_is_said_even_if_the_end_has_to_be_forced(tmp_path: Path) -> None:
    code, err, forced = Program(tmp_path, "fails_and_does_not_end", 0.2).ends()
    assert (code, forced) == (1, True)
    assert err.splitlines()[-1] == "wherewithal thing: what went wrong"


# --- a terminal ----------------------------------------------------------------------------------------------------


class Terminal:
    """A command on a terminal of its own, which sends Ctrl-C to all of its group as terminals do."""

    def __init__(self, folder: Path, words: Sequence[object]) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("WHEREWITHAL_", "CALF_"))}
        environment = kept | {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.execve(
                sys.executable, [sys.executable, "-m", "streams.cli.main", *map(str, words)], environment
            )  # pragma: no cover
        os.set_blocking(self._terminal, False)
        self._shown = b""
        self._code: int | None = None

    def press(self, keys: bytes) -> None:
        os.write(self._terminal, keys)

    def shown(self) -> str:
        # Its own end closes the terminal.
        with suppress(BlockingIOError, OSError):
            while part := os.read(self._terminal, 1 << 16):
                self._shown += part
        return self._shown.decode(errors="replace")

    def ended(self) -> bool:
        self.shown()
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code is not None

    @property
    def code(self) -> int | None:
        return self._code

    def close(self) -> None:
        if not self.ended():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._terminal)


def poll(reached: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < deadline, f"not within {PATIENCE_S:g} s: {what}"
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            _, _, rest = status.read_text().rpartition(")")
            if int(rest.split()[1]) == pid and rest.split()[0] != "Z":
                found.append(int(status.parent.name))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads the table of processes")
@pytest.mark.parametrize(("command", "presses"), [("demo", 1), ("replay", 1), ("replay", 2)])
def test_ctrl_c_ends_a_run_quietly_with_its_broker_and_its_folder(tmp_path: Path, command: str, presses: int) -> None:
    events = tmp_path / "events"
    events.write_text("".join(f"{json.dumps(review(number))}\n" for number in range(20_000)))
    folder = tmp_path / "temporary"
    folder.mkdir()
    words = {"demo": ["demo"], "replay": ["--verbose", "replay", events]}[command]
    under_way = {"demo": "starting: consumer", "replay": "state is recovered"}[command]
    terminal = Terminal(folder, words)
    try:
        poll(lambda: under_way in terminal.shown() or terminal.ended(), "the flow is under way")
        brokers = children(terminal.pid)
        assert brokers, (terminal.code, terminal.shown())
        for _ in range(presses):
            terminal.press(CTRL_C)
        poll(terminal.ended, "the command has ended")
    finally:
        terminal.close()
    assert terminal.code == code_of(signal.SIGINT), terminal.shown()
    assert "Traceback" not in terminal.shown()
    if command == "demo":
        assert "rror" not in terminal.shown()
    poll(lambda: not any(Path(f"/proc/{pid}").exists() for pid in brokers), "the broker is gone")
    assert [path.name for path in folder.iterdir() if path.name.startswith("wherewithal")] == []


def review(number: int) -> dict[str, object]:
    """A line whose text is like no other's: enough of them keep a run busy for minutes."""
    text = f"the pressing of number {number} is clean and its sleeve is not"
    value = {"event_id": f"{number}", "user_id": "u", "item_id": "i", "text": text, "rating": 5, "timestamp": BASE}
    return {"topic": "reviews", "value": value}
