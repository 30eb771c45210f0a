from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.batcher import PROBE_TEXT, MicroBatcher, NullObserver, form_batch, isolate
from models.embedding_cache import EmbeddingCache, text_key
from models.encoder import BertEncoder
from models.exceptions import BatcherOptionError, EncoderUnavailableError, TextRejectedError
from models.locate import DEFAULT_ENCODER

Batch = Sequence[Sequence[int]]


class DummyEncoder:
    """One token per character between two special ones; an embedding says what the tokens were."""

    name = "dummy"
    dimension = 4
    max_tokens = 64
    weights_digest = "00" * 32

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.threads: set[str] = set()

    @property
    def encoded(self) -> Counter[str]:
        return Counter(text for batch in self.batches for text in batch)

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        return [[1, *map(ord, text), 2][: self.max_tokens] for text in texts]

    def embed(self, batch: Batch) -> NDArray[np.float32]:
        self.threads.add(threading.current_thread().name)
        self.batches.append(["".join(map(chr, tokens[1:-1])) for tokens in batch])
        return np.stack([expected(text) for text in self.batches[-1]])

    def warm_up(self) -> None:
        self.embed(self.tokenize(["warm up"]))


def expected(text: str) -> NDArray[np.float32]:
    codes = [ord(letter) for letter in text]
    return np.array([len(codes), sum(codes), codes[0] if codes else 0, 1], dtype=np.float32)


class FailingEncoder(DummyEncoder):
    """Fails on everything while it is `down`."""

    down = True
    calls = 0

    def embed(self, batch: Batch) -> NDArray[np.float32]:
        self.calls += 1
        if self.down:
            raise RuntimeError("device lost")
        return super().embed(batch)


class PoisonEncoder(DummyEncoder):
    """Breaks on every batch that holds a text of the letters `poison`, in a way of one's choice."""

    def __init__(self, breaks: Callable[[], None], poison: str = "☠") -> None:
        super().__init__()
        self.breaks = breaks
        self.poison = ord(poison)

    def embed(self, batch: Batch) -> NDArray[np.float32]:
        if any(self.poison in tokens for tokens in batch):
            self.breaks()
            return np.full((len(batch), self.dimension), np.nan, dtype=np.float32)
        return super().embed(batch)


class MemoryEncoder(DummyEncoder):
    """Has no memory for more than two texts at a time."""

    def embed(self, batch: Batch) -> NDArray[np.float32]:
        if len(batch) > 2:
            raise MemoryError
        return super().embed(batch)


class HangingEncoder(DummyEncoder):
    """Does not return from a pass until `released`."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.released = threading.Event()

    def embed(self, batch: Batch) -> NDArray[np.float32]:
        self.entered.set()
        self.released.wait(timeout=60)
        return super().embed(batch)


class RustPanic(BaseException):
    """What a panic in the tokenizer's compiled code looks like from Python."""


class Recorder(NullObserver):
    def __init__(self) -> None:
        self.batches: list[tuple[int, int, int]] = []
        self.depths = [0]
        self.hits = self.misses = self.failures = self.waits = 0

    def batch(self, texts: int, tokens: int, padded_tokens: int, seconds: float) -> None:
        self.batches.append((texts, tokens, padded_tokens))

    def waited(self, seconds: float) -> None:
        self.waits += 1

    def queued(self, texts: int) -> None:
        self.depths.append(texts)

    def cache(self, hits: int, misses: int) -> None:
        self.hits += hits
        self.misses += misses

    def failed(self) -> None:
        self.failures += 1


@asynccontextmanager
async def running(encoder: Any, **options: Any) -> AsyncIterator[MicroBatcher]:
    batcher = MicroBatcher(encoder, **options)
    await batcher.start()
    try:
        yield batcher
    finally:
        await batcher.stop()


async def entered(encoder: HangingEncoder) -> None:
    assert await asyncio.to_thread(encoder.entered.wait, 30)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.001)


