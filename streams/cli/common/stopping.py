"""Ending a command by signals: in order at the first one, at once at the second one or after a time."""

from __future__ import annotations

import asyncio
import gc
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Final, NoReturn, Self, TypeVar

from streams.broker.forced_end import end_now
from streams.log import log
from streams.terminal import shown

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

_BEGIN: Final = 0
"""The time runs from now on, without a signal. No signal has this number."""

_CLOSE: Final = 255

_TOLD: Final = 128
"""The exit code of a process that a signal ended is this plus the signal's number."""

T = TypeVar("T")


class ToldToEnd(KeyboardInterrupt):
    """A signal asked the command to end.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Stopper:
    """Ends a command in order, and by force if that takes too long. It is a context manager for the main thread.

    The interpreter writes signals into a pipe, and a separate thread reads them. So the second signal and the end of
    the time are noticed even if the event loop is stuck or a call does not return.

    Args:
        command: name of the command, for the last message.
        patience_s: seconds that ending may take, from the first signal or from `begin` on.
        end: ends the process with an exit code.

    Attributes:
        patience_s: see above.
        told: number of the first signal; None before it.
    """

    def __init__(self, command: str, patience_s: float, end: Callable[[int], object] = end_now) -> None:
        self._command = command
        self.patience_s = patience_s
        self._end = end
        self._last_words = ""
        self._asking: tuple[asyncio.AbstractEventLoop, Callable[[], object]] | None = None
        self.told: int | None = None

    def __enter__(self) -> Self:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._handlers = {number: signal.signal(number, self._handle) for number in SIGNALS}
        self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._watching = threading.Thread(target=self._watch, name="stopper", daemon=True)
        self._watching.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.write(self._write, bytes([_CLOSE]))
        self._watching.join()
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        os.close(self._read)
        os.close(self._write)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on a new event loop. A signal cancels it; if it fails, the time starts to run.

        Raises:
            ToldToEnd: a signal has ended the coroutine.
        """

        async def listening() -> T:
            task = asyncio.current_task()
            assert task is not None
            self.ask(task.cancel)
            try:
                return await work
            except Exception as error:
                # The tasks left on the event loop are cancelled now, and may not end by that.
                self.begin(str(error))
                raise

        try:
            return asyncio.run(listening())
        except asyncio.CancelledError:
            if self.told is None:
                raise
            raise ToldToEnd(self.told) from None
        finally:
            self._asking = None

    def ask(self, end: Callable[[], object]) -> None:
        """Let a signal call `end` on the running event loop, instead of its former action."""
        self._asking = asyncio.get_running_loop(), end
        if self.told is not None:
            end()

    def hear(self, number: int, act: Callable[[], object]) -> None:
        """Let a signal that does not ask for an end call `act` on the running event loop."""
        loop = asyncio.get_running_loop()
        before = signal.signal(number, lambda *_: loop.call_soon_threadsafe(act))
        self._handlers.setdefault(signal.Signals(number), before)

    def begin(self, last_words: str = "") -> None:
        """Start the time, unless it runs already. `last_words` are printed if the end has to be forced."""
        self._last_words = self._last_words or last_words
        os.write(self._write, bytes([_BEGIN]))

    def _handle(self, number: int, _: FrameType | None) -> None:
        # The thread asks a running event loop, which also wakes it up.
        if self._asking is None:
            raise ToldToEnd(number)

    def _watch(self) -> None:
        """Read what the interpreter and this object write into the pipe, until this object closes it."""
        deadline: float | None = None
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self._read], [], [], left)
            if not ready:
                log.error("the command did not end in time, leaving at once", seconds=self.patience_s)
                self._force(self.told)
                return
            number = os.read(self._read, 1)[0]
            if number == _CLOSE:
                return
            if number != _BEGIN and number not in SIGNALS:
                continue
            if number != _BEGIN:
                if self.told is not None:
                    self._force(number)
                    return
                self.told = number
                self._ask()
            deadline = deadline or time.monotonic() + self.patience_s

    def _ask(self) -> None:
        if self._asking is not None:
            loop, end = self._asking
            # A loop that has just ended by itself need not be asked.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(end)

    def _force(self, number: int | None) -> None:
        if self._last_words:
            print(f"wherewithal {self._command}: {shown(self._last_words)}", file=sys.stderr, flush=True)
        self._end(1 if number is None else _TOLD + number)


def leave(code: int) -> NoReturn:
    """End the process with an exit code, after all work and all clean-up.

    A thread that hangs, for example on a store, would silently keep the interpreter from ending. Ending at once also
    saves the seconds in which an interpreter takes itself apart.
    """
    waited_for = {thread for thread in threading.enumerate() if not thread.daemon} - {threading.main_thread()}
    if waited_for or code > _TOLD:
        sys.stdout.flush()
        sys.stderr.flush()
        end_now(code)
    # The interpreter would look through every object of every library for cycles, and they all end with it.
    gc.freeze()
    sys.exit(code)
