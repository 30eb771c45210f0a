from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.batching.embedding_cache import EmbeddingCache, text_key


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
