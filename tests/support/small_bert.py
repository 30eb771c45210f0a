"""A BERT small enough to train within a test, and texts whose label its frozen weights cannot tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np

WORDS = tuple(f"{first}{second}{third}" for first in "bdfg" for second in "aeiou" for third in "klmnp")
IDEOGRAPH = "\u597d"


def save_small_bert(folder: Path, layers: int = 2) -> Path:
    """Write an encoder of random weights whose vocabulary is `WORDS`, and return its folder."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder.mkdir(parents=True)
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]) + "\n", encoding="utf-8")
    tokenizer = BertTokenizerFast(vocab=str(vocabulary))
    tokenizer.save_pretrained(folder)
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def labelled(count: int, seed: int = 0) -> list[tuple[str, float]]:
    """Return texts of five words, 1 where more of them are good than bad; every word is one or the other."""
    random = np.random.default_rng(seed)
    good = np.random.default_rng(99).random(len(WORDS)) < 0.5
    chosen = random.integers(len(WORDS), size=(count, 5))
    return [(" ".join(WORDS[index] for index in row), float(good[row].sum() > 2)) for row in chosen]
