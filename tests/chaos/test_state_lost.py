"""A state folder that is deleted or damaged is rebuilt from the changelog."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections import Counter

import pytest
from chaos.harness import until
from support.patience import PATIENCE_S
from support.shoppers import BASE, random_lines

pytestmark = pytest.mark.chaos

STAGES = 2
UNUSABLE = "local state cannot be used, rebuilding it from the changelog"


def databases(folder):
    """Of users and of items, one for each partition."""
    return sorted(path for path in folder.rglob("*.db") if path.is_dir())


def recovered(worker):
    """How many states each stage took from its changelog."""
    states = Counter()
    for entry in worker.entries():
        if entry["message"] == "state is recovered":
            states[entry["stage"]] += entry["states"]
    return states


async def half_done(cluster, lines):
    """Have a worker apply the first half of the lines, and kill it."""
    worker = await cluster.start().ready()
    await cluster.feed(lines[: len(lines) // 2])
    await cluster.drained()
    worker.kill()


async def went_on(cluster, lines):
    """Have a worker apply the second half; return it."""
    worker = await cluster.start().ready()
    await cluster.feed(lines[len(lines) // 2 :])
    await cluster.drained()
    await cluster.check(lines)
    return worker


async def test_a_state_folder_that_was_deleted_is_rebuilt_from_the_changelog(cluster):
    lines = random_lines(seed=71, events=2000, users=100)
    await half_done(cluster, lines)
    shutil.rmtree(cluster.folder / "one")
    worker = await went_on(cluster, lines)
    states = recovered(worker)
    assert states["users"] >= 50
    assert states["items"] >= 30
    assert worker.said("recovering") is not None


def truncated(database):
    for path in database.iterdir():
        if path.name.startswith("MANIFEST") or path.suffix == ".log":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def overwritten(database):
    for path in database.iterdir():
        if path.name == "CURRENT" or path.suffix in (".log", ".sst"):
            path.write_bytes(b"\xa5" * max(100, path.stat().st_size))


def rotten(database):
    """Damage what opens well and fails only when it is read: the middle of the tables."""
    for path in database.glob("*.sst"):
        whole, half = path.read_bytes(), path.stat().st_size // 2
        path.write_bytes(whole[:half] + b"\xa5" * 8000 + whole[half + 8000 :])


def without_manifest(database):
    for path in database.glob("MANIFEST*"):
        path.unlink()


@pytest.mark.parametrize("damage", [truncated, overwritten, without_manifest])
async def test_damaged_state_is_rebuilt_from_the_changelog(cluster, damage):
    lines = random_lines(seed=72, events=2000, users=100)
    await half_done(cluster, lines)
    found = databases(cluster.folder / "one")
    assert len(found) == STAGES * cluster.settings.partitions
    for database in found:
        damage(database)
    worker = await went_on(cluster, lines)
    rebuilt = {entry["folder"] for entry in worker.entries() if entry["message"] == UNUSABLE}
    assert rebuilt == {database.name for database in found}
    states = recovered(worker)
    assert states["users"] >= 50
    assert states["items"] >= 30


async def test_damage_that_only_reading_shows_ends_the_worker_and_the_next_one_rebuilds(cluster):
    lines = random_lines(seed=73, events=2000, users=100)
    await half_done(cluster, lines)
    # A second start folds the write-ahead log into a table file.
    await (await cluster.start().ready()).stop()
    for database in databases(cluster.folder / "one"):
        rotten(database)
    await cluster.feed(lines[len(lines) // 2 :])
    starts, refusals = 0, []
    worker = cluster.start()
    while await cluster.behind() or await cluster.items_behind():
        if worker.process.poll() is not None:
            refusals += worker.plain_lines()
            starts += 1
            assert starts <= STAGES * cluster.settings.partitions
            worker = cluster.start()
        await asyncio.sleep(0.1)
    assert all("found damaged blocks" in line for line in refusals)
    assert len(refusals) == starts > 0
    assert worker.said(UNUSABLE) is not None
    await cluster.check(lines)


@pytest.mark.timeout(1200)
async def test_a_hundred_thousand_users_are_recovered_from_the_changelog(cluster, figure):
    users = 100_000
    lines = [
        {
            "topic": "clicks",
            "value": {
                "event_id": str(n),
                "user_id": f"user-{n}",
                "item_id": "i",
                "action": "view",
                "timestamp": BASE + n,
            },
        }
        for n in range(users)
    ]
    worker = await cluster.start().ready()
    await cluster.feed(lines)
    await cluster.drained(within_s=600)
    worker.kill()
    shutil.rmtree(cluster.folder / "one")
    began = time.monotonic()
    worker = await cluster.start().ready()
    seconds = time.monotonic() - began
    await until(lambda: worker.said("recovering"), PATIENCE_S, "progress is logged")
    assert recovered(worker) == {"users": users, "items": 1}
    await cluster.feed([lines[0] | {"value": lines[0]["value"] | {"event_id": "another"}}])
    await cluster.drained()
    assert (await cluster.served_items(["i"]))["i"]["revision"] == users + 1
    figure(f"{users:,} users recovered, process start to ready: {seconds:.1f} s")
