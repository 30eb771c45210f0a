from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from support.patience import PATIENCE_S

from models.batching.batcher import MicroBatcher
from models.encoder.bert import BertEncoder
from models.encoder.locate import DEFAULT_ENCODER
from models.exceptions import BatcherOptionError, EncoderUnavailableError


async def test_answers_come_in_the_order_asked_by_many_callers_at_once(dummy: Any, running: Any) -> None:
    requests = [[f"{'x' * (7 * i % 40)} {i} {j}" for j in range(i % 7)] for i in range(60)]
    async with running(dummy, token_budget=200, queue_texts=50) as batcher:
        answers = await asyncio.gather(*(batcher.encode(texts) for texts in requests))
    for texts, answer in zip(requests, answers, strict=True):
        assert answer.dtype == np.float32
        assert answer.shape == (len(texts), dummy.dimension)
        np.testing.assert_array_equal(answer, dummy.expected(texts).reshape(answer.shape))


async def test_no_batch_costs_more_than_the_budget_unless_one_text_alone_does(
    dummy: Any, running: Any, recorder: Any
) -> None:
    texts = ["x" * (i % 45) + str(i) for i in range(300)]
    async with running(dummy, token_budget=40, observer=recorder) as batcher:
        await batcher.encode(texts)
    assert sum(texts for texts, _, _ in recorder.batches) == recorder.waits == 300
    assert all(padded <= 40 or texts == 1 for texts, _, padded in recorder.batches)
    assert any(padded > 40 for _, _, padded in recorder.batches)
    assert sum(tokens for _, tokens, _ in recorder.batches) == sum(len(text) + 2 for text in texts)


async def test_an_encoder_that_packs_is_asked_for_batches_by_their_tokens_alone(
    dummy: Any, running: Any, recorder: Any
) -> None:
    dummy.packed = True
    texts = ["x" * (i % 45) + str(i) for i in range(300)]
    async with running(dummy, token_budget=100, observer=recorder) as batcher:
        await batcher.encode(texts)
    assert all(padded == tokens <= 100 for _, tokens, padded in recorder.batches)
    assert sum(tokens for _, tokens, _ in recorder.batches) == sum(len(text) + 2 for text in texts)
    # A text has 49 tokens at most: a batch of fewer than 52 has room for another, and was the last one waiting.
    assert sum(tokens < 52 for _, tokens, _ in recorder.batches) <= 1


async def test_texts_of_unlike_length_share_a_packed_batch(dummy: Any, running: Any, recorder: Any) -> None:
    dummy.packed = True
    async with running(dummy, token_budget=100, deadline_s=60, observer=recorder) as batcher:
        await batcher.encode(["y" * 58, "a", "b" * 20, "c" * 13])
    assert recorder.batches == [(4, 100, 100)]


async def test_a_lone_text_goes_when_its_deadline_passes(dummy: Any, running: Any) -> None:
    async with running(dummy, deadline_s=0.01) as batcher:
        await batcher.encode(["alone"])
    assert dummy.batches == [["alone"]]


async def test_texts_that_arrive_before_the_deadline_share_a_batch(dummy: Any, running: Any) -> None:
    async with running(dummy, token_budget=15, deadline_s=60) as batcher:
        first = asyncio.create_task(batcher.encode(["one"]))
        await asyncio.sleep(0.01)
        assert dummy.batches == []
        await asyncio.gather(first, batcher.encode(["two", "six"]))
    assert sorted(dummy.batches[0]) == ["one", "six", "two"]


async def test_texts_that_arrive_while_the_encoder_works_form_the_next_batch(
    dummy: Any, gate: Any, running: Any
) -> None:
    async with running(dummy, deadline_s=0) as batcher:
        first = asyncio.create_task(batcher.encode(["first"]))
        await gate.reached()
        rest = [asyncio.create_task(batcher.encode([text])) for text in ("later", "still", "other")]
        await asyncio.sleep(0)
        gate.open()
        await asyncio.gather(first, *rest)
    assert [sorted(batch) for batch in dummy.batches] == [["first"], ["later", "other", "still"]]


async def test_an_encoder_with_several_passes_gets_the_next_batch_while_it_works(
    dummy: Any, gate: Any, running: Any, until: Any
) -> None:
    dummy.passes = 2
    async with running(dummy, deadline_s=0) as batcher:
        requests = [asyncio.create_task(batcher.encode(["first"]))]
        await gate.reached()
        requests.append(asyncio.create_task(batcher.encode(["second"])))
        await until(lambda: gate.waiting == 2)
        # The third batch is formed and waits for a pass; what comes after it waits for company.
        requests.append(asyncio.create_task(batcher.encode(["third"])))
        await until(lambda: len(batcher._batches) == 3)
        requests += [asyncio.create_task(batcher.encode([text])) for text in ("later", "still", "other")]
        await asyncio.sleep(0)
        gate.open()
        answers = await asyncio.gather(*requests)
    for text, answer in zip(("first", "second", "third", "later", "still", "other"), answers, strict=True):
        np.testing.assert_array_equal(answer, dummy.expected([text]))
    assert sorted(map(sorted, dummy.batches)) == [["first"], ["later", "other", "still"], ["second"], ["third"]]


