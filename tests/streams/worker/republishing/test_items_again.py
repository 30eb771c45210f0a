"""Items that are published again: those that were forgotten do not come back with an older store."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from support.encoders import HashEncoder
from support.online_rows import make_item_row
from support.patience import PATIENCE_S
from support.runs import quick_settings, work
from support.shoppers import BASE

from features.online import open_online_store
from features.online.item_views import ITEMS
from features.online.reading import read_items
from streams.broker.embedded import EmbeddedBroker
from streams.operating.items.forgetting import forget
from streams.worker.flow import Flow
from streams.worker.republishing.progress import DONE


def view(number: int, item: str) -> dict[str, Any]:
    value = {"event_id": f"e{number}", "user_id": f"u{number}", "item_id": item, "action": "view", "timestamp": BASE}
    return {"topic": "clicks", "value": value}


def restore_an_old_store(url: str) -> None:
    """Leave of a store no row and no fence but an old row of the forgotten item, as a backup would."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            connection.execute(f'DELETE FROM "{table}"')
        connection.commit()
    with closing(open_online_store(url, serving=ITEMS)) as store:
        assert store.write([make_item_row("gone", fence=(1, 1, 1))]).written == 1


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not reached():
            await asyncio.sleep(0.02)


async def test_a_forgotten_item_goes_from_an_older_store_by_a_request_and_by_a_recovery(tmp_path: Path) -> None:
    with EmbeddedBroker() as broker:
        settings = quick_settings(tmp_path, items=True, broker=broker.url)

        def served() -> list[str]:
            return [row["item_id"] for row in read_items(settings.online_url, ["gone", "stays"])]

        async with Flow(settings, encoder=HashEncoder()) as flow:
            await work(flow, [view(1, "gone"), view(2, "stays")])
            await forget(flow.settings, "gone", PATIENCE_S)
            restore_an_old_store(settings.online_url)
            assert served() == ["gone"]
            assert flow.items is not None
            republisher = flow.items.republisher
            republisher.begin()
            await until(lambda: republisher.progress.state == DONE or flow.failed.done())
            assert (republisher.progress.users, republisher.progress.erased) == (1, 1)
            assert served() == ["stays"]
        restore_an_old_store(settings.online_url)
        async with Flow(settings, encoder=HashEncoder()):
            # The state is in the changelog alone, so that this start has to recover it.
            await until(lambda: "gone" not in served())