async def test_answers_come_in_the_order_asked_by_many_callers_at_once() -> None:
    encoder = DummyEncoder()
    requests = [[f"{'x' * (7 * i % 40)} {i} {j}" for j in range(i % 7)] for i in range(60)]
    async with running(encoder, token_budget=200, queue_texts=50) as batcher:
        answers = await asyncio.gather(*(batcher.encode(texts) for texts in requests))
    for texts, answer in zip(requests, answers, strict=True):
        assert answer.dtype == np.float32
        assert answer.shape == (len(texts), encoder.dimension)
        for text, vector in zip(texts, answer, strict=True):
            np.testing.assert_array_equal(vector, expected(text))


async def test_the_encoder_runs_on_one_thread_off_the_event_loop() -> None:
    encoder = DummyEncoder()
    async with running(encoder, token_budget=10) as batcher:
        await batcher.encode(["a", "bb", "ccc", "dddddddd"])
    assert encoder.threads == {"encoder"}


async def test_no_batch_costs_more_than_the_budget_unless_one_text_alone_does() -> None:
    encoder, recorder = DummyEncoder(), Recorder()
    texts = ["x" * (i % 45) + str(i) for i in range(300)]
    async with running(encoder, token_budget=40, observer=recorder) as batcher:
        await batcher.encode(texts)
    assert sum(texts for texts, _, _ in recorder.batches) == recorder.waits == 300
    assert all(padded <= 40 or texts == 1 for texts, _, padded in recorder.batches)
    assert any(padded > 40 for _, _, padded in recorder.batches)
    assert sum(tokens for _, tokens, _ in recorder.batches) == sum(len(text) + 2 for text in texts)


async def test_a_lone_text_goes_when_its_deadline_passes() -> None:
    encoder = DummyEncoder()
    async with running(encoder, deadline_s=0.01) as batcher:
        await batcher.encode(["alone"])
    assert encoder.batches == [["alone"]]


async def test_texts_that_arrive_before_the_deadline_share_a_batch() -> None:
    encoder = DummyEncoder()
    async with running(encoder, token_budget=15, deadline_s=60) as batcher:
        first = asyncio.create_task(batcher.encode(["one"]))
        await asyncio.sleep(0.01)
        assert encoder.batches == []
        await asyncio.gather(first, batcher.encode(["two", "six"]))
    assert sorted(encoder.batches[0]) == ["one", "six", "two"]


async def test_texts_that_arrive_while_the_encoder_works_form_the_next_batch() -> None:
    encoder = HangingEncoder()
    async with running(encoder, deadline_s=0) as batcher:
        first = asyncio.create_task(batcher.encode(["first"]))
        await entered(encoder)
        rest = [asyncio.create_task(batcher.encode([text])) for text in ("later", "still", "other")]
        await asyncio.sleep(0)
        encoder.released.set()
        await asyncio.gather(first, *rest)
    assert [sorted(batch) for batch in encoder.batches] == [["first"], ["later", "other", "still"]]


async def test_the_oldest_text_is_not_starved_by_shorter_ones() -> None:
    encoder = HangingEncoder()
    async with running(encoder, token_budget=40, deadline_s=0) as batcher:
        first = asyncio.create_task(batcher.encode(["first"]))
        await entered(encoder)
        long = asyncio.create_task(batcher.encode(["y" * 30]))
        await asyncio.sleep(0)
        short = asyncio.create_task(batcher.encode([f"s{i}" for i in range(100)]))
        await asyncio.sleep(0)
        encoder.released.set()
        await asyncio.gather(first, long, short)
    assert encoder.batches[1] == ["y" * 30]


async def test_a_text_seen_before_is_answered_from_the_cache() -> None:
    encoder, recorder = DummyEncoder(), Recorder()
    async with running(encoder, observer=recorder) as batcher:
        before = await batcher.encode(["a", "b"])
        after = await batcher.encode(["b", "c", "a"])
    np.testing.assert_array_equal(after[[2, 0]], before)
    assert encoder.encoded == {"a": 1, "b": 1, "c": 1}
    assert (recorder.hits, recorder.misses) == (2, 3)


async def test_without_a_cache_a_text_is_encoded_each_time() -> None:
    encoder = DummyEncoder()
    async with running(encoder, cache_texts=0) as batcher:
        for _ in range(3):
            await batcher.encode(["a"])
    assert encoder.encoded == {"a": 3}


