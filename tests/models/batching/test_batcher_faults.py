from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from support.patience import PATIENCE_S

from models.batching.batcher import MicroBatcher
from models.batching.observing import NullObserver
from models.exceptions import EncoderUnavailableError, TextRejectedError

POISON = "☠"


class RustPanic(BaseException):
    """What a panic in the tokenizer's compiled code looks like from Python."""


def memory(texts: Sequence[str]) -> None:
    raise MemoryError


def bad_value(texts: Sequence[str]) -> None:
    raise ValueError("☠ is what the user wrote")


def panic(texts: Sequence[str]) -> None:
    raise RustPanic


def not_finite(texts: Sequence[str]) -> np.ndarray:
    return np.full((len(texts), 4), np.nan, dtype=np.float32)


def on_poison(breaks: Callable[[Sequence[str]], Any]) -> Callable[[Sequence[str]], Any]:
    return lambda texts: breaks(texts) if any(POISON in text for text in texts) else None


@pytest.mark.parametrize("breaks", [memory, bad_value, panic, not_finite])
async def test_a_poison_text_is_rejected_alone(
    dummy: Any, running: Any, recorder: Any, breaks: Callable[[Sequence[str]], Any]
) -> None:
    dummy.hurdle = on_poison(breaks)
    texts = [f"text {i}" for i in range(20)]
    texts[13] = f"a {POISON}"
    async with running(dummy, observer=recorder) as batcher:
        mine, others = await asyncio.gather(
            batcher.encode_each(texts), batcher.encode([f"other {i}" for i in range(20)])
        )
        with pytest.raises(TextRejectedError) as caught:
            await batcher.encode(texts)
    rejected = mine.pop(13)
    assert isinstance(rejected, TextRejectedError)
    assert rejected.position == caught.value.position == 13
    assert POISON not in str(rejected)
    np.testing.assert_array_equal(np.stack(mine), dummy.expected([text for text in texts if POISON not in text]))
    np.testing.assert_array_equal(others, dummy.expected([f"other {i}" for i in range(20)]))
    assert recorder.failures > 0


async def test_a_rejected_text_has_its_own_position_in_each_request(dummy: Any, running: Any) -> None:
    dummy.hurdle = on_poison(memory)
    async with running(dummy, queue_texts=4) as batcher:
        first, second = await asyncio.gather(
            batcher.encode_each([POISON, "a"]), batcher.encode_each([*"bcdefgh", POISON, "i"])
        )
    positions = [[i.position for i in answer if isinstance(i, TextRejectedError)] for answer in (first, second)]
    assert positions == [[0], [7]]


async def test_a_text_that_cannot_be_tokenised_is_rejected_alone(dummy: Any, running: Any) -> None:
    async with running(dummy) as batcher:
        good, bad, other = await batcher.encode_each(["good", "\ud800", "other"])
    assert isinstance(bad, TextRejectedError)
    np.testing.assert_array_equal([good, other], dummy.expected(["good", "other"]))


async def test_a_batch_too_big_for_the_memory_is_halved_until_it_fits(dummy: Any, running: Any, recorder: Any) -> None:
    dummy.hurdle = lambda texts: memory(texts) if len(texts) > 2 else None
    texts = [f"text {i}" for i in range(30)]
    async with running(dummy, observer=recorder) as batcher:
        np.testing.assert_array_equal(await batcher.encode(texts), dummy.expected(texts))
    assert set(dummy.encoded.values()) == {1}
    assert recorder.failures > 0


async def test_an_encoder_that_is_down_fails_requests_after_few_tries_and_is_used_again_when_back(
    dummy: Any, running: Any
) -> None:
    calls: list[int] = []

    def down(texts: Sequence[str]) -> None:
        calls.append(len(texts))
        raise RuntimeError("device lost")

    dummy.hurdle = down
    texts = [f"text {i}" for i in range(64)]
    async with running(dummy, token_budget=10_000) as batcher:
        with pytest.raises(EncoderUnavailableError, match=r"probe text fails too \(RuntimeError: device lost"):
            await batcher.encode(texts)
        assert calls == [64, 32, 16, 8, 4, 2, 1, 1]  # the last is the probe
        dummy.hurdle = lambda texts: None
        np.testing.assert_array_equal(await batcher.encode(texts), dummy.expected(texts))
    assert set(dummy.encoded.values()) == {1}


