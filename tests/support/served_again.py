"""Flows of users with a click each, and online stores that lose their rows."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from typing import Any

import redis

from streams.cli.replay import feed
from streams.operating.drain import Drain
from streams.operating.summary import summarise
from streams.settings import Settings
from streams.worker.flow import Flow
from support.encoders import HashEncoder
from support.patience import PATIENCE_S
from support.runs import Run, read_back
from support.shoppers import BASE, arriving


def click(user: str, number: int, timestamp: int = BASE) -> dict[str, Any]:
    """A view by a user; the number is of the event."""
    value = {"event_id": f"c{number}", "user_id": user, "item_id": "i", "action": "view", "timestamp": timestamp}
    return {"topic": "clicks", "value": value}


def one_click_each(users: int) -> list[dict[str, Any]]:
    """A view by each of so many users."""
    return [click(f"u{number}", number) for number in range(users)]


async def take(flow: Flow, lines: list[dict[str, Any]]) -> Run:
    """Feed lines, wait until they are settled, and read back what is published and served."""
    feeder = await feed(flow, drain := Drain(flow, 100), arriving(lines))
    await drain.drained(feeder.ends)
    return await read_back(flow, summarise(flow, feeder, 1.0))


@asynccontextmanager
async def worker(settings: Settings, lines: list[dict[str, Any]]) -> AsyncIterator[tuple[Flow, Run]]:
    """A flow that has taken these lines, and what it published and serves."""
    async with Flow(settings, encoder=HashEncoder()) as flow:
        yield flow, await take(flow, lines)


async def until(reached: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(PATIENCE_S):
        while not reached():
            await asyncio.sleep(0.02)


def lose_everything(url: str) -> None:
    """Empty a store beneath the program, as a restart without persistence does."""
    if url.startswith("redis"):
        redis.Redis.from_url(url).flushdb()
        return
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            connection.execute(f'DELETE FROM "{table}"')
        connection.commit()
