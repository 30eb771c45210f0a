"""What many requests for texts share: the cache, one pass for equal texts, and a bounded queue."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from support.patience import PATIENCE_S

from models.batching.batch_forming import LOOKAHEAD


async def test_a_text_seen_before_is_answered_from_the_cache(dummy: Any, running: Any, recorder: Any) -> None:
    async with running(dummy, observer=recorder) as batcher:
        before = await batcher.encode(["a", "b"])
        after = await batcher.encode(["b", "c", "a"])
    np.testing.assert_array_equal(after[[2, 0]], before)
    assert dummy.encoded == {"a": 1, "b": 1, "c": 1}
    assert (recorder.hits, recorder.misses) == (2, 3)


async def test_without_a_cache_a_text_is_encoded_each_time(dummy: Any, running: Any) -> None:
    async with running(dummy, cache_texts=0) as batcher:
        for _ in range(3):
            await batcher.encode(["a"])
    assert dummy.encoded == {"a": 3}


async def test_equal_texts_in_flight_are_encoded_once(dummy: Any, running: Any, recorder: Any) -> None:
    async with running(dummy, observer=recorder, cache_texts=0) as batcher:
        answers = await asyncio.gather(*(batcher.encode(["same", f"own {i}", "same"]) for i in range(20)))
    assert dummy.encoded["same"] == 1
    assert (recorder.hits, recorder.misses) == (39, 21)
    assert all((answer[[0, 2]] == dummy.expected(["same"])).all() for answer in answers)


async def test_a_cached_vector_cannot_be_changed_by_a_caller(dummy: Any, running: Any) -> None:
    async with running(dummy) as batcher:
        (vector,) = await batcher.encode_each(["a"])
        assert isinstance(vector, np.ndarray)
        with pytest.raises(ValueError, match="read-only"):
            vector[0] = 7
        (await batcher.encode(["a"]))[0] = 7
        np.testing.assert_array_equal(await batcher.encode(["a"]), dummy.expected(["a"]))


async def test_a_request_waits_while_the_queue_is_full(dummy: Any, gate: Any, running: Any, recorder: Any) -> None:
    async with running(dummy, queue_texts=3, observer=recorder) as batcher:
        full = asyncio.create_task(batcher.encode(["a", "b", "c"]))
        late = asyncio.create_task(batcher.encode(["d"]))
        await gate.reached()
        assert max(recorder.depths) == 3
        assert not late.done()
        gate.open()
        await asyncio.gather(full, late)
    assert max(recorder.depths) == 3
    assert recorder.depths[-1] == 0
    assert dummy.encoded == {"a": 1, "b": 1, "c": 1, "d": 1}


async def test_equal_texts_that_wait_for_room_are_encoded_once(dummy: Any, gate: Any, running: Any) -> None:
    async with running(dummy, queue_texts=1) as batcher:
        requests = [asyncio.create_task(batcher.encode([text])) for text in ("first", "same", "same", "other")]
        await gate.reached()
        gate.open()
        await asyncio.gather(*requests)
    assert dummy.encoded == {"first": 1, "same": 1, "other": 1}


async def test_requests_larger_than_the_queue_pass_through_it_in_slices(
    dummy: Any, running: Any, recorder: Any
) -> None:
    requests = [[f"{i} {j}" for j in range(50)] for i in range(4)]
    async with running(dummy, queue_texts=7, observer=recorder) as batcher:
        answers = await asyncio.gather(*(batcher.encode(texts) for texts in requests))
    assert max(recorder.depths) == 7
    assert set(dummy.encoded.values()) == {1}
    for texts, answer in zip(requests, answers, strict=True):
        np.testing.assert_array_equal(answer, dummy.expected(texts))


async def test_a_cancelled_request_is_skipped_and_makes_room(
    dummy: Any, gate: Any, running: Any, recorder: Any
) -> None:
    async with running(dummy, queue_texts=3, deadline_s=0, observer=recorder) as batcher:
        first = asyncio.create_task(batcher.encode(["first"]))
        await gate.reached()
        dropped = asyncio.create_task(batcher.encode(["shared", "dropped"]))
        await asyncio.sleep(0)
        sharing = asyncio.create_task(batcher.encode(["shared"]))
        blocked = asyncio.create_task(batcher.encode(["no room"]))
        await asyncio.sleep(0)
        for task in (dropped, blocked):
            task.cancel()
        await asyncio.wait({dropped, blocked})
        gate.open()
        np.testing.assert_array_equal(await sharing, dummy.expected(["shared"]))
        await first
        assert recorder.depths[-1] == 0
        recorder.depths.clear()
        await batcher.encode(["x", "y", "z"])
        assert max(recorder.depths) == 3
    assert dummy.encoded == {"first": 1, "shared": 1, "x": 1, "y": 1, "z": 1}


async def test_a_request_cancelled_while_its_text_waits_for_company_is_skipped(
    dummy: Any, running: Any, recorder: Any
) -> None:
    async with running(dummy, token_budget=15, deadline_s=3600, observer=recorder) as batcher:
        alone = asyncio.create_task(batcher.encode(["alone"]))
        await asyncio.sleep(0.01)
        alone.cancel()
        await asyncio.wait({alone})
        # As many as fill a batch: they wait for nobody.
        await batcher.encode(["one", "two", "six"])
        assert recorder.depths[-1] == 0
    assert [sorted(batch) for batch in dummy.batches] == [["one", "six", "two"]]


async def test_texts_behind_a_large_request_that_is_cancelled_while_tokenised_are_answered(
    dummy: Any, gate: Any, tokenizer_gate: Any, running: Any
) -> None:
    async with running(dummy, deadline_s=0) as batcher:
        dummy.tokenizer_hurdle = lambda texts: None
        first = asyncio.create_task(batcher.encode(["first"]))
        await gate.reached()
        dummy.tokenizer_hurdle = tokenizer_gate
        large = asyncio.create_task(batcher.encode([f"large {i}" for i in range(LOOKAHEAD + 1)]))
        behind = asyncio.create_task(batcher.encode(["behind"]))
        await asyncio.sleep(0)
        gate.open()
        await tokenizer_gate.reached()
        large.cancel()
        await asyncio.wait({large})
        tokenizer_gate.open()
        async with asyncio.timeout(PATIENCE_S):
            np.testing.assert_array_equal(await behind, dummy.expected(["behind"]))
        await first
    assert dummy.encoded == {"first": 1, "behind": 1}
