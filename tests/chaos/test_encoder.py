"""An encoder that raises, hangs or runs out of memory: texts wait, clicks go on, nothing is lost."""

from __future__ import annotations

import asyncio

import pytest
from chaos.harness import distinct_texts, until
from support.patience import PATIENCE_S
from support.shoppers import random_lines, without_titles

from streams.operating.read_back import dead_letters

DOWN = "encoder is down, texts wait uncommitted"
BACK = "encoder is back, texts resume from their offset"
TITLES_WAIT = "encoder is down, titles wait uncommitted"


@pytest.mark.parametrize(
    ("kind", "timeout_s", "stall_s"), [("raises", 60, 3), pytest.param("hangs", 1, 120, marks=pytest.mark.chaos)]
)
async def test_while_the_encoder_is_down_texts_wait_uncommitted_and_clicks_go_on(
    cluster, figure, kind, timeout_s, stall_s
):
    lines = without_titles(distinct_texts(random_lines(seed=61, events=1000, users=60)))
    switch = cluster.folder / "broken"
    worker = await cluster.start(chaos_encoder=f"{kind}:{switch}", encoder_timeout_s=timeout_s, stall_s=stall_s).ready()
    switch.touch()
    await cluster.feed(lines[:800])
    texts = cluster.ends("reviews", "searches")
    await until(lambda: worker.said(DOWN), PATIENCE_S, "the worker says that the encoder is down")
    await cluster.drained(cluster.ends("clicks"))
    # Texts that nobody needs to encode, such as empty ones, are committed until one that has to be.
    before = await cluster.behind(texts)
    # Clicks that came in after the outage began are scored as well, and say that texts are missing.
    await cluster.feed(lines[800:])
    await cluster.drained(cluster.ends("clicks"))
    assert before == await cluster.behind(texts) > 0
    status, reason = await worker.get("/readyz")
    assert (status, reason.strip()) == (503, "the encoder is down")
    assert (await worker.get("/livez"))[0] == 200
    assert await worker.metric("wherewithal_degraded") == 1
    assert await worker.metric("wherewithal_encoder_failures_total") >= 1
    switch.unlink()
    figure(f"texts were drained {await cluster.drained():.1f} s after the encoder was mended")
    assert worker.said(BACK) is not None
    assert (await worker.get("/readyz"))[0] == 200
    assert await dead_letters(cluster.settings) == []
    await cluster.check(lines)


@pytest.mark.chaos
async def test_titles_wait_for_an_encoder_that_is_down_over_a_kill_and_clicks_do_not(cluster):
    lines = distinct_texts(random_lines(seed=64, events=1000, users=60))
    clicks = [line for line in lines if line["topic"] == "clicks"]
    switch = cluster.folder / "broken"
    switch.touch()
    broken = {"chaos_encoder": f"raises:{switch}", "stall_s": 3}
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