async def test_equal_texts_in_flight_are_encoded_once() -> None:
    encoder, recorder = DummyEncoder(), Recorder()
    async with running(encoder, observer=recorder, cache_texts=0) as batcher:
        answers = await asyncio.gather(*(batcher.encode(["same", f"own {i}", "same"]) for i in range(20)))
    assert encoder.encoded["same"] == 1
    assert (recorder.hits, recorder.misses) == (39, 21)
    assert all((answer[[0, 2]] == expected("same")).all() for answer in answers)


async def test_a_cached_vector_cannot_be_changed_by_a_caller() -> None:
    async with running(DummyEncoder()) as batcher:
        (vector,) = await batcher.encode_each(["a"])
        assert isinstance(vector, np.ndarray)
        with pytest.raises(ValueError, match="read-only"):
            vector[0] = 7
        (await batcher.encode(["a"]))[0] = 7
        np.testing.assert_array_equal(await batcher.encode(["a"]), [expected("a")])


async def test_a_request_waits_while_the_queue_is_full() -> None:
    encoder, recorder = HangingEncoder(), Recorder()
    async with running(encoder, queue_texts=3, observer=recorder) as batcher:
        full = asyncio.create_task(batcher.encode(["a", "b", "c"]))
        late = asyncio.create_task(batcher.encode(["d"]))
        await entered(encoder)
        assert max(recorder.depths) == 3
        assert not late.done()
        encoder.released.set()
        await asyncio.gather(full, late)
    assert max(recorder.depths) == 3
    assert recorder.depths[-1] == 0
    assert encoder.encoded == {"a": 1, "b": 1, "c": 1, "d": 1}


async def test_equal_texts_that_wait_for_room_are_encoded_once() -> None:
    encoder = HangingEncoder()
    async with running(encoder, queue_texts=1) as batcher:
        requests = [asyncio.create_task(batcher.encode([text])) for text in ("first", "same", "same", "other")]
        await entered(encoder)
        encoder.released.set()
        await asyncio.gather(*requests)
    assert encoder.encoded == {"first": 1, "same": 1, "other": 1}


async def test_requests_larger_than_the_queue_pass_through_it_in_slices() -> None:
    encoder, recorder = DummyEncoder(), Recorder()
    requests = [[f"{i} {j}" for j in range(50)] for i in range(4)]
    async with running(encoder, queue_texts=7, observer=recorder) as batcher:
        answers = await asyncio.gather(*(batcher.encode(texts) for texts in requests))
    assert max(recorder.depths) == 7
    assert set(encoder.encoded.values()) == {1}
    for texts, answer in zip(requests, answers, strict=True):
        np.testing.assert_array_equal(answer, [expected(text) for text in texts])


def memory() -> None:
    raise MemoryError


def bad_value() -> None:
    raise ValueError("☠ is what the user wrote")


def panic() -> None:
    raise RustPanic


def not_finite() -> None:
    """Let the encoder answer with NaN."""


@pytest.mark.parametrize("breaks", [memory, bad_value, panic, not_finite])
async def test_a_poison_text_is_rejected_alone(breaks: Callable[[], None]) -> None:
    encoder, recorder = PoisonEncoder(breaks), Recorder()
    texts = [f"text {i}" for i in range(20)]
    texts[13] = "a ☠"
    async with running(encoder, observer=recorder) as batcher:
        mine, others = await asyncio.gather(
            batcher.encode_each(texts), batcher.encode([f"other {i}" for i in range(20)])
        )
        with pytest.raises(TextRejectedError) as caught:
            await batcher.encode(texts)
    rejected = mine.pop(13)
    assert isinstance(rejected, TextRejectedError)
    assert rejected.position == caught.value.position == 13
    assert "☠" not in str(rejected)
    np.testing.assert_array_equal(np.stack(mine), [expected(text) for text in texts if "☠" not in text])
    np.testing.assert_array_equal(others, [expected(f"other {i}") for i in range(20)])
    assert recorder.failures > 0


