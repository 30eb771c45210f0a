"""A plain BERT is read as transformers reads it, and what is not surely one is left to transformers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from support.command import environment
from support.small_bert import WORDS, save_small_bert
from transformers import AutoModel, AutoTokenizer

from models.encoder.bert import BertEncoder
from models.encoder.locate import locate
from models.encoder.passes.dense import dense_of
from models.encoder.passes.packed import PackedForward
from models.encoder.plain import PlainTokenizer, read_model, read_tokenizer
from models.exceptions import EncoderLoadError

BUNDLED = locate("all-MiniLM-L6-v2", None)
TEXTS = [
    "a",
    "The sound is clear, and it sits well.",
    "音质清晰，佩戴舒服。",
    "Ünïcödé NAÏVE İstanbul ǅ",
    "word " * 400,
    "[CLS] [MASK] [SEP] ##ing",
    "\u0000\ufffd\u200b zero\u00adwidth 😀",
    "",
]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return save_small_bert(tmp_path / "small")


def of_transformers(folder: Path) -> tuple[Any, Any]:
    model = AutoModel.from_pretrained(folder, local_files_only=True, attn_implementation="sdpa", dtype=torch.float32)
    return model.eval().requires_grad_(False), AutoTokenizer.from_pretrained(folder, local_files_only=True)


def ids(tokenizer: Any, texts: list[str], longest: int) -> list[list[int]]:
    options = {"padding": False, "return_attention_mask": False, "return_token_type_ids": False}
    return [list(found) for found in tokenizer(texts, truncation=True, max_length=longest, **options)["input_ids"]]


@pytest.fixture(scope="module")
def tokenizers() -> tuple[Any, Any]:
    plain = read_tokenizer(BUNDLED)
    assert plain is not None
    return plain, AutoTokenizer.from_pretrained(BUNDLED, local_files_only=True)


@pytest.mark.parametrize("longest", [8, 256, 512])
def test_texts_become_the_same_tokens(tokenizers: tuple[Any, Any], longest: int) -> None:
    plain, theirs = tokenizers
    assert ids(plain, TEXTS, longest) == ids(theirs, TEXTS, longest)
    assert plain.pad_token_id == theirs.pad_token_id


@given(st.lists(st.text(), max_size=4))
def test_any_texts_become_the_same_tokens(tokenizers: tuple[Any, Any], texts: list[str]) -> None:
    if texts:
        plain, theirs = tokenizers
        assert ids(plain, texts, 64) == ids(theirs, texts, 64)


def test_embeddings_are_bit_for_bit_those_of_the_model_of_transformers() -> None:
    encoder = BertEncoder.load("all-MiniLM-L6-v2", "cpu")
    model, _ = of_transformers(BUNDLED)
    tokens = encoder.tokenize(TEXTS)
    theirs = PackedForward(model, dense_of("float32")).embed(tokens)
    assert np.array_equal(encoder.embed(tokens), theirs)


def test_an_encoder_that_was_saved_after_a_fine_tuning_is_read_as_transformers_reads_it(small: Path) -> None:
    plain, tokenizer = read_model(small), read_tokenizer(small)
    model, theirs = of_transformers(small)
    assert plain is not None
    assert tokenizer is not None
    texts = [" ".join(WORDS[start : start + 9]) for start in range(0, 60, 7)]
    tokens = ids(tokenizer, texts, 64)
    assert tokens == ids(theirs, texts, 64)
    make = dense_of("float32")
    assert np.array_equal(PackedForward(plain, make).embed(tokens), PackedForward(model, make).embed(tokens))


def test_weights_outlive_their_file(small: Path) -> None:
    plain = read_model(small)
    assert plain is not None
    before = plain.embeddings.word_embeddings.weight.clone()
    (small / "model.safetensors").write_bytes(b"")
    assert torch.equal(plain.embeddings.word_embeddings.weight, before)


def edited(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def weights(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def spoil(folder: Path) -> None:
        stored = load_file(folder / "model.safetensors")
        change(stored)
        save_file(stored, folder / "model.safetensors", {"format": "pt"})

    return spoil


OUTPUT = "encoder.layer.1.output.dense.bias"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: edited(folder / "config.json", model_type="roberta"),
        lambda folder: edited(folder / "config.json", hidden_act="relu"),
        lambda folder: edited(folder / "config.json", position_embedding_type="relative_key"),
        lambda folder: edited(folder / "config.json", is_decoder=True),
        lambda folder: edited(folder / "config.json", num_hidden_layers=1),
        lambda folder: edited(folder / "config.json", num_attention_heads=3),
        lambda folder: edited(folder / "config.json", vocab_size=7),
        lambda folder: edited(folder / "config.json", hidden_size="wide"),
        lambda folder: (folder / "config.json").write_text("[]"),
        lambda folder: (folder / "config.json").write_text("{"),
        lambda folder: (folder / "adapter_config.json").write_text("{}"),
        lambda folder: (folder / "model.safetensors").write_bytes(b"cut"),
        lambda folder: (folder / "model.safetensors").unlink(),
        weights(lambda stored: stored.pop(OUTPUT)),
        weights(lambda stored: stored.update({OUTPUT: torch.zeros(3)})),
        weights(lambda stored: stored.update({"encoder.layer.0.adapter.weight": torch.zeros(3)})),
    ],
)
def test_a_model_that_is_not_surely_plain_is_left_to_transformers(small: Path, spoil: Callable[[Path], object]) -> None:
    spoil(small)
    assert read_model(small) is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: edited(folder / "tokenizer_config.json", tokenizer_class="XLMRobertaTokenizer"),
        lambda folder: edited(folder / "tokenizer_config.json", do_lower_case=False),
        lambda folder: edited(folder / "tokenizer_config.json", strip_accents=True),
        lambda folder: edited(folder / "tokenizer_config.json", truncation_side="left"),
        lambda folder: edited(folder / "tokenizer_config.json", additional_special_tokens=["<x>"]),
        lambda folder: edited(folder / "tokenizer_config.json", added_tokens_decoder={"5": {"content": "<x>"}}),
        lambda folder: edited(folder / "tokenizer.json", normalizer=None),
        lambda folder: edited(folder / "tokenizer.json", pre_tokenizer={"type": "Whitespace"}),
        lambda folder: edited(folder / "tokenizer.json", post_processor=None),
        lambda folder: edited(folder / "tokenizer.json", post_processor={"type": "Template", "single": [{}]}),
        lambda folder: edited(folder / "tokenizer.json", model=["WordPiece"]),
        lambda folder: edited(folder / "tokenizer.json", added_tokens=[{}]),
        lambda folder: edited(folder / "tokenizer_config.json", added_tokens_decoder=["<x>"]),
        lambda folder: (folder / "tokenizer.json").unlink(),
        lambda folder: (folder / "tokenizer.json").write_text("{"),
        lambda folder: (folder / "special_tokens_map.json").write_text('{"additional_special_tokens": ["<x>"]}'),
    ],
)
def test_a_tokenizer_that_is_not_surely_plain_is_left_to_transformers(
    small: Path, spoil: Callable[[Path], object]
) -> None:
    assert isinstance(read_tokenizer(small), PlainTokenizer)
    spoil(small)
    assert read_tokenizer(small) is None


def test_a_damaged_vocabulary_is_one_line(small: Path) -> None:
    edited(small / "tokenizer.json", model={"type": "WordPiece", "vocab": "none"})
    with pytest.raises(EncoderLoadError, match="expected a tokenizer in") as caught:
        read_tokenizer(small)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cut", [0, 7, 900])
def test_damaged_weights_are_one_line_all_the_same(tmp_path: Path, cut: int) -> None:
    folder = save_small_bert(tmp_path / "small")
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(EncoderLoadError, match="expected a BERT-like model"):
        BertEncoder.load(str(folder), "cpu")


def test_the_bundled_encoder_is_loaded_without_transformers() -> None:
    code = (
        "import sys\n"
        "from models.encoder.bert import BertEncoder\n"
        "BertEncoder.load('all-MiniLM-L6-v2', 'cpu').warm_up()\n"
        "print(sorted({'transformers', 'pandas', 'scipy', 'sklearn'} & set(sys.modules)))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
