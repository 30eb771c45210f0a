"""An encoder that can tell ideographs apart which its tokenizer did not know."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import torch

from models.finetuning.adapting import pretrained
from models.finetuning.saving import save_encoder

LEAST: Final = 5
"""Texts that an ideograph must be in: fewer teach its embedding nothing that holds for other texts."""


def widen(source: Path, texts: Iterable[str], folder: Path) -> int:
    """Write an encoder that knows the ideographs of some texts, and embeds them as before.

    A new ideograph begins with the embedding of the unknown token, which it was until now; training moves it.

    Args:
        source: folder of the encoder.
        texts: cleaned training texts.
        folder: to write to, made where it is not there.

    Returns:
        How many ideographs were added.
    """
    model, tokenizer = pretrained(source)
    counts = Counter(letter for text in texts for letter in set(text) if _is_ideograph(letter))
    often = [letter for letter, count in sorted(counts.items()) if count >= LEAST]
    added = _unknown(tokenizer, often)
    if added:
        tokenizer.add_tokens(added)
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
        table = model.get_input_embeddings().weight
        with torch.no_grad():
            table[tokenizer.convert_tokens_to_ids(added)] = table[tokenizer.unk_token_id].clone()
    save_encoder(model, source, folder)
    if added:
        tokenizer.save_pretrained(folder)
    return len(added)


def _unknown(tokenizer: Any, letters: list[str]) -> list[str]:
    if not letters or tokenizer.unk_token_id is None:
        return []
    found = tokenizer(letters, add_special_tokens=False)["input_ids"]
    return [letter for letter, ids in zip(letters, found, strict=True) if tokenizer.unk_token_id in ids]


def _is_ideograph(letter: str) -> bool:
    # BERT's tokenizers set these apart, so that one more of them changes no other word.
    return unicodedata.name(letter, "").startswith("CJK UNIFIED IDEOGRAPH")
