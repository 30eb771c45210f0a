"""What the GPU benchmark encodes and with what: texts of the simulator's phrases, a BERT of seeded random weights.

Needs torch, transformers, tokenizers and numpy, and of this project nothing that reads Kafka or a feature store.
"""

from __future__ import annotations

import random
import string
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import torch

from models.encoder.passes.dense import dense
from streams.offline.sample.phrases import CATEGORIES, query, review

SPECIAL: Final = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
SHAPES: Final = {
    "cuda": {},  # bert-base is what a configuration says by default.
    "cpu": {"hidden_size": 384, "num_hidden_layers": 6, "intermediate_size": 1536, "max_position_embeddings": 256},
}
PEAK_S: Final = 1.0
SQUARE: Final = 8192
CPU_ROWS: Final = 1024


def texts(seed: int = 0) -> Iterator[str]:
    """Yield distinct texts without end, three reviews to two searches, one in ten in Chinese."""
    rng = random.Random(seed)
    number = 0
    while True:
        number += 1
        category, language = rng.choice(CATEGORIES), "zh" if rng.random() < 0.1 else "en"
        said = (
            review(rng, category, language, rng.randint(1, 5)) if rng.random() < 0.6 else query(rng, category, language)
        )
        yield f"{said} {number}"


def save_model(folder: Path, kind: str) -> None:
    """Write a BERT of seeded random weights, and a tokenizer that knows the words of `texts`, to a folder."""
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    bare = BertWordPieceTokenizer()
    source = texts(1)
    words: dict[str, None] = {}
    for _ in range(5000):
        cleaned = bare.normalizer.normalize_str(next(source))
        words |= dict.fromkeys(word for word, _ in bare.pre_tokenizer.pre_tokenize_str(cleaned) if word.isalpha())
    letters = string.ascii_lowercase + string.digits + string.punctuation
    pieces = [*SPECIAL.values(), *words, *letters, *(f"##{letter}" for letter in letters)]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=BertWordPieceTokenizer(vocab=vocabulary)._tokenizer, **SPECIAL)
    torch.manual_seed(0)
    model = BertModel(BertConfig(**SHAPES[kind]), add_pooling_layer=False)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def flop(config: Any, lengths: list[int]) -> float:
    """Return the floating-point operations of the matrix products in one pass over texts, no padding counted."""
    width, inner = config.hidden_size, config.intermediate_size
    per_token = sum(2 * out * into for out, into in shapes(width, inner))
    # Scores and their product with the values: 2 x length x width each, for every token.
    attention = 4 * width * sum(length**2 for length in lengths)
    return float(config.num_hidden_layers * (per_token * sum(lengths) + attention))


def shapes(width: int, inner: int) -> list[tuple[int, int]]:
    """Return (out, in) of a layer's weights."""
    return [(3 * width, width), (width, width), (inner, width), (width, inner)]


def matrix_rate(config: Any, device: torch.device, rows: int) -> float:
    """Return operations per second of matrix products: on a GPU in bfloat16, of the model's shapes or a large square,
    whichever is faster; on a CPU in float32, of the model's shapes.
    """
    own = shapes(config.hidden_size, config.intermediate_size)
    if device.type != "cuda":
        layers = [(dense(torch.randn(out, into), torch.zeros(out)), torch.randn(CPU_ROWS, into)) for out, into in own]
        return _rate(lambda: [layer(x) for layer, x in layers], sum(2 * CPU_ROWS * out * into for out, into in own))
    best = 0.0
    for height, wanted in ((rows, own), (SQUARE, [(SQUARE, SQUARE)])):
        pairs = [
            (
                torch.randn(height, into, device=device, dtype=torch.bfloat16),
                torch.randn(into, out, device=device, dtype=torch.bfloat16),
            )
            for out, into in wanted
        ]
        work = sum(2 * height * out * into for out, into in wanted)
        best = max(best, _rate(lambda pairs=pairs: [x @ weight for x, weight in pairs], work, torch.cuda.synchronize))
    return best


def _rate(products: Callable[[], object], work: int, settle: Callable[[], None] = lambda: None) -> float:
    with torch.inference_mode():
        products()
        settle()
        rounds, began = 0, time.perf_counter()
        while time.perf_counter() - began < PEAK_S:
            for _ in range(10):
                products()
            settle()
            rounds += 10
        return rounds * work / (time.perf_counter() - began)
