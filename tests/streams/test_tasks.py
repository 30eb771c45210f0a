"""Background tasks of one owner."""

from __future__ import annotations

import asyncio

from streams.tasks import Tasks


async def test_tasks_that_became_needless_are_not_waited_for() -> None:
    tasks = Tasks("test", on_failure=lambda _: None)
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    endless = tasks.begin(asyncio.Event().wait())  # type: ignore[arg-type]
    waiting = asyncio.ensure_future(tasks.ended_or(done))
    await asyncio.sleep(0)
    assert not endless.done()
    done.set_exception(RuntimeError("told"))
    await waiting
    assert endless.cancelled()
    assert isinstance(done.exception(), RuntimeError)


async def test_tasks_are_waited_for_as_long_as_they_are_needed() -> None:
    ended = []

    async def work() -> None:
        await asyncio.sleep(0)
        ended.append(True)

    tasks = Tasks("test", on_failure=lambda _: None)
    tasks.begin(work())
    await tasks.ended_or(asyncio.get_running_loop().create_future())
    assert ended == [True]
