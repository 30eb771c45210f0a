from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from support.encoders import HashEncoder
from support.runs import quick_settings, run_flow
from support.shoppers import BASE, encoded

pytestmark = pytest.mark.usefixtures("broker")


class CountingEncoder(HashEncoder):
    """Remembers what it was asked to embed."""

    def __init__(self) -> None:
        self.embedded: list[bytes] = []

    def embed(self, batch: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        self.embedded += [bytes(tokens) for tokens in batch]
        return super().embed(batch)


def review(user: str) -> dict[str, object]:
    value = {"event_id": user, "user_id": user, "item_id": "i", "text": "wonderful", "rating": 5, "timestamp": BASE}
    return {"topic": "reviews", "value": value}


def erasure(user: str) -> dict[str, object]:
    return {"topic": "erasures", "value": {"user_id": user, "timestamp": BASE}}


async def test_an_erasure_forgets_the_embeddings_that_the_users_texts_left_in_the_cache(tmp_path):
    encoder = CountingEncoder()
    lines = [review("a"), erasure("nobody"), review("b"), erasure("a"), review("c")]
    await run_flow(quick_settings(tmp_path), encoded(lines), encoder=encoder)
    assert encoder.embedded.count(b"wonderful") == 3


async def test_without_an_erasure_a_text_is_embedded_once(tmp_path):
    encoder = CountingEncoder()
    await run_flow(quick_settings(tmp_path), encoded([review("a"), review("b")]), encoder=encoder)
    assert encoder.embedded.count(b"wonderful") == 1
