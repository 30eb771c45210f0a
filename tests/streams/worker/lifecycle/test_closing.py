"""Parts that are stopped: in reverse, each whatever becomes of the others, within a time."""

from __future__ import annotations

import asyncio
import logging

import pytest

from streams.worker.lifecycle.closing import Closing


async def never() -> None:
    await asyncio.Event().wait()


def stopping(name: str, stopped: list[str]):
    async def stop() -> None:
        stopped.append(name)

    return stop


async def test_parts_are_stopped_in_the_reverse_of_their_order() -> None:
    stopped: list[str] = []
    closing = Closing()
    for name in ("broker", "store", "consumer"):
        closing.add(name, stopping(name, stopped))
    assert await closing.close(60) == []
    assert stopped == ["consumer", "store", "broker"]
    assert await closing.close(60) == []
    assert len(stopped) == 3, "a part is stopped once"


async def test_a_part_that_never_stops_is_named_and_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    stopped: list[str] = []
    closing = Closing()
    closing.add("broker", stopping("broker", stopped))
    closing.add("store", never)
    closing.add("consumer", stopping("consumer", stopped))
    with caplog.at_level(logging.WARNING, "wherewithal"):
        assert await closing.close(0.05) == []
    assert stopped == ["consumer", "broker"]
    (line,) = caplog.records
    assert line.getMessage() == "a part did not stop in time, leaving without it"
    assert line.fields == {"part": "store"}


async def test_a_part_that_clings_to_the_loop_when_it_is_cancelled_holds_up_nobody() -> None:
    released = asyncio.Event()

    async def cling() -> None:
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue

    stopped: list[str] = []
    closing = Closing()
    closing.add("broker", stopping("broker", stopped))
    closing.add("consumer", cling)
    await closing.close(0.05)
    assert stopped == ["broker"]
    released.set()


async def test_a_part_that_fails_is_logged_and_given_back_when_all_are_stopped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail() -> None:
        raise OSError("no space left")

    stopped: list[str] = []
    closing = Closing()
    closing.add("broker", stopping("broker", stopped))
    closing.add("log", fail)
    with caplog.at_level(logging.ERROR, "wherewithal"):
        (error,) = await closing.close(60)
    assert isinstance(error, OSError)
    assert stopped == ["broker"]
    assert [record.fields["part"] for record in caplog.records] == ["log"]


async def test_whoever_is_cancelled_while_parts_stop_still_tells_every_part() -> None:
    stopped: list[str] = []
    begun = asyncio.Event()

    async def slow() -> None:
        begun.set()
        await never()

    closing = Closing()
    closing.add("broker", stopping("broker", stopped))
    closing.add("consumer", slow)
    task = asyncio.create_task(closing.close(3600))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stopped == ["broker"]
