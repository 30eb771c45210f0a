from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.encoder.bert import BertEncoder, digest
from models.encoder.locate import DEFAULT_ENCODER, locate
from models.exceptions import EncoderLoadError, EncoderNotFoundError

TEXTS = [
    "",
    " ",
    ".",
    "a",
    "!!!",
    "👍",
    "🎉🎉🎉 best purchase ever 🎉🎉🎉",
    "ok",
    "good",
    "Great phone case, fits perfectly.",
    "Terrible. Broke after two days, and the seller never answered.",
    "The battery lasts two days; the screen is bright; the price is fair.",
    "wireless headphones",
    "size 42 running shoes men",
    "usb-c charger 65w",
    "kids' bicycle 20\"",
    "café crème brûlée naïve façade",
    "ÜBERGRÖSSE straße",
    "很好",
    "质量很好，物流很快，下次还会再来。",
    "手机壳 iPhone 15 透明",
    "这个价格真的不值，电池一天就没电了！",
    "イヤホン ワイヤレス",
    "наушники беспроводные",
    "سماعات لاسلكية",
    "mixed 中文 and English 文字 in one 评论",
    "12345 67890",
    "£19.99 or $25.00?",
    "[PAD] [SEP] [CLS] [MASK] [UNK]",
    "[PAD] [PAD]",
    "<b>not</b> &amp; markup",
    "line one\nline two\n\nline four",
    "tab\tseparated\tvalues",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "supercalifragilisticexpialidocious pneumonoultramicroscopicsilicovolcanoconiosis",
    "zero\u200bwidth and soft\u00adhyphen",
    "ALL CAPITALS AND SHOUTING",
    "I ordered the blue one and received the red one, but honestly I like the red one more. " * 4,
    "delivery was quick and the colour is as shown " * 60,
    "电池很耐用，屏幕清晰，手感也不错。" * 40,
]


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    return wide / np.linalg.norm(wide, axis=1, keepdims=True)


def cosines(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float64]:
    return (unit(left) * unit(right)).sum(axis=1)


@pytest.fixture(scope="module")
def encoder() -> BertEncoder:
    return BertEncoder.load(DEFAULT_ENCODER, device="cpu")


@pytest.fixture(scope="module")
def embedded(encoder: BertEncoder) -> NDArray[np.float32]:
    return encoder.embed(encoder.tokenize(TEXTS))


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """Make an encoder's folder of one narrow layer with random weights and the bundled tokenizer."""
    from transformers import BertConfig, BertModel

    config = BertConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=40,
    )
    folder = tmp_path / "tiny"
    BertModel(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
        shutil.copyfile(locate(DEFAULT_ENCODER) / name, folder / name)
    return folder


def test_importing_and_locating_load_neither_torch_nor_sentence_transformers() -> None:
    program = (
        "import sys, models.encoder.bert, models.encoder.locate as where\n"
        "where.locate(where.DEFAULT_ENCODER)\n"
        "print([name for name in ('torch', 'transformers', 'sentence_transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_threads_that_wait_leave_their_core_to_others() -> None:
    program = f"from models.encoder.bert import BertEncoder; BertEncoder.load({DEFAULT_ENCODER!r}, device='cpu')"
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    environment["OMP_DISPLAY_ENV"] = "TRUE"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert "OMP_WAIT_POLICY = 'PASSIVE'" in done.stderr


def test_the_default_encoder_is_the_bundled_one_by_its_own_settings(encoder: BertEncoder) -> None:
    assert (encoder.name, encoder.dimension, encoder.max_tokens) == ("all-MiniLM-L6-v2", 384, 256)


def test_embeddings_agree_with_sentence_transformers(embedded: NDArray[np.float32]) -> None:
    from sentence_transformers import SentenceTransformer

    reference = SentenceTransformer(str(locate(DEFAULT_ENCODER)), device="cpu").encode(TEXTS, batch_size=8)
    assert embedded.dtype == np.float32
    assert embedded.shape == reference.shape == (len(TEXTS), 384)
    assert cosines(embedded, reference).min() > 0.9999


def test_an_embedding_does_not_depend_on_the_rest_of_its_batch(
    encoder: BertEncoder, embedded: NDArray[np.float32]
) -> None:
    alone = np.concatenate([encoder.embed(encoder.tokenize([text])) for text in TEXTS])
    np.testing.assert_allclose(alone, embedded, atol=1e-5)


def test_embeddings_are_means_over_tokens_and_not_normalised(embedded: NDArray[np.float32]) -> None:
    assert np.ptp(np.linalg.norm(embedded, axis=1)) > 0.1


def test_texts_are_truncated_to_max_tokens_with_their_special_tokens(encoder: BertEncoder) -> None:
    short, long = encoder.tokenize(["hello", "word " * 1000])
    assert short == [101, 7592, 102]
    assert len(long) == encoder.max_tokens
    assert (long[0], long[-1]) == (101, 102)


def test_nothing_asked_is_nothing_answered(encoder: BertEncoder) -> None:
    assert encoder.tokenize([]) == []
    assert encoder.embed([]).shape == (0, 384)


def test_warming_up_changes_no_embedding(encoder: BertEncoder) -> None:
    tokens = encoder.tokenize(["good", "a good phone case"])
    before = encoder.embed(tokens)
    encoder.warm_up()
    np.testing.assert_array_equal(encoder.embed(tokens), before)


def test_a_local_folder_is_an_encoder_of_its_own_width_and_position_limit(tiny: Path) -> None:
    encoder = BertEncoder.load(str(tiny), device="cpu")
    assert (encoder.name, encoder.dimension, encoder.max_tokens) == ("tiny", 16, 40)
    assert encoder.embed(encoder.tokenize(["word " * 100, "b"])).shape == (2, 16)


def test_a_folder_says_how_many_tokens_it_was_trained_on(tiny: Path) -> None:
    (tiny / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 8}))
    assert BertEncoder.load(str(tiny), device="cpu").max_tokens == 8


