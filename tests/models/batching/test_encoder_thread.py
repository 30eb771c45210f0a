from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from models.batching.encoder_thread import PROBE_TEXT, EncoderThread
from models.exceptions import EncoderUnavailableError


@pytest.fixture
async def thread(dummy: Any) -> AsyncIterator[EncoderThread]:
    thread = EncoderThread(dummy)
    thread.start()
    yield thread
    await thread.stop()


async def test_calls_run_on_one_thread_off_the_event_loop(dummy: Any, thread: EncoderThread) -> None:
    for text in ("a", "bb", "ccc"):
        tokens, failures = await thread.tokenize([text])
        assert failures == 0
        ((vector,), failures) = await thread.embed(tokens)
        assert failures == 0
        np.testing.assert_array_equal([vector], dummy.expected([text]))
    assert dummy.threads == {"encoder"}
    assert threading.current_thread().name != "encoder"


async def test_embeddings_of_another_width_mean_that_the_encoder_is_down(dummy: Any, thread: EncoderThread) -> None:
    dummy.hurdle = lambda texts: dummy.expected(texts)[:, :2]
    ((outcome,), _) = await thread.embed([[1, 2]])
    with pytest.raises(EncoderUnavailableError, match="shape"):
        raise outcome


async def test_a_text_that_fails_alone_is_told_from_an_encoder_that_is_down_by_a_probe(
    dummy: Any, thread: EncoderThread
) -> None:
    def lost_once(texts: list[str]) -> None:
        dummy.hurdle = lambda _: None
        raise RuntimeError("device lost")

    dummy.hurdle = lost_once
    tokens, _ = await thread.tokenize(["a"])
    ((vector,), failures) = await thread.embed(tokens)
    np.testing.assert_array_equal([vector], dummy.expected(["a"]))
    assert failures == 1
    assert dummy.encoded == {PROBE_TEXT: 1, "a": 1}


async def test_an_embedding_is_a_copy_that_cannot_be_changed(thread: EncoderThread) -> None:
    ((first, second), _) = await thread.embed([[1, 97, 2], [1, 98, 2]])
    assert first.base is None
    assert second.base is None
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 7


async def test_a_thread_is_not_started_while_a_call_from_before_its_stop_hangs(
    dummy: Any, gate: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.batching.encoder_thread._STOP_GRACE_S", 0.01)
    thread = EncoderThread(dummy)
    thread.start()
    hung = thread.embed([[1, 97, 2]])
    await gate.reached()
    await thread.stop()
    assert not hung.done()
    with pytest.raises(EncoderUnavailableError, match="has not returned"):
        thread.start()
    gate.open()
    await hung
    await until(lambda: "encoder" not in {thread.name for thread in threading.enumerate()})
    thread.start()
    ((vector,), _) = await thread.embed([[1, 98, 2]])
    np.testing.assert_array_equal([vector], dummy.expected(["b"]))
    await thread.stop()


async def test_an_encoder_with_several_passes_computes_them_side_by_side_and_reads_meanwhile(
    dummy: Any, gate: Any, until: Any
) -> None:
    dummy.passes = 2
    thread = EncoderThread(dummy)
    thread.start()
    first, second, third = (thread.embed([[1, letter, 2]]) for letter in (97, 98, 99))
    await gate.reached()
    # Both passes are held up, and a text is tokenised all the same.
    (tokens, failures) = await thread.tokenize(["a"])
    assert (tokens, failures) == ([[1, 97, 2]], 0)
    await until(lambda: gate.waiting == 2)
    assert not first.done()
    gate.open()
    for text, call in (("a", first), ("b", second), ("c", third)):
        ((vector,), failures) = await call
        assert failures == 0
        np.testing.assert_array_equal([vector], dummy.expected([text]))
    await thread.stop()
    await until(lambda: not {"encoder", "tokenizer"} & {thread.name for thread in threading.enumerate()})
