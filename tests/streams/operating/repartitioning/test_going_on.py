"""Another number of partitions: the copy goes on where the old topics ended, and nobody sees a step."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from support.artefacts import capacity_artefact
from support.deployments import (
    copy_of,
    deployment,
    shown,
    silent,
    states_of,
    worked,
)
from support.encoders import HashEncoder
from support.oracle import assert_same
from support.servers.brokers import Broker
from support.shop import shop

from features.users.codec import decode
from features.users.state import NO_OFFSET
from streams.contract import CAPACITY
from streams.exceptions import ConfigurationError
from streams.operating.read_back import Scores, last_records, last_scores
from streams.operating.repartitioning.repartitioning import repartition
from streams.records.placement import partition_of_key
from streams.settings import Settings
from streams.worker.flow import Flow

USERS, DAYS = 40, 60


def history() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The lines of a shop before and after a cut, with erasures before it and repeated events after it."""
    lines = list(shop(USERS, DAYS, seed=5, visits_per_month=4))
    cut = len(lines) // 2
    newest = lines[cut - 1]["value"]["timestamp"]
    erasures = [
        {"topic": "erasures", "value": {"user_id": user, "timestamp": newest}}
        for user in sorted({line["value"]["user_id"] for line in lines[:cut]})[:5]
    ]
    return lines[:cut] + erasures, lines[cut - 50 : cut] + lines[cut:]


@pytest.mark.parametrize(("before", "after"), [(4, 12), (4, 2)])
def test_the_copy_goes_on_as_if_it_had_had_its_partitions_from_the_start(
    broker: Broker, tmp_path: Path, before: int, after: int
) -> None:
    first, second = history()
    old = deployment(broker, tmp_path, "old", before)
    new = copy_of(old, "new", after)
    other = deployment(broker, tmp_path, "other", after)

    async def both() -> None:
        await worked(old, first)
        done = await repartition(old, new, silent)
        assert {table.what: table.digest.rows for table in done.tables} == {
            "states": len(await states_of(old)),
            "scores": len(await last_scores(old)),
        }
        users = await worked(new, second)
        assert users == await worked(other, first, second)
        one, another = await shown(new, users), await shown(other, users)
        assert_same(one, another)
        assert one.lives == another.lives

    asyncio.run(both())


def test_readers_of_scores_find_everybody_before_a_worker_runs(broker: Broker, tmp_path: Path) -> None:
    first, _ = history()
    capacity_artefact().save(tmp_path / "capacity")
    old = deployment(broker, tmp_path, "old", 4, capacity_artefact=str(tmp_path / "capacity"))
    new = copy_of(old, "new", 7)

    async def newest(settings: Settings) -> tuple[Scores, Scores]:
        return await last_scores(settings), await last_records(settings, CAPACITY)

    async def read() -> tuple[tuple[Scores, Scores], tuple[Scores, Scores]]:
        await worked(old, first)
        off = old.model_copy(update={"capacity_artefact": ""})
        with pytest.raises(ConfigurationError, match="CAPACITY_ARTEFACT: expected the folder that the workers name"):
            await repartition(off, new.model_copy(update={"capacity_artefact": ""}), silent)
        done = await repartition(old, new, silent)
        assert [table.what for table in done.tables] == ["states", "scores", "estimates"]
        return await newest(old), await newest(new)

    before, after = asyncio.run(read())
    assert len(before[0]) == len(before[1]) > USERS // 2
    assert after == before


def test_states_lie_by_key_above_every_epoch_before_and_have_applied_nothing(broker: Broker, tmp_path: Path) -> None:
    first, _ = history()
    old = deployment(broker, tmp_path, "old", 2)
    new = copy_of(old, "new", 5)

    async def copied() -> tuple[list[int], dict[bytes, tuple[int, bytes]], dict[bytes, tuple[int, bytes]]]:
        await worked(old, first)
        # Owners that write no state, but may have written rows.
        async with Flow(old, encoder=HashEncoder()):
            pass
        async with Flow(old, encoder=HashEncoder()) as flow:
            epochs = [partition.epoch for partition in flow.engine.partitions.values()]
        await repartition(old, new, silent)
        return epochs, await states_of(old), await states_of(new)

    epochs, before, after = asyncio.run(copied())
    assert after.keys() == before.keys()
    for key, (number, data) in after.items():
        state, known = decode(data), decode(before[key][1])
        assert number == partition_of_key(key, 5)
        assert state.epoch > max(epochs)
        assert state.offsets == [NO_OFFSET] * 4
        assert (state.sequence, state.life, state.revision) == (known.sequence, known.life, known.revision)
