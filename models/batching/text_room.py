"""Room for texts: a bound on their number and on the memory they take, first come, first served."""

from __future__ import annotations

import asyncio
import sys
from collections import deque


class Room:
    """Room for texts.

    Args:
        texts: at most.
        size: bytes of memory that they may take; a text that is larger by itself has the room alone.
    """

    def __init__(self, texts: int, size: int) -> None:
        self._texts = texts
        self._bytes = size
        self._most_bytes = size
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()

    async def enter(self, text: str) -> int:
        """Wait for room for a text, and take it; return the bytes taken."""
        # Python keeps a text in one, two or four bytes a character: bytes on the wire would say less than it takes.
        size = min(sys.getsizeof(text), self._most_bytes)
        if not self._waiting and self._fits(size):
            self._take(size)
            return size
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, size))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.leave(size)
            else:
                # The texts that wait behind it may fit.
                self._admit()
            raise
        return size

    def leave(self, size: int) -> None:
        """Give back the room of a text."""
        self._texts += 1
        self._bytes += size
        self._admit()

    def _fits(self, size: int) -> bool:
        return self._texts > 0 and self._bytes >= size

    def _take(self, size: int) -> None:
        self._texts -= 1
        self._bytes -= size

    def _admit(self) -> None:
        while self._waiting:
            turn, size = self._waiting[0]
            if not turn.cancelled():
                if not self._fits(size):
                    return
                self._take(size)
                turn.set_result(None)
            self._waiting.popleft()
