"""Patience with an encoder that is down: what is to be read waits for it, and the worker is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from models.exceptions import EncoderUnavailableError
from streams.log import log

T = TypeVar("T")

ENCODER_ATTEMPTS: Final = 3
"""Failures in a row before the encoder counts as down."""

FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 10.0


async def patiently(read: Callable[[], Awaitable[T]], what: str, on_down: Callable[[bool], None], **where: Any) -> T:
    """Return what a reading gives, tried again for as long as the encoder is down.

    Args:
        read: begins the reading.
        what: is read, in the words of the log.
        on_down: told when the encoder counts as down, and when it is back.
        where: fields of the log.
    """
    attempts, pause = 0, FIRST_PAUSE_S
    while True:
        try:
            found = await read()
        except EncoderUnavailableError as error:
            attempts += 1
            if attempts == ENCODER_ATTEMPTS:
                log.error(f"encoder is down, {what} wait uncommitted", **where, error=str(error))
                on_down(True)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)
        else:
            if attempts >= ENCODER_ATTEMPTS:
                log.info(f"encoder is back, {what} resume from their offset", **where)
                on_down(False)
            return found
