"""An encoder that raises, hangs or runs out of memory: texts wait, clicks go on, nothing is lost."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from chaos.harness import POLL_S, distinct_texts, until
from support.patience import PATIENCE_S
from support.shoppers import random_lines, without_titles

from models.text.cleaning import clean
from models.text.noise import is_noisy
from streams.operating.read_back import dead_letters
from streams.records.ndjson import partition_of

DOWN = "encoder is down, texts wait uncommitted"
BACK = "encoder is back, texts resume from their offset"
TITLES_WAIT = "encoder is down, titles wait uncommitted"


def to_wait(lines, partitions):
    """How many texts have to wait: all from the first of its partition on that the encoder is needed for."""
    waiting = Counter()
    for line in lines:
        if line["topic"] in ("reviews", "searches"):
            value = line["value"]
            text = value.get("text") or value.get("query") or ""
            place = line["topic"], partition_of(value["user_id"].encode(), partitions, 0)
            if waiting[place] or (clean(text) and not is_noisy(text)):
                waiting[place] += 1
    return waiting.total()


async def facts_taken_in(cluster):
    """Wait until nothing is on its way that does not wait for the encoder."""
    async with asyncio.timeout(PATIENCE_S):
        while await cluster.items_behind():
            await asyncio.sleep(POLL_S)


@pytest.mark.parametrize(
    ("kind", "timeout_s", "for_hours"),
    # That an encoder hangs for so long ends the worker.
    [("raises", 60, True), pytest.param("hangs", 1, False, marks=pytest.mark.chaos)],
)
async def test_while_the_encoder_is_down_texts_wait_uncommitted_and_clicks_go_on(
    cluster, figure, kind, timeout_s, for_hours
):
    lines = without_titles(distinct_texts(random_lines(seed=61, events=1000, users=60)))
    switch = cluster.folder / "broken"
    worker = await cluster.start(chaos_encoder=f"{kind}:{switch}", encoder_timeout_s=timeout_s).ready()
    switch.touch()
    await cluster.feed(lines[:800])
    await until(lambda: worker.said(DOWN), PATIENCE_S, "the worker says that the encoder is down")
    await cluster.drained(cluster.ends("clicks"))
    # Clicks that came in after the outage began are scored as well, and say that texts are missing.
    await cluster.feed(lines[800:])
    await cluster.drained(cluster.ends("clicks"))
    if for_hours:
        await facts_taken_in(cluster)
        await cluster.let_hours_pass(worker)
    assert await cluster.behind() >= to_wait(lines, cluster.settings.partitions) > 0
    async with asyncio.timeout(PATIENCE_S):
        # A worker that has just joined again is still to find out.
        while "the encoder is down" not in (await worker.get("/readyz"))[1].splitlines():
            await asyncio.sleep(POLL_S)
        while await worker.metric("wherewithal_degraded") != 1:
            await asyncio.sleep(POLL_S)
    assert (await worker.get("/readyz"))[0] == 503
    assert (await worker.get("/livez"))[0] == 200
    assert await worker.metric("wherewithal_encoder_failures_total") >= 1
    switch.unlink()
    figure(f"texts were drained {await cluster.drained():.1f} s after the encoder was mended")
    assert worker.said(BACK) is not None
    await worker.ready_again()
    assert await dead_letters(cluster.settings) == []
    await cluster.check(lines)


@pytest.mark.chaos
async def test_titles_wait_for_an_encoder_that_is_down_over_a_kill_and_clicks_do_not(cluster):
    lines = distinct_texts(random_lines(seed=64, events=1000, users=60))
    clicks = [line for line in lines if line["topic"] == "clicks"]
    switch = cluster.folder / "broken"
    switch.touch()
    broken = {"chaos_encoder": f"raises:{switch}"}
    worker = await cluster.start(**broken).ready()
    await cluster.feed(clicks)
    await until(lambda: worker.said(TITLES_WAIT), PATIENCE_S, "the worker says that titles wait")
    users = sorted({line["value"]["user_id"] for line in clicks})

    async def applied() -> int:
        served = (await cluster.read_back(users)).features.values()
        return sum(row["revision"] for row in served)

    distinct = len({(line["value"]["user_id"], line["value"]["event_id"]) for line in clicks})
    async with asyncio.timeout(PATIENCE_S):
        while await applied() < distinct:
            await asyncio.sleep(0.2)
    await facts_taken_in(cluster)
    await cluster.let_hours_pass(worker)
    assert await worker.metric("wherewithal_waiting_titles") > 0
    assert await cluster.behind() > 0
    assert (await worker.get("/livez"))[0] == 200
    worker.kill()
    await cluster.start(**broken).ready()
    switch.unlink()
    await cluster.drained()
    assert await dead_letters(cluster.settings) == []
    await cluster.check(clicks)


@pytest.mark.chaos
async def test_an_encoder_that_does_not_return_ends_the_worker_and_another_goes_on(cluster):
    lines = distinct_texts(random_lines(seed=63, events=500, users=60))
    switch = cluster.folder / "hung"
    switch.touch()
    worker = await cluster.start(chaos_encoder=f"hangs:{switch}", encoder_timeout_s=1, stall_s=3).ready()
    await cluster.feed(lines)
    assert await worker.ended(60) == 1
    (line,) = worker.plain_lines()
    assert "took a batch and has not returned within 1 s" in line
    switch.unlink()
    await cluster.start("two").ready()
    await cluster.drained()
    await cluster.check(lines)


@pytest.mark.chaos
async def test_a_batch_too_large_for_the_encoders_memory_is_halved(cluster):
    lines = distinct_texts(random_lines(seed=62, events=1000, users=60))
    switch = cluster.folder / "memory-is-short"
    switch.touch()
    feeding = asyncio.create_task(cluster.feed(lines))
    worker = await cluster.start(chaos_encoder=f"memory:{switch}").ready()
    await feeding
    await cluster.drained()
    assert worker.said(DOWN) is None
    assert await dead_letters(cluster.settings) == []
    await cluster.check(lines)
