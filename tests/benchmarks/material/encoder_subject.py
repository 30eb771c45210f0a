"""What the encoder benchmark encodes, what it counts, and the peak it is held against."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
import torch
from benchmarks.sides.encoders import load_model
from numpy.typing import NDArray

from models.batching.batcher import MicroBatcher
from models.encoder.bert import BertEncoder
from models.encoder.locate import DEFAULT_ENCODER, locate
from models.encoder.passes.dense import PlainDense, PrepackedDense
from models.text.cleaning import clean
from streams.offline.sample.orders import demo_orders
from streams.offline.sample.simulator import simulate

Embeddings: TypeAlias = NDArray[np.float32]

FIELDS: Final = {"reviews": "text", "searches": "query"}
PEAK_ROWS: Final = 1024
PEAK_S: Final = 0.5
"""Long enough that whatever else runs on the machine slows the peak as it slows the sides."""


def simulated_texts(limit: int) -> list[str]:
    """Return distinct cleaned texts of the simulator, drawn by a seed from all of them."""
    texts: set[str] = set()
    for line in simulate(demo_orders()):
        value = line.get("value")
        if line["topic"] in FIELDS and isinstance(value, dict):
            text = value.get(FIELDS[line["topic"]])
            texts.add(clean(text) if isinstance(text, str) else "")
    known = sorted(texts - {""})
    return random.Random(0).sample(known, min(limit, len(known)))


class Subject:
    """The default encoder and the texts it reads.

    Attributes:
        texts: what every side encodes.
        tokens: their token ids.
        flop: floating-point operations of the matrix products in one forward pass of each, no padding counted.
    """

    def __init__(self, limit: int) -> None:
        self.encoder = BertEncoder.load(DEFAULT_ENCODER, device="cpu")
        self.model = load_model()
        self.texts = simulated_texts(limit)
        self.tokens = self.encoder.tokenize(self.texts)
        lengths = np.array([len(tokens) for tokens in self.tokens])
        config = self.model.config
        per_token = sum(2 * out * into for out, into in self.shapes())
        # Scores and their product with the values: 2 x length x width each, for every token.
        attention = 4 * config.hidden_size * float((lengths**2).sum())
        self.flop = config.num_hidden_layers * (per_token * float(lengths.sum()) + attention)

    def shapes(self) -> list[tuple[int, int]]:
        """Return (out, in) of a layer's weights."""
        width, inner = self.model.config.hidden_size, self.model.config.intermediate_size
        return [(3 * width, width), (width, width), (inner, width), (width, inner)]

    def sentence_transformers(self) -> Callable[[], Embeddings]:
        """Encode as sentence-transformers does, by its defaults; it sorts the texts by length itself."""
        from sentence_transformers import SentenceTransformer

        reference = SentenceTransformer(str(locate(DEFAULT_ENCODER)), device="cpu")
        return lambda: reference.encode(self.texts, batch_size=32, show_progress_bar=False)

    def ours(self) -> Embeddings:
        """Encode as a worker does: through the micro-batcher, whose cache knows nothing yet."""

        async def encode() -> Embeddings:
            batcher = MicroBatcher(self.encoder)
            await batcher.start()
            try:
                return await batcher.encode(self.texts)
            finally:
                await batcher.stop()

        return asyncio.run(encode())

    def peak(self) -> float:
        """Return float32 operations per second (10^9) of products of the model's own shapes, by the faster library."""
        x = {width: torch.randn(PEAK_ROWS, width) for _, width in self.shapes()}
        weights = [(torch.randn(out, into), torch.zeros(out)) for out, into in self.shapes()]
        flop = 2 * PEAK_ROWS * sum(out * into for out, into in self.shapes())
        rates: list[float] = []
        with torch.inference_mode():
            for make in (PlainDense, PrepackedDense):
                products = [make(weight, bias) for weight, bias in weights]
                rounds, began = 0, time.perf_counter()
                while time.perf_counter() - began < PEAK_S:
                    for product, (_, into) in zip(products, self.shapes(), strict=True):
                        product(x[into])
                    rounds += 1
                rates.append(rounds * flop / (time.perf_counter() - began) / 1e9)
        return max(rates)