async def test_a_rejected_text_has_its_own_position_in_each_request() -> None:
    async with running(PoisonEncoder(memory), queue_texts=4) as batcher:
        first, second = await asyncio.gather(
            batcher.encode_each(["☠", "a"]), batcher.encode_each([*"bcdefgh", "☠", "i"])
        )
    positions = [[i.position for i in answer if isinstance(i, TextRejectedError)] for answer in (first, second)]
    assert positions == [[0], [7]]


async def test_a_text_that_cannot_be_tokenised_is_rejected_alone() -> None:
    class Picky(DummyEncoder):
        def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
            return super().tokenize([text.encode().decode() for text in texts])

    async with running(Picky()) as batcher:
        good, bad, other = await batcher.encode_each(["good", "\ud800", "other"])
    assert isinstance(bad, TextRejectedError)
    np.testing.assert_array_equal([good, other], [expected("good"), expected("other")])


async def test_a_batch_too_big_for_the_memory_is_halved_until_it_fits() -> None:
    encoder, recorder = MemoryEncoder(), Recorder()
    texts = [f"text {i}" for i in range(30)]
    async with running(encoder, observer=recorder) as batcher:
        np.testing.assert_array_equal(await batcher.encode(texts), [expected(text) for text in texts])
    assert set(encoder.encoded.values()) == {1}
    assert recorder.failures > 0


async def test_an_encoder_that_is_down_fails_requests_after_few_tries_and_is_used_again_when_back() -> None:
    encoder = FailingEncoder()
    texts = [f"text {i}" for i in range(64)]
    async with running(encoder, token_budget=10_000) as batcher:
        with pytest.raises(EncoderUnavailableError, match=r"probe text fails too \(RuntimeError: device lost"):
            await batcher.encode(texts)
        assert encoder.calls == 8  # 64, 32, 16, 8, 4, 2, 1 texts and the probe
        encoder.down = False
        np.testing.assert_array_equal(await batcher.encode(texts), [expected(text) for text in texts])
    assert set(encoder.encoded.values()) == {1}


def test_what_was_done_before_the_encoder_went_down_is_kept() -> None:
    calls: list[Sequence[int]] = []

    def work(part: Sequence[int]) -> list[int]:
        calls.append(part)
        if len(part) > 2 or len(calls) > 3:
            raise RuntimeError
        return [-item for item in part]

    def probe() -> None:
        raise RuntimeError("still down\nand more lines")

    outcomes, failures = isolate(work, range(1, 9), probe)
    assert outcomes[:2] == [-1, -2]
    assert {str(outcome).count("(RuntimeError: still down): ") for outcome in outcomes[2:]} == {1}
    assert all(isinstance(outcome, EncoderUnavailableError) for outcome in outcomes[2:])
    assert failures == 5  # 8 and 4 texts, then 2 and 1 once it is down, and the probe


async def test_an_encoder_that_answers_with_the_wrong_shape_is_down() -> None:
    class Narrow(DummyEncoder):
        def embed(self, batch: Batch) -> NDArray[np.float32]:
            return super().embed(batch)[:, :2]

    async with running(Narrow()) as batcher:
        with pytest.raises(EncoderUnavailableError, match="shape"):
            await batcher.encode(["a"])


async def test_a_fault_that_passes_during_the_probe_rejects_no_text() -> None:
    class Flickering(FailingEncoder):
        def embed(self, batch: Batch) -> NDArray[np.float32]:
            self.down = self.calls == 0
            return super().embed(batch)

    encoder = Flickering()
    async with running(encoder) as batcher:
        np.testing.assert_array_equal(await batcher.encode(["a"]), [expected("a")])
    assert encoder.encoded == {PROBE_TEXT: 1, "a": 1}


async def test_a_hung_pass_fails_everyone_and_is_reported_until_it_returns() -> None:
    encoder, recorder = HangingEncoder(), Recorder()
    async with running(encoder, timeout_s=0.5, queue_texts=2, deadline_s=0, observer=recorder) as batcher:
        requests = [asyncio.create_task(batcher.encode([text])) for text in ("a", "b", "waits for room")]
        for answer in await asyncio.gather(*requests, return_exceptions=True):
            assert isinstance(answer, EncoderUnavailableError)
        assert batcher.stalled
        assert (recorder.failures, recorder.depths[-1]) == (1, 0)
        with pytest.raises(EncoderUnavailableError, match="outrun"):
            await batcher.encode(["while it hangs"])
        encoder.released.set()
        await until(lambda: not batcher.stalled)
        np.testing.assert_array_equal(await batcher.encode(["a", "c"]), [expected("a"), expected("c")])
    assert encoder.encoded["a"] == 1
    assert encoder.encoded["while it hangs"] == encoder.encoded["waits for room"] == 0