async def test_a_hung_pass_fails_everyone_and_is_reported_until_it_returns(
    dummy: Any, gate: Any, running: Any, recorder: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(dummy, timeout_s=0.5, queue_texts=2, deadline_s=0, observer=recorder) as batcher:
        requests = [asyncio.create_task(batcher.encode([text])) for text in ("a", "b", "waits for room")]
        for answer in await asyncio.gather(*requests, return_exceptions=True):
            assert isinstance(answer, EncoderUnavailableError)
        assert batcher.stalled
        assert (recorder.failures, recorder.depths[-1]) == (1, 0)
        with pytest.raises(EncoderUnavailableError, match="outrun"):
            await batcher.encode(["while it hangs"])
        gate.open()
        await until(lambda: not batcher.stalled)
        monkeypatch.setattr(batcher, "_timeout_s", PATIENCE_S)
        np.testing.assert_array_equal(await batcher.encode(["a", "c"]), dummy.expected(["a", "c"]))
    assert dummy.encoded["a"] == 1
    assert dummy.encoded["while it hangs"] == dummy.encoded["waits for room"] == 0


async def test_a_hung_encoder_is_not_started_a_second_time(
    dummy: Any, gate: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.batching.encoder_thread._STOP_GRACE_S", 0.01)
    batcher = MicroBatcher(dummy, timeout_s=0.5)
    await batcher.start()
    with pytest.raises(EncoderUnavailableError):
        await batcher.encode(["a"])
    await batcher.stop()
    with pytest.raises(EncoderUnavailableError, match="has not returned"):
        await batcher.start()
    with pytest.raises(EncoderUnavailableError, match="not started"):
        await batcher.encode(["b"])
    gate.open()
    await until(lambda: "encoder" not in {thread.name for thread in threading.enumerate()})
    monkeypatch.setattr(batcher, "_timeout_s", PATIENCE_S)
    await batcher.start()
    np.testing.assert_array_equal(await batcher.encode(["b"]), dummy.expected(["b"]))
    await batcher.stop()
    assert not batcher.stalled


async def test_a_fault_of_the_batcher_itself_fails_requests_and_is_raised_by_stop(dummy: Any) -> None:
    class Broken(NullObserver):
        def waited(self, seconds: float) -> None:
            raise LookupError("no such metric")

    batcher = MicroBatcher(dummy, observer=Broken())
    await batcher.start()
    for text in "ab":
        with pytest.raises(EncoderUnavailableError):
            await batcher.encode([text])
    with pytest.raises(LookupError, match="no such metric"):
        await batcher.stop()


async def test_two_passes_that_hang_refuse_requests_until_both_return(
    dummy: Any, gate: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    dummy.passes = 2
    batcher = MicroBatcher(dummy, deadline_s=0, timeout_s=0.5)
    await batcher.start()
    first = asyncio.create_task(batcher.encode(["a"]))
    await gate.reached()
    second = asyncio.create_task(batcher.encode(["b"]))
    for request in (first, second):
        with pytest.raises(EncoderUnavailableError):
            await request
    assert batcher.stalled
    with pytest.raises(EncoderUnavailableError):
        await batcher.encode(["c"])
    gate.open()
    await until(lambda: not batcher.stalled)
    monkeypatch.setattr(batcher, "_timeout_s", PATIENCE_S)
    np.testing.assert_array_equal(await batcher.encode(["c"]), dummy.expected(["c"]))
    await batcher.stop()


async def test_a_fault_in_one_of_several_batches_fails_the_others_too(dummy: Any, gate: Any) -> None:
    class Broken(NullObserver):
        def batch(self, texts: int, tokens: int, padded_tokens: int, seconds: float) -> None:
            raise LookupError("no such metric")

    dummy.passes = 2
    batcher = MicroBatcher(dummy, deadline_s=0, observer=Broken())
    await batcher.start()
    requests = [asyncio.create_task(batcher.encode([text])) for text in "ab"]
    await gate.reached()
    gate.open()
    for request in requests:
        with pytest.raises(EncoderUnavailableError):
            await request
    with pytest.raises(LookupError, match="no such metric"):
        await batcher.stop()
