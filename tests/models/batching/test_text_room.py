"""Room for texts in numbers and in memory."""

from __future__ import annotations

import asyncio
import sys

from support.patience import PATIENCE_S

from models.batching.text_room import Room


async def settled() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_a_text_waits_until_there_is_memory_for_it_and_nobody_overtakes() -> None:
    large, small = "x" * 1000, "y"
    room = Room(100, sys.getsizeof(large) + sys.getsizeof(small) - 1)
    size = await room.enter(large)
    second = asyncio.create_task(room.enter(large))
    third = asyncio.create_task(room.enter(small))
    await settled()
    assert not second.done()
    assert not third.done(), "it would fit, but came later"
    room.leave(size)
    await settled()
    assert second.done()
    assert not third.done()
    room.leave(await second)
    assert await third == sys.getsizeof(small)


async def test_memory_counts_as_python_takes_it() -> None:
    emoji = "\N{GRINNING FACE}" + "x" * 1000
    assert await Room(1, 1 << 20).enter(emoji) > 4000


async def test_a_text_larger_than_the_room_has_it_alone() -> None:
    room = Room(100, 100)
    size = await room.enter("x" * 1000)
    waiting = asyncio.create_task(room.enter("y"))
    await settled()
    assert not waiting.done()
    room.leave(size)
    await waiting


async def test_the_number_is_bounded_as_well() -> None:
    room = Room(2, 1 << 20)
    size = await room.enter("a")
    await room.enter("b")
    waiting = asyncio.create_task(room.enter("c"))
    await settled()
    assert not waiting.done()
    room.leave(size)
    await waiting


async def test_who_gives_up_waiting_lets_the_next_in_and_leaves_no_room_taken() -> None:
    room = Room(1, 1000)
    size = await room.enter("a")
    given_up = [asyncio.create_task(room.enter("b")) for _ in range(3)]
    last = asyncio.create_task(room.enter("c"))
    await settled()
    given_up[0].cancel()
    # Cancelled in the moment in which it is let in, and in the one before.
    room.leave(size)
    given_up[1].cancel()
    given_up[2].cancel()
    await asyncio.wait(given_up)
    assert all(task.cancelled() for task in given_up)
    async with asyncio.timeout(PATIENCE_S):
        room.leave(await last)
    assert await room.enter("x" * 2000) == 1000, "all of it is free again"