async def test_a_cancelled_request_is_skipped_and_makes_room() -> None:
    encoder, recorder = HangingEncoder(), Recorder()
    async with running(encoder, queue_texts=3, deadline_s=0, observer=recorder) as batcher:
        first = asyncio.create_task(batcher.encode(["first"]))
        await entered(encoder)
        dropped = asyncio.create_task(batcher.encode(["shared", "dropped"]))
        await asyncio.sleep(0)
        sharing = asyncio.create_task(batcher.encode(["shared"]))
        blocked = asyncio.create_task(batcher.encode(["no room"]))
        await asyncio.sleep(0)
        for task in (dropped, blocked):
            task.cancel()
        await asyncio.wait({dropped, blocked})
        encoder.released.set()
        np.testing.assert_array_equal(await sharing, [expected("shared")])
        await first
        assert recorder.depths[-1] == 0
        recorder.depths.clear()
        await batcher.encode(["x", "y", "z"])
        assert max(recorder.depths) == 3
    assert encoder.encoded == {"first": 1, "shared": 1, "x": 1, "y": 1, "z": 1}


async def test_stopping_fails_what_is_pending_and_refuses_what_follows() -> None:
    encoder = HangingEncoder()
    batcher = MicroBatcher(encoder, queue_texts=2, deadline_s=0)
    await batcher.start()
    requests = [asyncio.create_task(batcher.encode([text])) for text in ("running", "queued", *"no room")]
    await entered(encoder)
    stopping = asyncio.create_task(batcher.stop())
    for answer in await asyncio.gather(*requests, return_exceptions=True):
        assert isinstance(answer, EncoderUnavailableError)
    await asyncio.sleep(0.01)
    assert not stopping.done()
    encoder.released.set()
    await stopping
    assert encoder.encoded["running"] == 1
    with pytest.raises(EncoderUnavailableError, match="not started"):
        await batcher.encode(["after"])


@pytest.mark.parametrize("ticks", range(5))
async def test_stopping_succeeds_when_it_meets_an_arrival(ticks: int) -> None:
    batcher = MicroBatcher(DummyEncoder(), deadline_s=60)
    await batcher.start()
    early = asyncio.create_task(batcher.encode(["early"]))
    await asyncio.sleep(0.01)
    late = asyncio.create_task(batcher.encode(["late"]))
    for _ in range(ticks):
        await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await batcher.stop()
    for answer in await asyncio.gather(early, late, return_exceptions=True):
        assert isinstance(answer, EncoderUnavailableError)


async def test_a_stopped_batcher_can_be_started_again() -> None:
    encoder = DummyEncoder()
    batcher = MicroBatcher(encoder, queue_texts=2)
    for text in ("first life", "second life"):
        await batcher.start()
        await batcher.start()
        np.testing.assert_array_equal(await batcher.encode([text]), [expected(text)])
        await batcher.stop()
        await batcher.stop()
    assert encoder.encoded == {"first life": 1, "second life": 1}


async def test_a_hung_encoder_is_not_started_a_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.batcher._STOP_GRACE_S", 0.01)
    encoder = HangingEncoder()
    batcher = MicroBatcher(encoder, timeout_s=0.5)
    await batcher.start()
    with pytest.raises(EncoderUnavailableError):
        await batcher.encode(["a"])
    await batcher.stop()
    with pytest.raises(EncoderUnavailableError, match="has not returned"):
        await batcher.start()
    encoder.released.set()
    await until(lambda: encoder.encoded["a"] == 1)
    await until(lambda: "encoder" not in {thread.name for thread in threading.enumerate()})
    await batcher.start()
    np.testing.assert_array_equal(await batcher.encode(["b"]), [expected("b")])
    await batcher.stop()