async def test_an_encoder_may_say_how_many_tokens_a_batch_should_have(dummy: Any, running: Any, recorder: Any) -> None:
    dummy.packed, dummy.token_budget = True, 8192
    async with running(dummy, deadline_s=60, observer=recorder) as batcher:
        await batcher.encode([f"{'x' * 10}{number:04d}" for number in range(512)])
    assert recorder.batches == [(512, 8192, 8192)]


async def test_the_oldest_text_is_not_starved_by_shorter_ones(dummy: Any, gate: Any, running: Any) -> None:
    async with running(dummy, token_budget=40, deadline_s=0) as batcher:
        first = asyncio.create_task(batcher.encode(["first"]))
        await gate.reached()
        long = asyncio.create_task(batcher.encode(["y" * 30]))
        await asyncio.sleep(0)
        short = asyncio.create_task(batcher.encode([f"s{i}" for i in range(100)]))
        await asyncio.sleep(0)
        gate.open()
        await asyncio.gather(first, long, short)
    assert dummy.batches[1] == ["y" * 30]


async def test_stopping_fails_what_is_pending_and_refuses_what_follows(dummy: Any, gate: Any) -> None:
    batcher = MicroBatcher(dummy, queue_texts=2, deadline_s=0)
    await batcher.start()
    requests = [asyncio.create_task(batcher.encode([text])) for text in ("running", "queued", *"no room")]
    await gate.reached()
    stopping = asyncio.create_task(batcher.stop())
    for answer in await asyncio.gather(*requests, return_exceptions=True):
        assert isinstance(answer, EncoderUnavailableError)
    await asyncio.sleep(0.01)
    assert not stopping.done()
    gate.open()
    await stopping
    assert dummy.encoded["running"] == 1
    with pytest.raises(EncoderUnavailableError, match="not started"):
        await batcher.encode(["after"])


async def test_a_batcher_stopped_before_its_first_step_refuses_what_follows(dummy: Any) -> None:
    batcher = MicroBatcher(dummy)
    await batcher.start()
    request = asyncio.create_task(batcher.encode(["early"]))
    await batcher.stop()
    with pytest.raises(EncoderUnavailableError, match="not started"):
        await request


@pytest.mark.parametrize("ticks", range(5))
async def test_stopping_succeeds_when_it_meets_an_arrival(dummy: Any, ticks: int) -> None:
    batcher = MicroBatcher(dummy, deadline_s=60)
    await batcher.start()
    early = asyncio.create_task(batcher.encode(["early"]))
    await asyncio.sleep(0.01)
    late = asyncio.create_task(batcher.encode(["late"]))
    for _ in range(ticks):
        await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE_S):
        await batcher.stop()
    for answer in await asyncio.gather(early, late, return_exceptions=True):
        assert isinstance(answer, EncoderUnavailableError)


async def test_a_stopped_batcher_can_be_started_again(dummy: Any) -> None:
    batcher = MicroBatcher(dummy, queue_texts=2)
    for text in ("first life", "second life"):
        await batcher.start()
        await batcher.start()
        np.testing.assert_array_equal(await batcher.encode([text]), dummy.expected([text]))
        await batcher.stop()
        await batcher.stop()
    assert dummy.encoded == {"first life": 1, "second life": 1}


@pytest.mark.parametrize("options", [{"token_budget": 0}, {"queue_texts": 0}, {"timeout_s": 0}])
def test_limits_under_which_nothing_passes_are_refused(dummy: Any, options: dict[str, int]) -> None:
    with pytest.raises(BatcherOptionError, match="at least 1"):
        MicroBatcher(dummy, **options)


async def test_batched_embeddings_equal_direct_ones_of_the_real_encoder(running: Any) -> None:
    encoder = BertEncoder.load(DEFAULT_ENCODER, device="cpu")
    texts = [f"{'really ' * (i % 9)}good phone number {i} 很好 👍" for i in range(40)] + ["long text " * 200, ""]
    async with running(encoder) as batcher:
        parts = await asyncio.gather(*(batcher.encode(texts[i : i + 5]) for i in range(0, len(texts), 5)))
    batched = np.concatenate(parts).astype(np.float64)
    direct = np.concatenate([encoder.embed(encoder.tokenize([text])) for text in texts]).astype(np.float64)
    norms = np.linalg.norm(batched, axis=1) * np.linalg.norm(direct, axis=1)
    assert ((batched * direct).sum(axis=1) / norms).min() > 0.99999