def test_the_digest_follows_weights_and_tokenizer_and_nothing_else(tiny: Path, tmp_path: Path) -> None:
    before = digest(tiny)
    assert len(bytes.fromhex(before)) == 32
    moved = tmp_path / "elsewhere"
    shutil.copytree(tiny, moved)
    (moved / "README.md").write_text("words about the model")
    assert digest(moved) == before
    for name in ("model.safetensors", "tokenizer.json"):
        whole = (moved / name).read_bytes()
        (moved / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        assert digest(moved) != before
        (moved / name).write_bytes(whole)


@pytest.mark.parametrize("name", ["no-such-model", "no-such/model", "./no/such/folder", "", "a b c"])
def test_an_encoder_that_is_not_here_is_named_in_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EncoderNotFoundError, match="expected encoder") as caught:
        locate(name)
    assert repr(name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_model_in_the_hugging_face_cache_is_found_without_the_network(tmp_path: Path) -> None:
    commit = "0123456789" * 4
    model = tmp_path / "hub" / "models--acme--bert"
    snapshot = model / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(commit)
    for name in ("config.json", "model.safetensors"):
        (snapshot / name).touch()
    program = "from models.encoder.locate import locate; print(locate('acme/bert'))"
    environment = os.environ | {"HF_HOME": str(tmp_path)}
    environment.pop("HF_HUB_CACHE", None)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert Path(done.stdout.strip()) == snapshot


@pytest.mark.parametrize("lost", ["config.json", "model.safetensors"])
def test_a_folder_without_config_or_safetensors_is_no_encoder(tiny: Path, lost: str) -> None:
    (tiny / lost).rename(tiny / "pytorch_model.bin")
    with pytest.raises(EncoderNotFoundError, match="found no"):
        locate(str(tiny))


def test_damaged_weights_are_refused(tiny: Path) -> None:
    whole = (tiny / "model.safetensors").read_bytes()
    (tiny / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EncoderLoadError, match="do not load"):
        BertEncoder.load(str(tiny), device="cpu")


def test_weights_that_lack_a_layer_are_refused_and_not_made_up(tiny: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(tiny / "model.safetensors")
    kept = {key: value for key, value in weights.items() if "attention.self.query" not in key}
    assert len(kept) < len(weights)
    save_file(kept, tiny / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EncoderLoadError, match="missing"):
        BertEncoder.load(str(tiny), device="cpu")


def test_a_damaged_token_limit_is_refused(tiny: Path) -> None:
    (tiny / "sentence_bert_config.json").write_text("[")
    with pytest.raises(EncoderLoadError, match="max_seq_length"):
        BertEncoder.load(str(tiny), device="cpu")


@pytest.mark.parametrize("device", ["abacus", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(tiny: Path, device: str) -> None:
    with pytest.raises(EncoderLoadError, match=device):
        BertEncoder.load(str(tiny), device=device)