async def test_a_fault_of_the_batcher_itself_fails_requests_and_is_raised_by_stop() -> None:
    class Broken(Recorder):
        def waited(self, seconds: float) -> None:
            raise LookupError("no such metric")

    batcher = MicroBatcher(DummyEncoder(), observer=Broken())
    await batcher.start()
    with pytest.raises(EncoderUnavailableError):
        await batcher.encode(["a"])
    with pytest.raises(EncoderUnavailableError):
        await batcher.encode(["b"])
    with pytest.raises(LookupError, match="no such metric"):
        await batcher.stop()


@pytest.mark.parametrize("options", [{"token_budget": 0}, {"queue_texts": 0}, {"timeout_s": 0}])
def test_limits_under_which_nothing_passes_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(BatcherOptionError, match="at least 1"):
        MicroBatcher(DummyEncoder(), **options)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=80), st.integers(1, 1200))
def test_a_batch_holds_the_oldest_text_in_order_of_length_within_the_budget(lengths: list[int], budget: int) -> None:
    batch = form_batch(lengths, budget)
    chosen = [lengths[index] for index in batch]
    assert 0 in batch
    assert len(set(batch)) == len(batch)
    assert chosen == sorted(chosen)
    assert len(batch) == 1 or max(chosen) * len(batch) <= budget
    assert max(chosen) * len(batch) - sum(chosen) <= budget / 8


@given(st.integers(1, 20), st.integers(1, 100), st.integers(20, 1200))
def test_a_batch_of_equal_texts_is_as_full_as_the_budget_allows(length: int, count: int, budget: int) -> None:
    assert sorted(form_batch([length] * count, budget)) == list(range(min(count, budget // length)))


@given(st.lists(st.sampled_from(["ok", "bad"]), max_size=40), st.integers(1, 9))
def test_isolating_rejects_the_bad_ones_and_no_other(items: list[str], most: int) -> None:
    def work(part: Sequence[str]) -> list[str]:
        if "bad" in part or len(part) > most:
            raise RuntimeError
        return [item.upper() for item in part]

    outcomes, failures = isolate(work, items, probe=lambda: None)
    assert [isinstance(outcome, TextRejectedError) for outcome in outcomes] == [item == "bad" for item in items]
    assert [outcome for outcome in outcomes if isinstance(outcome, str)] == ["OK"] * items.count("ok")
    assert (failures == 0) == ("bad" not in items and len(items) <= most)


@settings(max_examples=50)
@given(st.integers(0, 5), st.lists(st.integers(0, 9), max_size=60))
def test_the_cache_holds_the_keys_used_last(capacity: int, used: list[int]) -> None:
    cache = EmbeddingCache(capacity)
    recent: list[int] = []
    for value in used:
        vector = cache.get(bytes([value]))
        assert (vector is not None) == (value in recent)
        assert vector is None or vector[0] == value
        if vector is None:
            cache.put(bytes([value]), np.array([value], dtype=np.float32))
        recent = [*(key for key in recent if key != value), value][-capacity:] if capacity else []
        assert len(cache) == len(recent)


def test_a_text_is_known_by_128_bits_of_its_bytes() -> None:
    assert len(text_key("")) == 16
    assert len({text_key(text) for text in ("", "a", "A", "á", "\ud800")}) == 5


async def test_batched_embeddings_equal_direct_ones_of_the_real_encoder() -> None:
    encoder = BertEncoder.load(DEFAULT_ENCODER, device="cpu")
    texts = [f"{'really ' * (i % 9)}good phone number {i} 很好 👍" for i in range(40)] + ["long text " * 200, ""]
    async with running(encoder) as batcher:
        parts = await asyncio.gather(*(batcher.encode(texts[i : i + 5]) for i in range(0, len(texts), 5)))
    batched = np.concatenate(parts).astype(np.float64)
    direct = np.concatenate([encoder.embed(encoder.tokenize([text])) for text in texts]).astype(np.float64)
    norms = np.linalg.norm(batched, axis=1) * np.linalg.norm(direct, axis=1)
    assert ((batched * direct).sum(axis=1) / norms).min() > 0.99999
